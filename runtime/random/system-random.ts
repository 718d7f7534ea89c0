import { randomBytes, randomFillSync } from 'node:crypto'
import type { Random } from '../ports/random.ts'

/** Bytes fetched at once: a call into the generator costs a microsecond, whether for ten bytes or for thousands. */
const POOL_BYTES = 4096

/** Requests above this go to the generator themselves. */
const POOLED_BYTES_MAX = 64

const pool = new Uint8Array(POOL_BYTES)
let used = POOL_BYTES

/** The operating system's generator. No byte is handed out twice, or kept once it was handed out. */
export const systemRandom: Random = {
  bytes(length) {
    if (length > POOLED_BYTES_MAX) return randomBytes(length)
    if (used + length > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    const taken = pool.slice(used, used + length)
    pool.fill(0, used, used + length)
    used += length
    return taken
  },
}
