/**
 * Keeps the deletes of a blob and the copies of its shards apart.
 *
 * A rebuild of the index meets the records in the order of the log, and a tombstone buries what it met before. So a copy must
 * never lie behind a tombstone that buries its original: it would come back to life. Here is why none does.
 *
 * A copy is appended within {@link BlobGate.copy}, after a look at the index that found its original living, and both
 * happen in one stay. No delete of the blob is under way then: those that came before have settled, later ones wait until
 * the copy has settled and place their tombstones behind it. A delete that settled left its tombstone in one of three ways:
 *
 * - it was acknowledged: the index had been told, so the look did not find the original living;
 * - it was refused before it had a place in the log: there is no tombstone;
 * - writing failed: the log takes nothing from that moment, until it is opened anew, for which it first cuts its segment back
 *   to what was durable and tells the index of that. The stay ends without a copy when the log had failed at the look, or
 *   failed since.
 *
 * Puts need no gate: a newer record of a shard has the higher number, wherever it lies.
 */
export class BlobGate {
  /** Deletes under way, by blob. */
  readonly #deletes = new Map<string, { count: number; readonly none: PromiseWithResolvers<undefined> }>()
  /** Blobs being copied, with when that ends. */
  readonly #copies = new Map<string, Promise<undefined>>()

  /** Runs a delete of the blob, once it is not being copied. Deletes do not wait for one another. */
  async delete<T>(blob: string, action: () => Promise<T>): Promise<T> {
    while (this.#copies.has(blob)) await this.#copies.get(blob)
    const entry = this.#deletes.get(blob) ?? { count: 0, none: Promise.withResolvers<undefined>() }
    this.#deletes.set(blob, entry)
    entry.count++
    try {
      return await action()
    } finally {
      entry.count--
      if (entry.count === 0) {
        this.#deletes.delete(blob)
        entry.none.resolve(undefined)
      }
    }
  }

  /** Runs what copies shards of the blobs, once none of them is being deleted. One at a time. */
  async copy<T>(blobs: ReadonlySet<string>, action: () => Promise<T>): Promise<T> {
    for (;;) {
      const busy = [...blobs].map((blob) => this.#deletes.get(blob)).find((entry) => entry !== undefined)
      if (busy === undefined) break
      await busy.none.promise
    }
    const { promise, resolve } = Promise.withResolvers<undefined>()
    for (const blob of blobs) this.#copies.set(blob, promise)
    try {
      return await action()
    } finally {
      for (const blob of blobs) this.#copies.delete(blob)
      resolve(undefined)
    }
  }
}
