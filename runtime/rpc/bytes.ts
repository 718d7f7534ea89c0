/** Messages of the shard protocol field by field: little-endian, every field checked at both ends. */
import { ShardError } from '../../proto/shard-transport.ts'

const FIRST_BYTES = 128

function demand(holds: boolean, what: string): void {
  if (!holds) throw new ShardError('invalid', what)
}

/** @throws {ShardError} `invalid` for a value that does not fit its field. */
export class ByteWriter {
  #bytes: Buffer
  #at: number

  /** @param reserved bytes left free at the start, for a header that is written last */
  constructor(reserved = 0) {
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES)
    this.#at = reserved
  }

  uint(value: number, bytes: 1 | 2 | 4, what: string): this {
    demand(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * bytes), `${what} is ${value}`)
    this.#reserve(bytes)
    this.#at = this.#bytes.writeUIntLE(value, this.#at, bytes)
    return this
  }

  /** A whole number up to 2⁵³. */
  safe(value: number, what: string): this {
    demand(Number.isSafeInteger(value) && value >= 0, `${what} is ${value}`)
    this.#reserve(8)
    this.#at = this.#bytes.writeUInt32LE(value % 2 ** 32, this.#at)
    this.#at = this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.#at)
    return this
  }

  /** 128 bits as 32 lower-case hex digits. */
  id(value: string, what: string): this {
    demand(/^[0-9a-f]{32}$/.test(value), `${what} is not 32 lower-case hex digits`)
    this.#reserve(16)
    this.#at += this.#bytes.write(value, this.#at, 'hex')
    return this
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array, what: string): this {
    this.uint(value.byteLength, 2, `the length of ${what}`)
    this.#reserve(value.byteLength)
    this.#bytes.set(value, this.#at)
    this.#at += value.byteLength
    return this
  }

  text(value: string, what: string): this {
    return this.bytes(Buffer.from(value), what)
  }

  uint32s(values: Uint32Array, what: string): this {
    this.uint(values.length, 2, `the length of ${what}`)
    for (const value of values) this.uint(value, 4, what)
    return this
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.byteLength) return
    const larger = Buffer.allocUnsafe(Math.max(this.#at + bytes, 2 * this.#bytes.byteLength))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** @throws {ShardError} `invalid` when the message ends too early, or (`end`) too late. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  uint(bytes: 1 | 2 | 4): number {
    return this.#bytes.readUIntLE(this.#take(bytes), bytes)
  }

  safe(): number {
    const at = this.#take(8)
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32
    demand(Number.isSafeInteger(value), 'a number is larger than 2⁵³')
    return value
  }

  id(): string {
    const at = this.#take(16)
    return this.#bytes.toString('hex', at, at + 16)
  }

  /** A view into the message, valid as long as it is. */
  bytes(): Buffer {
    const length = this.uint(2)
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  text(): string {
    return this.bytes().toString('utf8')
  }

  uint32s(): Uint32Array {
    const values = new Uint32Array(this.uint(2))
    demand(this.#at + 4 * values.length <= this.#bytes.byteLength, 'the message is too short')
    for (let i = 0; i < values.length; i++) values[i] = this.uint(4)
    return values
  }

  end(): void {
    demand(this.#at === this.#bytes.byteLength, 'the message is too long')
  }

  #take(bytes: number): number {
    const at = this.#at
    demand(at + bytes <= this.#bytes.byteLength, 'the message is too short')
    this.#at = at + bytes
    return at
  }
}
