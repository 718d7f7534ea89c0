import { KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import type { Engine, EngineEntry } from '../engine/engine.ts'

/**
 * Numbers of a partition that only grow, across restarts too: they are reserved in blocks ahead of use, and a new owner
 * starts at the end of the last block. What is left of a block is skipped.
 */
export class Sequence {
  readonly #key: Uint8Array
  readonly #block: number
  #next: number
  /** Numbers below this are reserved by a put that is durable, or in line before whatever uses them. */
  #reserved: number

  private constructor(key: Uint8Array, block: number, first: number) {
    this.#key = key
    this.#block = block
    this.#next = first
    this.#reserved = first
  }

  /** Reads where the numbers stand; the first ever is 1. @param block numbers reserved by one write */
  static async open(engine: Engine, key: Uint8Array, block: number): Promise<Sequence> {
    const reserved = await engine.get(key)
    return new Sequence(key, block, reserved === undefined ? 1 : new KeyReader(reserved).number(8))
  }

  /** The next number, `1 ≤ n < 2^53`, for a change that goes in line together with {@link reservation}. */
  take(): number {
    return this.#next++
  }

  /** No number from here on was taken, or ever will be by who takes no more. */
  get end(): number {
    return Math.max(this.#next, this.#reserved)
  }

  /** From now on numbers are `least` or more; {@link reservation} makes it last. */
  raise(least: number): void {
    this.#next = Math.max(this.#next, least)
  }

  /** The put, and what to call when it is in line, if the numbers taken go beyond what is reserved. */
  reservation(): { readonly put: EngineEntry; readonly inLine: () => void } | undefined {
    if (this.#next <= this.#reserved) return undefined
    const reserved = this.#next + this.#block
    return {
      put: { key: this.#key, value: reserveValue(reserved) },
      inLine: () => {
        this.#reserved = reserved
      },
    }
  }
}

/** What {@link Sequence} keeps. The first byte stands where a key has its space, and is 1: the value's own format. */
export function reserveValue(sequence: number): Uint8Array {
  return new KeyWriter(1).number(sequence, 8).bytes()
}
