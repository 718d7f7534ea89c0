import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { BackupDamagedError } from '../../metadata/backup/format/frame.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import { NewerFormatError } from '../../core/records/format.ts'
import { CommandError, systemCode } from '../failure.ts'
import { fileFailure } from '../folder/files.ts'

/**
 * Writes a file that appears under its name only when all of it is durable: whatever happens before, nothing is there, or what
 * was there. Readable by its owner only: metadata names everything that is stored.
 * @throws {CommandError} something of that name is there, and `force` is not given; it cannot be written
 */
export async function writeWhole<T>(
  path: string,
  force: boolean,
  write: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const disk = createNodeDisk(dirname(resolve(path)))
  const name = basename(path)
  const temporary = `${name}.${randomBytes(6).toString('hex')}.new`
  await refuseExisting(path, force)
  let file: DiskFile | undefined
  try {
    file = await disk.open(temporary, { create: true })
    const result = await write(file)
    await file.close()
    file = undefined
    await refuseExisting(path, force)
    await disk.rename(temporary, name)
    await disk.syncDirectory('')
    return result
  } catch (error) {
    await file?.close()
    await disk.remove(temporary).catch(() => undefined)
    throw systemCode(error) === undefined ? error : fileFailure(error, path, 'be written')
  }
}

/** Opens a backup for reading, and says what is wrong with it in terms of its name. @throws {CommandError} */
export async function readBackupFile<T>(path: string, read: (file: DiskFile) => Promise<T>): Promise<T> {
  let file: DiskFile | undefined
  try {
    file = await createNodeDisk(dirname(resolve(path))).open(basename(path))
    return await read(file)
  } catch (error) {
    if (error instanceof BackupDamagedError || error instanceof NewerFormatError) {
      throw new CommandError(`${path}: ${error.message}`, { cause: error })
    }
    if (systemCode(error) === 'ENOENT') throw new CommandError(`there is no file ${path}`, { cause: error })
    throw file === undefined ? fileFailure(error, path, 'be read') : error
  } finally {
    await file?.close()
  }
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  if (force) return
  try {
    await stat(path)
  } catch {
    // Not there; or it cannot be looked at, and the write will say why.
    return
  }
  throw new CommandError(`${path} is there already`, {
    hints: ['Choose another name with --to, or write over it with --force.'],
  })
}
