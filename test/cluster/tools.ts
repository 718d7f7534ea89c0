import { execFile } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import type { Cluster } from './harness.ts'
import { contentOf } from './load.ts'

/** Programs of this machine that speak S3, and files for them. */

const execute = promisify(execFile)

/** Bytes of a program's output that are kept: a sync of thousands of files says a line for each. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** Runs a program to its end. @throws with its stderr when it fails */
export async function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, ...environment }
  const { stdout } = await execute(program, args, { env, maxBuffer: OUTPUT_BYTES_MAX })
  return stdout
}

/** What the AWS command line needs to speak to a gateway; nothing of the machine's own configuration. */
export function awsEnvironment(cluster: Cluster, gateway = 0): Record<string, string> {
  const { accessKeyId, secretAccessKey } = cluster.credentials
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: cluster.endpoints[gateway] ?? '',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}

/**
 * Why a test that needs a program is skipped; false when the program is there.
 * @param version how it is asked for its version
 */
export async function missing(program: string, version = '--version'): Promise<string | false> {
  try {
    await run(program, [version])
    return false
  } catch {
    return `${program} is not installed`
  }
}

const PIECE = 8 * 1024 * 1024

/** Writes a file of bytes that follow from its name, in pieces. */
export async function makeFile(path: string, name: string, size: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  try {
    for (let offset = 0; offset < size; offset += PIECE) {
      await file.write(contentOf({ name: `${name}@${offset}`, size: Math.min(PIECE, size - offset) }))
    }
  } finally {
    await file.close()
  }
}

/** A tree of small files of many sizes, some empty, with names that need encoding. */
export async function makeTree(folder: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const name = `${n % 7}/${n % 3 === 0 ? 'with space' : 'plus+and=ü'}/${n}.bin`
    await makeFile(join(folder, name), name, n % 10 === 0 ? 0 : (n * 977) % 50_000)
  }
}

/** SHA-256 of a file, in hex. */
export async function digestOf(path: string): Promise<string> {
  const hash: Hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** The digest of every file below a folder, by its path there. */
export async function digestsOf(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const digests = new Map<string, string>()
  for (const path of paths.sort()) digests.set(path.slice(folder.length + 1), await digestOf(path))
  return digests
}
