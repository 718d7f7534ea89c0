import { writeUtf8 } from './utf8.ts'

/** Byte strings that sort as what they were made of, in the manner of FoundationDB's tuple layer. */

/** Keys `gte ≤ key < lt`. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** What {@link KeyWriter.text} writes after its text, and for a NUL in it: 0x00 0x01 sorts before 0x00 0xff. */
const TERMINATOR = 0x01
const ESCAPED_NUL = 0xff

/** Builds one key from its parts. */
export class KeyWriter {
  #bytes = new Uint8Array(64)
  #length = 0

  constructor(space: number) {
    this.#bytes[this.#length++] = space
  }

  /** A text that something follows: NUL is escaped and the end marked, so that a shorter text sorts first. */
  text(value: string): this {
    return this.openText(value).#two(0x00, TERMINATOR)
  }

  /** The start of a text that something follows: the prefix of every {@link text} that starts so. */
  openText(value: string): this {
    if (!value.includes('\0')) return this.rest(value)
    const pieces = value.split('\0')
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) this.#two(0x00, ESCAPED_NUL)
      this.rest(piece)
    }
    return this
  }

  /** A text that ends the key: its plain UTF-8. */
  rest(value: string): this {
    this.#reserve(value.length * 3)
    this.#length = writeUtf8(value, this.#bytes, this.#length)
    return this
  }

  /** A whole number `0 ≤ value < 2^53`, in `width` bytes, most significant first. */
  number(value: number, width: 2 | 4 | 8): this {
    this.#reserve(width)
    let rest = value
    for (let at = this.#length + width - 1; at >= this.#length; at--) {
      this.#bytes[at] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.#length += width
    return this
  }

  /** A whole number `0 ≤ value < 2^64` in 8 bytes, such that the larger sorts first. */
  descending(value: bigint): this {
    this.#reserve(8)
    let rest = BigInt.asUintN(64, ~value)
    for (let at = this.#length + 7; at >= this.#length; at--) {
      this.#bytes[at] = Number(rest & 0xffn)
      rest >>= 8n
    }
    this.#length += 8
    return this
  }

  /** The key. Nothing is written after it: it is the very memory that was written to. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #two(first: number, second: number): this {
    this.#reserve(2)
    this.#bytes[this.#length++] = first
    this.#bytes[this.#length++] = second
    return this
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** Reads a key back, part by part, as {@link KeyWriter} wrote it. */
export class KeyReader {
  readonly #bytes: Uint8Array
  #at = 1

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The bytes of one {@link KeyWriter.text}, NULs restored. */
  text(): Uint8Array {
    const text: number[] = []
    while (this.#at < this.#bytes.length) {
      const byte = this.#bytes[this.#at++] ?? 0
      if (byte !== 0) text.push(byte)
      else if (this.#bytes[this.#at++] === ESCAPED_NUL) text.push(0)
      else break
    }
    return Uint8Array.from(text)
  }

  number(width: 2 | 4 | 8): number {
    let value = 0
    for (let index = 0; index < width; index++) value = value * 256 + (this.#bytes[this.#at++] ?? 0)
    return value
  }

  /** What {@link KeyWriter.descending} wrote. */
  descending(): bigint {
    let value = 0n
    for (let index = 0; index < 8; index++) value = (value << 8n) | BigInt(this.#bytes[this.#at++] ?? 0)
    return BigInt.asUintN(64, ~value)
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }
}

/** The first key that sorts after every key that starts with `prefix`. */
export function successor(prefix: Uint8Array): Uint8Array {
  let end = prefix.length
  while (end > 0 && prefix[end - 1] === 0xff) end--
  if (end === 0) throw new RangeError('nothing sorts after a prefix of 0xff only')
  const after = prefix.slice(0, end)
  after[end - 1] = (after[end - 1] ?? 0) + 1
  return after
}

/** The first key that sorts after `key` itself. */
export function next(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1)
  after.set(key)
  return after
}

/** Every key that starts with `prefix`. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  return { gte: prefix, lt: successor(prefix) }
}

export function isWithin({ gte, lt }: KeyRange, key: Uint8Array): boolean {
  return compareBytes(gte, key) <= 0 && compareBytes(key, lt) < 0
}

/** Order of keys: byte by byte, a shorter one first. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
