import { create } from '@bufbuild/protobuf'
import {
  bucketPurgeKey,
  bucketPurgeSpace,
  partRange,
  readBucketPurgeKey,
  readUploadKey,
  type UploadPlace,
  uploadPurgeKey,
  uploadPurgeSpace,
  uploadRange,
} from '../../core/keyspace/keys.ts'
import { PURGE_RECORDS_PER_BATCH } from '../../core/limits.ts'
import { GarbageTaskSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { decodeRecord, partKind } from '../records.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/**
 * What remains to be removed after an upload has ended, in batches of bounded size. The upload itself is gone in the
 * batch that ended it, which also wrote a marker; parts are reached only through their upload, so nobody sees them.
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

/**
 * Aborts every upload of a bucket that does not exist. The caller holds the bucket's lock.
 * The parts are left to the purger.
 */
export async function abortUploadsOf(partition: Partition, bucket: string): Promise<void> {
  if ((await partition.viewBytes(bucketPurgeKey(bucket))) === undefined) return
  for (;;) {
    await partition.settled()
    const uploads = await partition.scan({ ...uploadRange(bucket, ''), limit: PURGE_RECORDS_PER_BATCH })
    if (uploads.length === 0) break
    partition.enqueue({
      deletes: uploads.map(({ key }) => key),
      puts: uploads.map(({ key }) => purgeMarker(readUploadKey(key), 'discard')),
    })
  }
  partition.enqueue({ deletes: [bucketPurgeKey(bucket)] })
}

/** Works off the markers in the background, one batch at a time. Those of an earlier process are found at the start. */
export class Purger {
  readonly #partition: Partition
  #work: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(partition: Partition) {
    this.#partition = partition
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
    await this.#work
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#closed) {
        this.#again = false
        while ((await this.#purgeBuckets()) || (await this.#purgeUploads())) if (this.#closed) return
      }
    } catch (error) {
      // The markers are still there: the next owner, or the next wake, goes on.
      this.#partition.log.error('removing the parts of ended uploads failed', { error })
    } finally {
      this.#work = undefined
    }
  }

  async #purgeBuckets(): Promise<boolean> {
    const markers = await this.#partition.scan({ ...bucketPurgeSpace(), limit: PURGE_RECORDS_PER_BATCH })
    for (const { key } of markers) {
      if (this.#closed) return true
      const bucket = readBucketPurgeKey(key)
      await this.#partition.onBucket(bucket, () => abortUploadsOf(this.#partition, bucket))
    }
    return markers.length > 0
  }

  async #purgeUploads(): Promise<boolean> {
    const markers = await this.#partition.scan({ ...uploadPurgeSpace(), limit: PURGE_RECORDS_PER_BATCH })
    for (const { key, value } of markers) {
      const place = readUploadKey(key)
      while (!this.#closed && (await this.#purgeSomeParts(place, value[0] === PARTS.discard)));
      if (this.#closed) return true
      this.#partition.enqueue({ deletes: [key] })
      await this.#partition.settled()
    }
    return markers.length > 0
  }

  async #purgeSomeParts(place: UploadPlace, discard: boolean): Promise<boolean> {
    const entries = await this.#partition.scan({ ...partRange(place), limit: PURGE_RECORDS_PER_BATCH })
    if (entries.length === 0) return false
    const blobs = entries.flatMap(({ value }) => decodeRecord(partKind, value).blob ?? [])
    const { bucket, key } = place
    const garbage: OutboxTask[] =
      discard && blobs.length > 0
        ? [{ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs }) }]
        : []
    this.#partition.enqueue({ deletes: entries.map((entry) => entry.key), tasks: garbage })
    await this.#partition.settled()
    return true
  }
}
