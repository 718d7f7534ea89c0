import { BackupDamagedError } from './frame.ts'

/** The two documents of a backup's file. They are JSON, so that a person can read them with what is at hand. */

/** Of which cluster and moment the backup is. */
export interface BackupHeader {
  readonly clusterId: string
  /** Version of the program that wrote it. */
  readonly program: string
  /** The moment it shows, Unix milliseconds by metadata's clock. */
  readonly atMs: number
  /** The same for people, ISO 8601. */
  readonly at: string
  /** RECORD_FORMAT of the program that wrote the records. */
  readonly recordFormat: number
  /** Ids of the engines that it was taken from; chunks name them by their index. */
  readonly engines: readonly string[]
  /** All engines are shown as of that moment; false: each as of one near it, which is what programs before this field wrote of several. */
  readonly oneMoment: boolean
  /** Milliseconds for which commits were held everywhere so that it is one; 0: they were not. */
  readonly heldMs: number
}

/** What is in the file, to tell a whole one from one that lacks whole frames. */
export interface BackupTrailer {
  readonly entries: number
  readonly chunks: number
  /** Keys and values. */
  readonly bytes: number
  /** Of every byte of the file before the trailer's frame, lower-case hex. */
  readonly sha256: string
}

export function encodeDocument(document: BackupHeader | BackupTrailer): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(document)}\n`)
}

/** @throws {BackupDamagedError} */
export function decodeHeader(bytes: Uint8Array): BackupHeader {
  const { clusterId, program, atMs, at, recordFormat, engines, oneMoment, heldMs } = parse(bytes)
  if (
    typeof clusterId === 'string' &&
    typeof program === 'string' &&
    typeof at === 'string' &&
    isCount(atMs) &&
    isCount(recordFormat) &&
    Array.isArray(engines)
  ) {
    return {
      clusterId,
      program,
      atMs,
      at,
      recordFormat,
      engines: engines.map(String),
      oneMoment: oneMoment === true || engines.length === 1,
      heldMs: isCount(heldMs) ? heldMs : 0,
    }
  }
  throw new BackupDamagedError('the header of the backup lacks what it should say')
}

/** @throws {BackupDamagedError} */
export function decodeTrailer(bytes: Uint8Array): BackupTrailer {
  const { entries, chunks, bytes: content, sha256 } = parse(bytes)
  if (isCount(entries) && isCount(chunks) && isCount(content) && typeof sha256 === 'string') {
    return { entries, chunks, bytes: content, sha256 }
  }
  throw new BackupDamagedError('the trailer of the backup lacks what it should say')
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Said below.
  }
  throw new BackupDamagedError('a document of the backup is no JSON')
}
