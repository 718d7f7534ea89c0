/** A small real file system in a file, that can be filled and made to fail: ext4 over a loop device. Needs root. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { atEnd, type Lifetime } from '../cluster/lifetime.ts'

const run = promisify(execFile)

/** Why there can be none here; undefined: there can. */
export async function noLoopDisks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'mounting a disk takes root'
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-loop-'))
  try {
    const image = await imageIn(folder, 16)
    const mounted = join(folder, 'mounted')
    await mkdir(mounted)
    await run('mount', ['-o', 'loop', image, mounted])
    await run('umount', [mounted])
    return undefined
  } catch (error) {
    return `no file system can be mounted over a loop device: ${String(error).replace(/\n.*/s, '')}`
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export interface LoopDisk {
  /** All but the start of the medium is gone: what reads or writes there fails with EIO. */
  fail(): Promise<void>
  /** The medium is as it was, the file system checked and mounted anew. Nobody may use it meanwhile. */
  heal(): Promise<void>
}

/** Puts a folder that nobody uses onto a disk of its own, with what it holds. */
export async function onLoopDisk(t: Lifetime, folder: string, mebibytes: number): Promise<LoopDisk> {
  const place = await mkdtemp(join(tmpdir(), 'ashlar-loop-'))
  const image = await imageIn(place, mebibytes)
  const before = `${folder}.before`
  await rename(folder, before)
  await mkdir(folder)
  const mount = (): Promise<unknown> => run('mount', ['-o', 'loop', image, folder])
  await mount()
  atEnd(t, async () => {
    await run('umount', ['-l', folder]).catch(() => undefined)
    await rm(place, { recursive: true, force: true })
  })
  await cp(before, folder, { recursive: true })
  await rm(before, { recursive: true })
  const gone = join(place, 'gone')
  return {
    async fail() {
      await run('sync', ['-f', folder])
      await run('dd', [`if=${image}`, `of=${gone}`, 'bs=1M', `skip=${SOUND_MEBIBYTES}`, 'conv=sparse'])
      await truncate(image, SOUND_MEBIBYTES * MEBIBYTE)
      const { stdout } = await run('findmnt', ['-no', 'SOURCE', folder])
      // The device takes on the size of its file; the file system goes on believing in the one it was made with.
      await run('losetup', ['-c', stdout.trim()])
    },
    async heal() {
      await run('umount', [folder])
      const back = [`seek=${SOUND_MEBIBYTES}`, 'conv=sparse,notrunc']
      await run('dd', [`if=${gone}`, `of=${image}`, 'bs=1M', ...back])
      await truncate(image, mebibytes * MEBIBYTE)
      // Exit code 1: errors were corrected, which is what it is for.
      await run('e2fsck', ['-fy', image]).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error
      })
      await mount()
    },
  }
}

const MEBIBYTE = 2 ** 20

/** Little enough that a few writes reach what is gone. */
const SOUND_MEBIBYTES = 24

async function imageIn(folder: string, mebibytes: number): Promise<string> {
  const image = join(folder, 'image')
  await writeFile(image, '')
  await truncate(image, mebibytes * MEBIBYTE)
  await run('mkfs.ext4', ['-q', '-m', '0', image])
  return image
}
