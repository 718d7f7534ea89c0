import { Buffer } from 'node:buffer'
import { readOwnedBucketKey, SPACE } from '../../core/keyspace/keys.ts'
import { bucketKind, decodeRecord, outboxKind } from '../records.ts'
import type { BackupHeader, BackupTrailer } from './format/documents.ts'
import { type BackupChunk, type BackupSource, checkBackup, readChunks } from './format/reader.ts'
import { unknownSpace } from './rewrite.ts'
import { spaceTable } from './spaces.ts'
import { Faults } from './structure/faults.ts'
import { GarbageIndex } from './structure/garbage-index.ts'
import { checkKeys, keySpaces } from './structure/keys.ts'

export interface VerifiedBackup {
  readonly header: BackupHeader
  readonly trailer: BackupTrailer
  readonly fileBytes: number
  /** Records by kind, in the order of their spaces. */
  readonly counts: readonly { readonly name: string; readonly count: number }[]
  /** What is wrong with what is in the file, a sentence each: the first of them. */
  readonly faults: readonly string[]
  readonly faultCount: number
  /** What was not looked at, a sentence each. */
  readonly notes: readonly string[]
}

/**
 * Reads a backup's file three times: for its bytes, for each record by itself, and for how the records of a key fit each other.
 * @throws {BackupDamagedError} its bytes are not those that were written
 * @throws {NewerFormatError}
 */
export async function verifyBackup(
  source: BackupSource,
  progress: (bytes: number, of: number) => void = () => undefined,
): Promise<VerifiedBackup> {
  const checked = await checkBackup(source, progress)
  const faults = new Faults()
  const records = new Records(faults)
  for await (const chunk of readChunks(source)) {
    records.add(chunk)
    progress(chunk.at, checked.fileBytes)
  }
  const { garbage, buckets } = records
  records.endOfBuckets()
  for (const engine of checked.header.engines.keys()) {
    await checkKeys(source, checked, engine, { buckets: new Set(buckets.keys()), garbage, faults })
  }
  return {
    header: checked.header,
    trailer: checked.trailer,
    fileBytes: checked.fileBytes,
    counts: [...records.counts]
      .toSorted(([left], [right]) => left - right)
      .map(([space, count]) => ({ name: spaceTable.get(space)?.name ?? `space ${space}`, count })),
    faults: faults.named,
    faultCount: faults.count,
    notes: [
      ...(garbage.complete ? [] : ['so much garbage waits that records were held against a part of it only']),
      ...(checked.header.oneMoment ? [] : ['its engines are not of one moment, but of several near it']),
    ],
  }
}

/** What each record says by itself. */
class Records {
  readonly counts = new Map<number, number>()
  readonly garbage = new GarbageIndex()
  /** Owners by name. */
  readonly buckets = new Map<string, string>()
  readonly #owned = new Map<string, string>()
  readonly #faults: Faults

  constructor(faults: Faults) {
    this.#faults = faults
  }

  add({ space, entries }: BackupChunk): void {
    this.counts.set(space, (this.counts.get(space) ?? 0) + entries.length)
    const row = spaceTable.get(space)
    if (row === undefined) {
      this.#faults.add(unknownSpace(space))
      return
    }
    // Those of keys are decoded when they are held against each other.
    if (keySpaces.has(space)) return
    for (const { key, value } of entries) {
      this.#faults.try(`${row.name}, key ${Buffer.from(key).toString('hex')}`, () => {
        this.#record(space, key, value, row.decode)
      })
    }
  }

  endOfBuckets(): void {
    for (const [name, owner] of this.buckets) {
      if (this.#owned.get(name) !== owner) {
        this.#faults.add(`bucket ${name} is not among those of its owner ${owner}`)
      }
      this.#owned.delete(name)
    }
    for (const [name, owner] of this.#owned) {
      this.#faults.add(`${owner} should own bucket ${name}, which is not there`)
    }
  }

  #record(space: number, key: Uint8Array, value: Uint8Array, decode?: (value: Uint8Array) => unknown): void {
    if (space === SPACE.bucket) {
      const { name, owner } = decodeRecord(bucketKind, value)
      this.buckets.set(name, owner)
    } else if (space === SPACE.ownedBucket) {
      const { name, owner } = readOwnedBucketKey(key)
      this.#owned.set(name, owner)
    } else if (space === SPACE.outbox) this.garbage.add(decodeRecord(outboxKind, value))
    else decode?.(value)
  }
}
