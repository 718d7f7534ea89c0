import { stat } from 'node:fs/promises'
import { parseAccounts, type AccountConfig } from '../../runtime/config/accounts.ts'
import { CommandError } from '../failure.ts'
import { fileFailure, readSmallFile } from './files.ts'

/** Rights of group and others. */
const NOT_PRIVATE = 0o077

/**
 * The accounts of a file, which must be private to its owner, for it holds secrets.
 * @throws {CommandError} it is not there, cannot be read, or others may read it
 * @throws {ConfigError} what it holds breaks a rule
 */
export async function readAccounts(path: string): Promise<readonly AccountConfig[]> {
  const text = await readSmallFile(path)
  if (text === undefined) throw new CommandError(`${path}: no such file`)
  const mode = await modeOf(path)
  if ((mode & NOT_PRIVATE) !== 0) {
    throw new CommandError(`${path} holds secrets, and others than its owner may read or change it`, {
      hints: [`chmod 600 ${path}`],
    })
  }
  return parseAccounts(text, path)
}

async function modeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mode
  } catch (error) {
    throw fileFailure(error, path, 'be read')
  }
}
