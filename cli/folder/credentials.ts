import { z } from 'zod'
import { accessKeyId, secretAccessKey } from '../../runtime/config/fields.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import { readSmallFile, writePrivateFile } from './files.ts'

/** The root account's key pair. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const ACCESS_KEY_VARIABLE = 'ASHLAR_ROOT_ACCESS_KEY'
export const SECRET_KEY_VARIABLE = 'ASHLAR_ROOT_SECRET_KEY'

const credentialsFile = z.looseObject({ accessKeyId, secretAccessKey })

const ACCESS_KEY_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const SECRET_KEY_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** A key pair in the form of AWS's: 20 characters and 40. The secret has 240 bits of chance. */
export function newCredentials(random: Random): Credentials {
  return {
    accessKeyId: `ASHL${letters(random, ACCESS_KEY_CHARACTERS, 16)}`,
    secretAccessKey: letters(random, SECRET_KEY_CHARACTERS, 40),
  }
}

/** Every alphabet here has a power of two of characters, so that the remainder is fair. */
function letters(random: Random, alphabet: string, length: number): string {
  return Array.from(random.bytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join('')
}

/**
 * The key pair given in the environment, or undefined if neither variable is set.
 * @throws {CommandError} one without the other, or one that breaks the rules of such keys. Never shows a secret.
 */
export function credentialsFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Credentials | undefined {
  const access = environment[ACCESS_KEY_VARIABLE]
  const secret = environment[SECRET_KEY_VARIABLE]
  if (access === undefined && secret === undefined) return undefined
  if (access === undefined || secret === undefined) {
    const missing = access === undefined ? ACCESS_KEY_VARIABLE : SECRET_KEY_VARIABLE
    throw new CommandError(`${missing} is not set: give both halves of the root key pair, or neither`, {
      exitCode: EXIT_USAGE,
    })
  }
  for (const [variable, schema, value] of [
    [ACCESS_KEY_VARIABLE, accessKeyId, access],
    [SECRET_KEY_VARIABLE, secretAccessKey, secret],
  ] as const) {
    const result = schema.safeParse(value)
    if (result.success) continue
    throw new CommandError(`${variable}: ${result.error.issues[0]?.message ?? 'invalid'}`, {
      exitCode: EXIT_USAGE,
    })
  }
  return { accessKeyId: access, secretAccessKey: secret }
}

/**
 * The key pair in a file, or undefined if there is no such file.
 * @throws {CommandError} it cannot be read or holds no key pair
 */
export async function readCredentials(path: string): Promise<Credentials | undefined> {
  const text = await readSmallFile(path)
  if (text === undefined) return undefined
  const result = credentialsFile.safeParse(parsed(text))
  if (result.success) {
    const { accessKeyId: id, secretAccessKey: secret } = result.data
    return { accessKeyId: id, secretAccessKey: secret }
  }
  throw new CommandError(
    `${path} holds no credentials: expected {"accessKeyId": "…", "secretAccessKey": "…"}`,
  )
}

export async function writeCredentials(path: string, credentials: Credentials): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(credentials, null, 2)}\n`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
