import { create } from '@bufbuild/protobuf'
import { type KeyRange, next } from '../../core/keyspace/bytes.ts'
import {
  annotationPurgeKey,
  annotationPurgeSpace,
  annotationRange,
  bucketPurgeKey,
  bucketPurgeRange,
  bucketPurgeSpace,
  partRange,
  readAnnotationPurgeKey,
  readBucketPurgeKey,
  readUploadKey,
  type UploadPlace,
  uploadPurgeKey,
  uploadPurgeSpace,
  uploadRange,
} from '../../core/keyspace/keys.ts'
import { PURGE_RECORDS_PER_BATCH, PURGE_RETRY_MS } from '../../core/limits.ts'
import {
  type BlobRecord,
  GarbageTaskSchema,
  type ObjectRecord,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { annotationKind, decodeRecord, partKind } from '../records.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/**
 * What remains to be removed after an upload has ended, or a version with annotations is gone, in batches of bounded
 * size. The upload or version itself is gone in the batch that ended it, which also wrote a marker; parts and
 * annotations are reached only through it, so nobody sees them.
 */
const PARTS = {
  /** The upload was completed: its parts are in the manifest, or in garbage tasks already. */
  drop: 0,
  /** The upload was aborted: its parts are garbage. */
  discard: 1,
} as const

/** The marker that has an ended upload's parts removed. */
export function purgeMarker(place: UploadPlace, parts: keyof typeof PARTS): EngineEntry {
  return { key: uploadPurgeKey(place), value: Uint8Array.of(PARTS[parts]) }
}

/** The marker that makes garbage of the annotations of a version that is removed; none if it has none. */
export function annotationsMarker(removed: ObjectRecord | undefined): EngineEntry[] {
  if (removed === undefined || removed.annotationCount === 0) return []
  return [{ key: annotationPurgeKey(removed), value: new Uint8Array() }]
}

/** The marker that has a bucket's uploads aborted, should the bucket be gone. */
export function bucketMarker(partition: Partition, bucket: string): EngineEntry {
  return { key: bucketPurgeKey(bucket, partition.range.id), value: new Uint8Array() }
}

/**
 * Aborts the uploads that a bucket which is gone left in the partition. The caller keeps the bucket away meanwhile.
 * The parts are left to the purger.
 */
export async function abortUploadsOf(partition: Partition, bucket: string): Promise<void> {
  await partition.settled()
  const markers = await ownMarkers(partition, bucketPurgeRange(bucket))
  if (markers.length === 0) return
  for (;;) {
    await partition.settled()
    const uploads = await partition.scan({ ...uploadRange(bucket, ''), limit: PURGE_RECORDS_PER_BATCH })
    if (uploads.length === 0) break
    partition.enqueue({
      deletes: uploads.map(({ key }) => key),
      puts: uploads.map(({ key }) => purgeMarker(readUploadKey(key), 'discard')),
    })
  }
  partition.enqueue({ deletes: markers.map(({ key }) => key) })
}

/** Whether uploads of buckets that are gone are still to be aborted. */
export async function isPurgingBuckets(partition: Partition): Promise<boolean> {
  return (await ownMarkers(partition, bucketPurgeSpace())).length > 0
}

/** Whether there are such markers of one of some outboxes. */
export async function hasBucketMarkers(
  partition: Partition,
  range: KeyRange,
  outboxes: readonly number[],
): Promise<boolean> {
  return (await markersOf(partition, range, outboxes)).length > 0
}

/** Markers of buckets that are the partition's own, or of one that was merged into it. */
function ownMarkers(partition: Partition, range: KeyRange): Promise<EngineEntry[]> {
  return markersOf(partition, range, partition.outboxes)
}

/** The first some of them. All lie in one space. */
async function markersOf(
  partition: Partition,
  range: KeyRange,
  outboxes: readonly number[],
): Promise<EngineEntry[]> {
  const found: EngineEntry[] = []
  let cursor = range.gte
  for (;;) {
    const entries = await partition.scan({ gte: cursor, lt: range.lt, limit: PURGE_RECORDS_PER_BATCH })
    found.push(...entries.filter(({ key }) => outboxes.includes(readBucketPurgeKey(key).partition)))
    const last = entries.at(-1)
    if (last === undefined || found.length > 0) return found
    cursor = next(last.key)
  }
}

/** Works off the markers in the background, one batch at a time. Those of an earlier process are found at the start. */
export class Purger {
  readonly #partition: Partition
  #work: Promise<void> | undefined
  #again = false
  #closed = false
  #cancelRetry: (() => void) | undefined

  constructor(partition: Partition) {
    this.#partition = partition
    partition.onPurgeMarkers(() => {
      this.wake()
    })
  }

  /** Called after a marker became durable. */
  wake(): void {
    this.#again = true
    this.#work ??= this.#run()
  }

  /** Resolves when every marker is worked off. */
  async idle(): Promise<void> {
    await this.#work
  }

  /** Waits for the batch under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry?.()
    await this.#work
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#closed) {
        this.#again = false
        for (;;) {
          const more =
            (await this.#purgeBuckets()) || (await this.#purgeUploads()) || (await this.#purgeAnnotations())
          if (this.#closed) return
          if (!more) break
        }
      }
    } catch (error) {
      // The markers are still there: the next owner, or the next wake, goes on.
      const { log } = this.#partition
      const message = 'removing what ended uploads and removed versions left failed'
      if (error instanceof MetadataError && error.code === FailureCode.NOT_MINE) log.debug(message, { error })
      else log.error(message, { error })
      this.#retry()
    } finally {
      this.#work = undefined
    }
  }

  /** What is known of a bucket may not be had now: of its process, or of the one that has the root. */
  #retry(): void {
    this.#cancelRetry?.()
    if (this.#closed) return
    this.#cancelRetry = this.#partition.clock.after(PURGE_RETRY_MS, () => {
      if (!this.#closed) this.wake()
    })
  }

  async #purgeBuckets(): Promise<boolean> {
    const markers = await ownMarkers(this.#partition, bucketPurgeSpace())
    for (const marker of markers) {
      if (this.#closed) return true
      await this.#purgeBucket(marker)
    }
    return markers.length > 0
  }

  async #purgeBucket({ key }: EngineEntry): Promise<void> {
    const { bucket: name } = readBucketPurgeKey(key)
    const { buckets } = this.#partition
    // Waits for the deletion that the marker was made for, if that is under way.
    const release = await buckets.hold(name)
    try {
      const bucket = await buckets.read(name)
      if (bucket === undefined) await abortUploadsOf(this.#partition, name)
      // It was not deleted after all; one that was made since found the uploads aborted.
      else this.#partition.enqueue({ deletes: [key] })
      await this.#partition.settled()
    } finally {
      release()
    }
  }

  async #purgeUploads(): Promise<boolean> {
    const markers = await this.#partition.scan({ ...uploadPurgeSpace(), limit: PURGE_RECORDS_PER_BATCH })
    for (const { key, value } of markers) {
      const place = readUploadKey(key)
      const discard = value[0] === PARTS.discard
      await this.#purge(key, place, partRange(place), (part) =>
        discard ? decodeRecord(partKind, part).blob : undefined,
      )
      if (this.#closed) return true
    }
    return markers.length > 0
  }

  async #purgeAnnotations(): Promise<boolean> {
    const markers = await this.#partition.scan({ ...annotationPurgeSpace(), limit: PURGE_RECORDS_PER_BATCH })
    for (const { key } of markers) {
      const place = readAnnotationPurgeKey(key)
      await this.#purge(
        key,
        place,
        annotationRange(place, ''),
        (annotation) => decodeRecord(annotationKind, annotation).blob,
      )
      if (this.#closed) return true
    }
    return markers.length > 0
  }

  /** Removes the records of a range, their blobs being garbage, and the marker after the last of them. */
  async #purge(
    marker: Uint8Array,
    { bucket, key }: { readonly bucket: string; readonly key: string },
    range: KeyRange,
    garbageOf: (record: Uint8Array) => BlobRecord | undefined,
  ): Promise<void> {
    while (!this.#closed) {
      const entries = await this.#partition.scan({ ...range, limit: PURGE_RECORDS_PER_BATCH })
      if (entries.length === 0) {
        this.#partition.enqueue({ deletes: [marker] })
        await this.#partition.settled()
        return
      }
      const blobs = entries.flatMap(({ value }) => garbageOf(value) ?? [])
      const tasks: OutboxTask[] =
        blobs.length === 0
          ? []
          : [{ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs }) }]
      this.#partition.enqueue({ deletes: entries.map((entry) => entry.key), tasks })
      await this.#partition.settled()
    }
  }
}
