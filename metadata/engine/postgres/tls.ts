import type { ConnectionOptions } from 'node:tls'
import { EngineOpenError } from '../engine.ts'
import type { PostgresTarget } from './url.ts'

/** What the driver is given for TLS; false: none. */
export type Tls = false | ConnectionOptions

type Files = Pick<PostgresTarget, 'sslMode' | 'sslRootCert' | 'sslCert' | 'sslKey'>

/**
 * What libpq's `sslmode` means: `prefer` and `require` encrypt and trust whoever answers, `verify-ca` wants a certificate of
 * the given authority, `verify-full` also the host's own name in it.
 * @throws {EngineOpenError} a file cannot be read
 */
export async function tlsOf(
  { sslMode, sslRootCert, sslCert, sslKey }: Files,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<Tls> {
  if (sslMode === 'disable') return false
  const read = async (path: string): Promise<Buffer> => {
    try {
      return Buffer.from(await readFile(path))
    } catch (error) {
      throw new EngineOpenError(`cannot read ${path}, which the URL of PostgreSQL names`, { cause: error })
    }
  }
  const options: ConnectionOptions = {
    rejectUnauthorized: sslMode === 'verify-ca' || sslMode === 'verify-full',
  }
  // `system`: the authorities that Node comes with.
  if (sslRootCert !== undefined && sslRootCert !== 'system') options.ca = await read(sslRootCert)
  if (sslCert !== undefined) options.cert = await read(sslCert)
  if (sslKey !== undefined) options.key = await read(sslKey)
  if (sslMode === 'verify-ca') options.checkServerIdentity = () => undefined
  return options
}
