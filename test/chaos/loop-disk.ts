/** A small real file system in a file, that can be filled and made to fail: ext4 over a loop device. Needs root. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Lifetime } from '../cluster/harness.ts'

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
  /** The medium below takes no more writes: the next that reach it fail with EIO. */
  fail(): Promise<void>
  /** The medium is well again, the file system checked and mounted anew. Nobody may use it meanwhile. */
  heal(): Promise<void>
}

/**
 * Puts a folder that nobody uses onto a disk of its own, with what it holds. The disk's medium is a file on a second small
 * file system: when that is full, it fails.
 */
export async function onLoopDisk(t: Lifetime, folder: string, mebibytes: number): Promise<LoopDisk> {
  const place = await mkdtemp(join(tmpdir(), 'ashlar-loop-'))
  const medium = join(place, 'medium')
  const ballast = join(medium, 'ballast')
  await mkdir(medium)
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes + 8}m`, 'none', medium])
  const image = await imageIn(medium, mebibytes)
  const before = `${folder}.before`
  await rename(folder, before)
  await mkdir(folder)
  const mount = (): Promise<unknown> => run('mount', ['-o', 'loop', image, folder])
  await mount()
  t.after(async () => {
    for (const path of [folder, medium]) await run('umount', ['-l', path]).catch(() => undefined)
    await rm(place, { recursive: true, force: true })
  })
  await cp(before, folder, { recursive: true })
  await rm(before, { recursive: true })
  return {
    async fail() {
      // All that is left of the medium goes to a file beside the image, so that its holes can never be filled.
      await run('sync', ['-f', folder])
      await writeFile(ballast, Buffer.alloc((mebibytes + 8) * 2 ** 20)).catch(() => undefined)
    },
    async heal() {
      await truncate(ballast, 0)
      await run('umount', [folder])
      // Exit code 1: errors were corrected, which is what it is for.
      await run('e2fsck', ['-fy', image]).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error
      })
      await mount()
    },
  }
}

async function imageIn(folder: string, mebibytes: number): Promise<string> {
  const image = join(folder, 'image')
  await writeFile(image, '')
  await truncate(image, mebibytes * 2 ** 20)
  await run('mkfs.ext4', ['-q', '-m', '0', image])
  return image
}
