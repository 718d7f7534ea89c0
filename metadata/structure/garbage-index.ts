import { BACKUP_GARBAGE_CHECKED_MAX } from '../../core/limits.ts'
import type { BlobRecord, OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** The blobs that are to be removed, and the manifest pages that stay until they are: bounded, past the bound not all are known. */
export class GarbageIndex {
  readonly #blobs = new Set<string>()
  readonly #pages = new Set<string>()
  #complete = true

  /** Whether it knows all of them. */
  get complete(): boolean {
    return this.#complete
  }

  add({ task }: OutboxRecord): void {
    if (task.case !== 'garbage') return
    if (this.#blobs.size + this.#pages.size >= BACKUP_GARBAGE_CHECKED_MAX) {
      this.#complete = false
      return
    }
    for (const { id } of task.value.blobs) this.#blobs.add(id)
    const page = task.value.manifestPage
    if (page !== undefined) this.#pages.add(`${page.version} ${page.page}`)
  }

  has(blob: BlobRecord | undefined): boolean {
    return blob !== undefined && this.#blobs.has(blob.id)
  }

  /** Whether the page is there for reads that began before its version was removed. */
  keepsPage(version: string, page: number): boolean {
    return !this.#complete || this.#pages.has(`${version} ${page}`)
  }
}
