/** The bytes of a content, poured into memory of our choosing: the only copy on their way from the socket to the nodes. */

import { StoreError } from '../api.ts'
import type { Content } from '../api.ts'
import type { Scope } from '../scope.ts'

export class ContentReader {
  readonly #size: number
  readonly #atMost: boolean
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #scope: Scope
  /** What came and is not yet poured. */
  #chunk: Uint8Array = new Uint8Array(0)
  #taken = 0
  #done = false
  #rejectPending: ((error: Error) => void) | undefined
  readonly #forget: () => void

  constructor({ size, atMost, bytes }: Pick<Content, 'size' | 'atMost' | 'bytes'>, scope: Scope) {
    this.#size = size
    this.#atMost = atMost === true
    this.#iterator = bytes[Symbol.asyncIterator]()
    this.#scope = scope
    this.#forget = scope.onAbort(() => {
      this.#rejectPending?.(scope.reason ?? new Error('aborted'))
    })
  }

  /** Bytes poured so far. */
  get taken(): number {
    return this.#taken
  }

  /** True when nothing is left. */
  get ended(): boolean {
    return this.#done && this.#chunk.byteLength === 0
  }

  /** Waits for some bytes to be there, or the end. */
  async ready(): Promise<void> {
    while (this.#chunk.byteLength === 0 && !this.#done) await this.#pull()
  }

  /**
   * Fills `target`, or as much of it as there is when the size is but a bound.
   * @throws {StoreError} `size-mismatch` when the content ends before its size
   */
  async pourInto(target: Uint8Array): Promise<void> {
    let at = 0
    while (at < target.byteLength) {
      if (this.#chunk.byteLength === 0) {
        if (this.#done && this.#atMost) return
        if (this.#done) throw this.#mismatch(`ended after ${this.#taken}`)
        await this.#pull()
        continue
      }
      const room = target.byteLength - at
      const piece = this.#chunk.byteLength <= room ? this.#chunk : this.#chunk.subarray(0, room)
      target.set(piece, at)
      at += piece.byteLength
      this.#taken += piece.byteLength
      this.#chunk = this.#chunk.subarray(piece.byteLength)
    }
  }

  /** Makes sure that nothing follows, which also lets the source check what it checks at its end. */
  async end(): Promise<void> {
    while (!this.#done) {
      if (this.#chunk.byteLength > 0) throw this.#mismatch('went on')
      await this.#pull()
    }
    if (this.#chunk.byteLength > 0) throw this.#mismatch('went on')
    this.#forget()
  }

  /** Tells the source that no more is wanted. Does not wait: a source that hangs would hang this too. */
  abandon(): void {
    this.#forget()
    if (this.#done) return
    this.#done = true
    try {
      this.#iterator.return?.().catch(() => undefined)
    } catch {
      // A source that cannot even be ended has nothing more to say.
    }
  }

  #pull(): Promise<void> {
    this.#scope.throwIfAborted()
    return new Promise((resolve, reject) => {
      this.#rejectPending = reject
      this.#iterator.next().then(
        ({ done, value }) => {
          this.#rejectPending = undefined
          if (done === true) this.#done = true
          else this.#chunk = value
          resolve()
        },
        (error: unknown) => {
          this.#rejectPending = undefined
          this.#done = true
          reject(error instanceof Error ? error : new Error('the content failed', { cause: error }))
        },
      )
    })
  }

  #mismatch(what: string): StoreError {
    return new StoreError('size-mismatch', `the content was to be ${this.#size} bytes and ${what}`)
  }
}
