import type { Random } from '../../runtime/ports/random.ts'
import { CommandError } from '../failure.ts'
import { readSmallFile, writePrivateFile } from './files.ts'

const SECRET_BYTES = 32

/** The secret that the services of a cluster know each other by: 256 bits in hex. */
function newSecret(random: Random): string {
  return Buffer.from(random.bytes(SECRET_BYTES)).toString('hex')
}

/**
 * The secret in a file: 64 hex digits, or any other text of at least 32 characters on one line.
 * @throws {CommandError} no such file, or nothing in it that could be a secret
 */
export async function readSecret(path: string): Promise<string> {
  const text = (await readSmallFile(path))?.trim()
  if (text === undefined) {
    throw new CommandError(`${path}: no such file`, {
      hints: ["It holds the cluster's secret: copy it from the machine the cluster was made on."],
    })
  }
  if (/^[\x21-\x7e]{32,}$/.test(text)) return text
  throw new CommandError(`${path} holds no secret: expected one line of 32 or more printable characters`)
}

/** The secret in a file, made if there is none. */
export async function readOrMakeSecret(path: string, random: Random): Promise<string> {
  if ((await readSmallFile(path)) === undefined) await writePrivateFile(path, `${newSecret(random)}\n`)
  return await readSecret(path)
}
