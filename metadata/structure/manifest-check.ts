import type { ManifestPage, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** Whether the pages of a version's manifest, given in their order, are all there and add up to the object. */
export class ManifestCheck {
  readonly #size: bigint
  readonly #pageOffsets: readonly bigint[]
  readonly #partCount: number
  #found = 0
  #parts = 0
  #offset = 0n
  #lastPart = 0
  #fault: string | undefined

  constructor({ size, manifest }: ObjectRecord) {
    this.#size = size
    this.#pageOffsets = manifest?.pageOffsets ?? []
    this.#partCount = manifest?.partCount ?? 0
  }

  page(index: number, { parts }: ManifestPage): void {
    // After one that is missing nothing adds up, which need not be said.
    if (index !== this.#found++) return
    if (this.#pageOffsets[index] !== this.#offset) {
      this.#fault ??= `page ${index} of its manifest begins elsewhere than it says`
    }
    for (const { partNumber, size, blob } of parts) {
      if (partNumber <= this.#lastPart) this.#fault ??= `part ${partNumber} of its manifest is out of order`
      if ((blob?.size ?? 0n) !== size) {
        this.#fault ??= `part ${partNumber} is of ${size} bytes, its blob is not`
      }
      this.#lastPart = partNumber
      this.#offset += size
      this.#parts++
    }
  }

  /** What is wrong; undefined: nothing. */
  end(): string | undefined {
    const pages = this.#pageOffsets.length
    if (this.#found !== pages) return `it should have ${pages} manifest pages, and has ${this.#found}`
    if (this.#fault !== undefined) return this.#fault
    if (this.#parts !== this.#partCount) {
      return `its manifest has ${this.#parts} parts, not ${this.#partCount}`
    }
    if (this.#offset === this.#size) return undefined
    return `its parts are of ${this.#offset} bytes together, not of ${this.#size}`
  }
}
