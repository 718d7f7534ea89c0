/**
 * What completing a multipart upload makes of its parts.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */

export interface PartChecksum {
  readonly algorithm: string
  readonly value: string
}

/** A part as it lies in the upload. */
export interface StoredPart {
  readonly partNumber: number
  readonly size: bigint
  readonly etag: string
  readonly checksums: readonly PartChecksum[]
}

/** A part as the client names it in the request. */
export interface NamedPart {
  readonly partNumber: number
  readonly etag: string
  /** Must equal the stored part's, where given. */
  readonly checksums: readonly PartChecksum[]
}

export type CompletionRefusal =
  /** Not strictly ascending, or none at all. */
  | { readonly refused: 'part-order' }
  /** There is no such part, or its ETag or a checksum is another. */
  | { readonly refused: 'invalid-part'; readonly partNumber: number; readonly etag: string }
  /** A part other than the last is smaller than S3 allows. */
  | {
      readonly refused: 'too-small'
      readonly partNumber: number
      readonly etag: string
      readonly size: bigint
    }

export interface Completion<Part> {
  readonly refused?: never
  /** Bytes of the whole object. */
  readonly size: bigint
  /** The parts in order, `pageParts` to a page; the last page may be shorter. */
  readonly pages: readonly (readonly Part[])[]
  /** Offset in the object of the first byte of each page. */
  readonly pageOffsets: readonly bigint[]
  /** Parts uploaded and not named: garbage. */
  readonly unused: readonly Part[]
}

export interface CompletionRules {
  /** Bytes that every part but the last must have. */
  readonly partBytesMin: bigint
  readonly pageParts: number
}

export function planCompletion<Part extends StoredPart>(
  named: readonly NamedPart[],
  stored: readonly Part[],
  { partBytesMin, pageParts }: CompletionRules,
): Completion<Part> | CompletionRefusal {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]))
  const used: Part[] = []
  let previous = 0
  for (const { partNumber, etag, checksums } of named) {
    if (partNumber <= previous) return { refused: 'part-order' }
    previous = partNumber
    const part = byNumber.get(partNumber)
    if (part === undefined || part.etag !== etag || !checksums.every((one) => hasChecksum(part, one))) {
      return { refused: 'invalid-part', partNumber, etag }
    }
    byNumber.delete(partNumber)
    used.push(part)
  }
  if (used.length === 0) return { refused: 'part-order' }
  const small = used.slice(0, -1).find((part) => part.size < partBytesMin)
  if (small !== undefined) {
    return { refused: 'too-small', partNumber: small.partNumber, etag: small.etag, size: small.size }
  }
  return { ...paged(used, pageParts), unused: [...byNumber.values()] }
}

function hasChecksum(part: StoredPart, wanted: PartChecksum): boolean {
  return part.checksums.some(
    ({ algorithm, value }) => algorithm === wanted.algorithm && value === wanted.value,
  )
}

function paged<Part extends StoredPart>(parts: readonly Part[], pageParts: number) {
  const pages: Part[][] = []
  const pageOffsets: bigint[] = []
  let size = 0n
  for (const [index, part] of parts.entries()) {
    if (index % pageParts === 0) {
      pages.push([])
      pageOffsets.push(size)
    }
    pages.at(-1)?.push(part)
    size += part.size
  }
  return { size, pages, pageOffsets }
}
