/**
 * The memory that the documents of all requests take together. Each has a bound of its own, but a document is held until
 * it is whole, and thousands of connections could each send one slowly: some S3 lets anybody send.
 */
import { DOCUMENT_BYTES_UNCOUNTED } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'

/** What one document takes. */
export interface DocumentLease {
  /**
   * The document is to take so many bytes in all. Small ones count for nothing: large ones must not keep them out.
   * @throws {S3Error} SlowDown when the memory is taken
   */
  grow(bytes: number): void
  /** To be called when the document is let go. */
  release(): void
}

export class DocumentMemory {
  readonly #bytesMax: number
  #usedBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes taken now, without those of small documents. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  lease(): DocumentLease {
    let held = 0
    const hold = (bytes: number): void => {
      this.#usedBytes += bytes - held
      held = bytes
    }
    return {
      grow: (bytes) => {
        const counted = bytes > DOCUMENT_BYTES_UNCOUNTED ? bytes : 0
        if (counted > held && this.#usedBytes + counted - held > this.#bytesMax) throw new S3Error('SlowDown')
        hold(Math.max(held, counted))
      },
      release: () => hold(0),
    }
  }
}
