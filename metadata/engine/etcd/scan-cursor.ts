import { compareBytes, next } from '../../../core/keyspace/bytes.ts'
import type { EngineEntry, ScanRequest } from '../engine.ts'
import type { Signposts } from './signposts.ts'

/** A piece of a scan that one request asks for. */
export interface Stretch {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
  readonly limit: number
}

/** Where a scan stands: what it has found, and which stretch of the range is next. Pure. */
export class ScanCursor {
  readonly entries: EngineEntry[] = []
  readonly reverse: boolean
  readonly #request: ScanRequest
  readonly #signposts: Pick<Signposts, 'after' | 'before'>
  /** What is left of the range. */
  #gte: Uint8Array
  #lt: Uint8Array
  /** Entries that the next stretch should hold: doubled when the one before held too few. */
  #wanted: number
  /** Entries of one answer: halved when an answer was too large. */
  #page: number

  constructor(request: ScanRequest, signposts: Pick<Signposts, 'after' | 'before'>) {
    this.#request = request
    this.#signposts = signposts
    this.reverse = request.reverse === true
    this.#gte = request.gte
    this.#lt = request.lt
    this.#wanted = request.limit
    this.#page = request.limit
  }

  /** Undefined when the scan is done. */
  get stretch(): Stretch | undefined {
    const left = this.#request.limit - this.entries.length
    if (left <= 0 || compareBytes(this.#gte, this.#lt) >= 0) return undefined
    const rest = { gte: this.#gte, lt: this.#lt }
    return {
      gte: this.reverse ? this.#signposts.before(rest, this.#wanted) : this.#gte,
      lt: this.reverse ? this.#lt : this.#signposts.after(rest, this.#wanted),
      limit: Math.min(left, this.#page),
    }
  }

  /** What a stretch held, in the scan's direction; `more`: it holds more than its limit. */
  took(stretch: Stretch, found: readonly EngineEntry[], more: boolean): void {
    this.entries.push(...found)
    const last = found.at(-1)
    if (more && last !== undefined) {
      if (this.reverse) this.#lt = last.key
      else this.#gte = next(last.key)
      return
    }
    if (this.reverse) this.#lt = stretch.gte
    else this.#gte = stretch.lt
    this.#wanted *= 2
  }

  /** The answer was too large. Whether a smaller one may do. */
  halve(): boolean {
    if (this.#page <= 1) return false
    this.#page = Math.ceil(this.#page / 2)
    return true
  }
}
