import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { parseAccounts, type AccountConfig } from '../../runtime/config/accounts.ts'
import { CommandError } from '../failure.ts'
import { fileFailure, readSmallFile } from './files.ts'

/** Rights of group and others. */
const NOT_PRIVATE = 0o077
/** Those to write. */
const WRITABLE = 0o022

/**
 * The accounts of a file, which must be private to its owner, for it holds secrets. Of a file that is somebody else's, who may read it is
 * its owner's affair: secrets that are mounted into a container belong to root, and are there to be read by the service's user.
 * @throws {CommandError} it is not there, cannot be read, or others may read or change it
 * @throws {ConfigError} what it holds breaks a rule
 */
export async function readAccounts(path: string): Promise<readonly AccountConfig[]> {
  const text = await readSmallFile(path)
  if (text === undefined) throw new CommandError(`${path}: no such file`)
  const { mode, uid } = await statOf(path)
  const forbidden = uid === process.getuid?.() ? NOT_PRIVATE : WRITABLE
  if ((mode & forbidden) !== 0) {
    throw new CommandError(`${path} holds secrets, and others than its owner may read or change it`, {
      hints: [`chmod 600 ${path}`],
    })
  }
  return parseAccounts(text, path)
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (error) {
    throw fileFailure(error, path, 'be read')
  }
}
