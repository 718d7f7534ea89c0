import { randomBytes } from 'node:crypto'
import type { Kind } from './counter.ts'

/** Keys that are read, of all prefixes together; they are written first. */
const READ_KEYS = 256

/** The keys of a load on some prefixes: names at random, so that each range of a prefix can be cut. */
export class Keys {
  readonly #prefixes: number
  readonly #next: Record<Kind, number> = { writes: 0, reads: 0 }

  constructor(prefixes: number) {
    this.#prefixes = prefixes
  }

  /** All that are read. */
  get read(): readonly string[] {
    return Array.from({ length: READ_KEYS }, (_, index) => keyOf(index % this.#prefixes, nameOf(index)))
  }

  /** The key of the next request: the prefixes in turn, so that each gets the same. */
  next(kind: Kind): string {
    const at = this.#next[kind]++
    const prefix = at % this.#prefixes
    if (kind === 'writes') return keyOf(prefix, randomBytes(4).toString('hex'))
    const ofPrefix = Math.floor(READ_KEYS / this.#prefixes)
    return keyOf(prefix, nameOf(prefix + this.#prefixes * Math.floor(Math.random() * ofPrefix)))
  }
}

/** The prefix of a number from 0 on. */
export function prefixOf(number: number): string {
  return `prefix-${number}/`
}

function keyOf(prefix: number, name: string): string {
  return `${prefixOf(prefix)}${name}.jpg`
}

/** Spread evenly, and the same each time. */
function nameOf(index: number): string {
  return ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')
}
