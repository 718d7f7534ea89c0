/** The names every answer carries: the request's and the gateway's. */
import type { Random } from '../../runtime/ports/random.ts'

/** Bytes drawn from the source at once: one call for 256 requests. */
const POOL_BYTES = 2048

const ID_BYTES = 8

export interface Identity {
  /** A new request id: 16 upper-case hexadecimal digits, as S3's. */
  readonly nextRequestId: () => string
  /** The gateway's own id, made once at start and sent as `x-amz-id-2`. */
  readonly hostId: string
}

export function createIdentity(random: Random): Identity {
  let pool = Buffer.alloc(0)
  let offset = 0
  return {
    hostId: Buffer.from(random.bytes(48)).toString('base64'),
    nextRequestId() {
      if (offset >= pool.length) {
        pool = Buffer.from(random.bytes(POOL_BYTES))
        offset = 0
      }
      const id = pool.toString('hex', offset, offset + ID_BYTES).toUpperCase()
      offset += ID_BYTES
      return id
    },
  }
}
