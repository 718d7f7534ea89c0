import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CONFIG_FILE_BYTES_MAX } from '../../core/limits.ts'
import { CommandError, systemCode } from '../failure.ts'

/** Only the owner may read what lies in a data folder. */
const PRIVATE_FOLDER = 0o700
const PRIVATE_FILE = 0o600

/**
 * Makes a folder that only its owner can enter, with its parents. One that exists keeps its content and loses the
 * rights of others.
 * @throws {CommandError} it cannot be made or is no folder
 */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER })
    await chmod(path, PRIVATE_FOLDER)
    if (made !== undefined) await syncNames(path, made)
  } catch (error) {
    throw fileFailure(error, path, 'be written to')
  }
}

/** Makes the names of new folders durable: of `path`, and of its parents up to `first`, the first that was not there. */
async function syncNames(path: string, first: string): Promise<void> {
  const top = dirname(resolve(first))
  let folder = resolve(path)
  do {
    folder = dirname(folder)
    await syncFolder(folder)
  } while (folder !== top && folder !== dirname(folder))
}

/**
 * Replaces a file by new content: readers see the old or the new whole, also after a crash. Readable by its owner only.
 * @throws {CommandError} it cannot be written
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const file = await open(temporary, 'wx', PRIVATE_FILE)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileFailure(error, path, 'be written')
  }
}

/**
 * The content of a small file, or undefined if there is none.
 * @throws {CommandError} it cannot be read, or is larger than any such file
 */
export async function readSmallFile(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length <= CONFIG_FILE_BYTES_MAX) return text
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw fileFailure(error, path, 'be read')
  }
  throw new CommandError(`${path} is larger than ${CONFIG_FILE_BYTES_MAX} bytes, which no such file is`)
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a file of that name is in the way',
  EISDIR: 'a folder of that name is in the way',
}

/** A system error as a sentence that names the file. */
export function fileFailure(error: unknown, path: string, deed: string): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  return new CommandError(`${path} cannot ${deed}: ${reasons[code] ?? code}`, { cause: error })
}
