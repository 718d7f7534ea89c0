/**
 * XXH3 of 128 bits with seed 0, as a running digest, in WebAssembly SIMD: @node-rs/xxhash computes it only of an input
 * at hand. Inputs of up to 240 bytes have formulas of their own, and are at hand by then: those are left to the library.
 *
 * Source: xxHash's specification (doc/xxhash_spec.md of github.com/Cyan4973/xxHash), "XXH3 Algorithm Overview", "XXH3
 * Long Input Hashing" for inputs above 240 bytes.
 *
 * The bytes of the digest are the canonical form, big-endian with the high half first, as the AWS SDKs send it
 * (`aws_xxhash3_128_compute` of github.com/awslabs/aws-checksums).
 */
import { xxh3 } from '@node-rs/xxhash'
import { createXxh3Kernel, XXH3_BLOCK_BYTES, XXH3_SECRET, XXH3_STRIPE_BYTES } from './xxh3-kernel.ts'

const SHORT_BYTES_MAX = 240
const MASK64 = 0xffffffffffffffffn
const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME_MX1 = 0x165667919e3779f9n

const PRIME32_1 = 0x9e3779b1n
const PRIME32_2 = 0x85ebca77n
const PRIME32_3 = 0xc2b2ae3dn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME64_4 = 0x85ebca77c2b2ae63n
const PRIME64_5 = 0x27d4eb2f165667c5n

/** The accumulators before the first stripe. */
const initial = new Uint8Array(
  BigUint64Array.of(PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1)
    .buffer,
)

/** Where in the secret the last stripe and the two halves of the result begin. */
const SECRET_OF_LAST_STRIPE = XXH3_SECRET.length - XXH3_STRIPE_BYTES - 7
const SECRET_OF_LOW = 11
const SECRET_OF_HIGH = XXH3_SECRET.length - XXH3_STRIPE_BYTES - 11

/** The last stripe may reach back into what was consumed: that much is kept in front of what was not. */
const HISTORY = XXH3_STRIPE_BYTES

/** One thread, one kernel: an update never yields. */
let kernel: ReturnType<typeof createXxh3Kernel> | undefined

/** A running XXH128; `digest` gives the sixteen bytes of what has been seen so far. */
export class Xxh128 {
  readonly #accumulators = initial.slice()
  /** The last stripe consumed, then what waits: a block is consumed only when more is known to come after it. */
  readonly #held = new Uint8Array(HISTORY + XXH3_BLOCK_BYTES)
  #waiting = 0
  #total = 0

  update(bytes: Uint8Array): void {
    kernel ??= createXxh3Kernel()
    const room = kernel.input.length - HISTORY - XXH3_BLOCK_BYTES
    for (let at = 0; at < bytes.byteLength; at += room) this.#take(kernel, bytes.subarray(at, at + room))
  }

  digest(): Uint8Array {
    const result = new Uint8Array(16)
    const view = new DataView(result.buffer)
    const hash = this.#total <= SHORT_BYTES_MAX ? this.#short() : this.#long()
    view.setBigUint64(0, hash >> 64n)
    view.setBigUint64(8, hash & MASK64)
    return result
  }

  #take(
    { input, accumulators, consumeBlocks }: ReturnType<typeof createXxh3Kernel>,
    piece: Uint8Array,
  ): void {
    this.#total += piece.byteLength
    const filled = this.#waiting + piece.byteLength
    if (filled <= XXH3_BLOCK_BYTES) {
      this.#held.set(piece, HISTORY + this.#waiting)
      this.#waiting = filled
      return
    }
    input.set(this.#held.subarray(0, HISTORY + this.#waiting))
    input.set(piece, HISTORY + this.#waiting)
    const blocks = Math.floor((filled - 1) / XXH3_BLOCK_BYTES)
    accumulators.set(this.#accumulators)
    consumeBlocks(HISTORY, blocks)
    this.#accumulators.set(accumulators)
    const consumed = blocks * XXH3_BLOCK_BYTES
    this.#waiting = filled - consumed
    this.#held.set(input.subarray(consumed, HISTORY + filled))
  }

  #short(): bigint {
    return xxh3.xxh128(this.#held.subarray(HISTORY, HISTORY + this.#total))
  }

  #long(): bigint {
    kernel ??= createXxh3Kernel()
    const { input, accumulators, consumeStripes } = kernel
    input.set(this.#held.subarray(0, HISTORY + this.#waiting))
    accumulators.set(this.#accumulators)
    consumeStripes(HISTORY, 0, Math.floor((this.#waiting - 1) / XXH3_STRIPE_BYTES))
    consumeStripes(HISTORY + this.#waiting - XXH3_STRIPE_BYTES, SECRET_OF_LAST_STRIPE, 1)
    const sums = wordsOf(accumulators)
    const total = BigInt(this.#total)
    const low = merge(sums, SECRET_OF_LOW, (total * PRIME64_1) & MASK64)
    const high = merge(sums, SECRET_OF_HIGH, ~(total * PRIME64_2) & MASK64)
    return (high << 64n) | low
  }
}

/** Half of the result: the accumulators in pairs, each pair multiplied and folded, then avalanched. */
function merge(sums: readonly bigint[], secretAt: number, start: bigint): bigint {
  const secret = wordsOf(XXH3_SECRET.subarray(secretAt, secretAt + XXH3_STRIPE_BYTES))
  let sum = start
  for (let i = 0; i < sums.length; i += 2) {
    const product = word(sums, i, secret) * word(sums, i + 1, secret)
    sum += (product & MASK64) ^ (product >> 64n)
  }
  sum &= MASK64
  sum ^= sum >> 37n
  sum = (sum * PRIME_MX1) & MASK64
  return sum ^ (sum >> 32n)
}

const word = (sums: readonly bigint[], i: number, secret: readonly bigint[]): bigint =>
  (sums[i] ?? 0n) ^ (secret[i] ?? 0n)

/** Little-endian words of 64 bits. */
function wordsOf(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, i) => view.getBigUint64(i * 8, true))
}
