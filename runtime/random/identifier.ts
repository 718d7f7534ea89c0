import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'

const TIME_DIGITS = 12
const RANDOM_BYTES = 10

/**
 * A new 128-bit id for a blob, a version or an upload: 48 bits of Unix milliseconds, then 80 random bits, as 32
 * lower-case hex digits. Ids sort by the time they were made (to the millisecond).
 */
export function newIdentifier(clock: Clock, random: Random): string {
  const time = clock.nowMs().toString(16).padStart(TIME_DIGITS, '0')
  return time + Buffer.from(random.bytes(RANDOM_BYTES)).toString('hex')
}
