/**
 * The bytes of the benchmark's objects: views of one random block over and over, so that making and comparing them costs
 * a pass of memcmp and no more. Its length is a prime, so no two stripes or shards of an object are alike, and every
 * object begins elsewhere in it: what is swapped, shifted or of another object does not compare equal.
 */
import { createCipheriv } from 'node:crypto'

const PERIOD = 8_388_593

const block = createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16)).update(
  Buffer.alloc(PERIOD),
)

/** Pieces handed to a socket; few, and no larger than what it takes at once. */
const PIECE_BYTES = 1024 * 1024

/** Where object `number` begins in the block. */
function phaseOf(number: number): number {
  return (number * 104_729) % PERIOD
}

/** Bytes `[start, start + size)` of object `number`. */
export function* contentOf(number: number, size: number, start = 0): Generator<Buffer> {
  let at = (phaseOf(number) + start) % PERIOD
  for (let left = size; left > 0;) {
    const piece = block.subarray(at, Math.min(at + left, at + PIECE_BYTES))
    yield piece
    left -= piece.byteLength
    at = (at + piece.byteLength) % PERIOD
  }
}

/** Holds what arrives against object `number`. */
export class ContentCheck {
  readonly #number: number
  readonly #size: number
  #seen = 0

  constructor(number: number, size: number) {
    this.#number = number
    this.#size = size
  }

  /** @throws Error at the first byte that differs */
  take(piece: Buffer): void {
    for (let from = 0; from < piece.byteLength;) {
      const at = (phaseOf(this.#number) + this.#seen) % PERIOD
      const bytes = Math.min(piece.byteLength - from, PERIOD - at)
      if (block.compare(piece, from, from + bytes, at, at + bytes) !== 0) {
        throw new Error(`object ${this.#number} came back wrong after byte ${this.#seen}`)
      }
      from += bytes
      this.#seen += bytes
    }
  }

  /** @throws Error unless all of it came */
  end(): void {
    if (this.#seen === this.#size) return
    throw new Error(`object ${this.#number}: ${this.#seen} of ${this.#size} bytes`)
  }
}
