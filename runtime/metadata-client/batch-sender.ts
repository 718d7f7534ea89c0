import { METADATA_BATCH_BYTES, METADATA_BATCH_MESSAGES_MAX } from '../../core/limits.ts'
import type { NextTurn } from '../ports/next-turn.ts'
import { joinBatch } from './wire.ts'

/** Gathers what is to be sent in one turn of the event loop into batches, and waits while the stream is full. */
export class BatchSender {
  readonly #write: (batch: Uint8Array) => boolean
  readonly #nextTurn: NextTurn
  #messages: Uint8Array[] = []
  #scheduled = false
  #full = false

  /** @param write sends a batch; false asks to wait for {@link drained} before the next. */
  constructor(write: (batch: Uint8Array) => boolean, nextTurn: NextTurn) {
    this.#write = write
    this.#nextTurn = nextTurn
  }

  get empty(): boolean {
    return this.#messages.length === 0
  }

  push(message: Uint8Array): void {
    this.#messages.push(message)
    if (this.#scheduled) return
    this.#scheduled = true
    void this.#nextTurn().then(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** The stream takes more. */
  drained(): void {
    this.#full = false
    this.#flush()
  }

  #flush(): void {
    let start = 0
    while (start < this.#messages.length && !this.#full) {
      const end = this.#batchEnd(start)
      this.#full = !this.#write(joinBatch(this.#messages.slice(start, end)))
      start = end
    }
    if (start > 0) this.#messages = this.#messages.slice(start)
  }

  /** At least one message, and then as many as stay within the batch's bounds. */
  #batchEnd(start: number): number {
    let end = start
    let bytes = 0
    do {
      bytes += this.#messages[end]?.length ?? 0
      end++
    } while (
      end < this.#messages.length &&
      end - start < METADATA_BATCH_MESSAGES_MAX &&
      bytes + (this.#messages[end]?.length ?? 0) <= METADATA_BATCH_BYTES
    )
    return end
  }
}
