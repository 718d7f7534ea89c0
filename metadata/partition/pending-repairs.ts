import { REPAIRS_PENDING_MAX } from '../../core/limits.ts'

/**
 * The blobs that repairs in the outbox are of, so that what is asked for twice is queued once. Bounded: past the bound it does
 * not know them all, and then one may be queued again, which does no harm.
 */
export class PendingRepairs {
  readonly #blobs = new Set<string>()
  /** Those that were done since the outbox began to be read; undefined: it is not being read. */
  #done: Set<string> | undefined

  /** @param blob its id */
  has(blob: string): boolean {
    return this.#blobs.has(blob)
  }

  add(blob: string): void {
    if (this.#blobs.size < REPAIRS_PENDING_MAX) this.#blobs.add(blob)
  }

  addAll(others: PendingRepairs): void {
    for (const blob of others.#blobs) this.add(blob)
  }

  delete(blob: string): void {
    this.#blobs.delete(blob)
    this.#done?.add(blob)
  }

  /** From now until {@link endReading}, {@link found} tells of what was in the outbox at this moment. */
  beginReading(): void {
    this.#done = new Set()
  }

  /** One that was in the outbox, and may have been done since. */
  found(blob: string): void {
    if (this.#done?.has(blob) !== true) this.add(blob)
  }

  endReading(): void {
    this.#done = undefined
  }
}
