/**
 * Metadata made of shards alone, in an empty engine. What shards say of their blobs is gathered in a space of its own, which
 * sorts it by what it belongs to; then the records are made key by key, and the space is emptied again. So memory is bounded
 * however much there is. Until the last batch the engine is marked as half restored, and no service starts on it.
 */

import { create } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import {
  bucketKey,
  clusterMapKey,
  orderReserveKey,
  ownedBucketKey,
  readRebuildKey,
  rebuildRangeOfBucket,
  rebuildRangeOfKey,
  rebuildSpace,
} from '../../core/keyspace/keys.ts'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import {
  ENGINE_SCAN_ENTRIES_MAX,
  REBUILD_KEYS_IN_FLIGHT_MAX,
  RESTORE_SEQUENCE_STEP,
} from '../../core/limits.ts'
import { blobTimeMs } from '../../core/records/blob-age.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
  BucketRecordSchema,
  BucketVersioning,
  RestoreSpanSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { EngineFiller, takeEngine } from '../backup/restore.ts'
import { Rewriter, reserve } from '../backup/rewrite.ts'
import type { Engine, Fence } from '../engine/engine.ts'
import { bucketKind, clusterMapKind, encodeRecord } from '../records.ts'
import { type BlobDigests, digestBlob, type ReadBlob } from './digests.ts'
import { type BlobFact, entryOf, factOf, type FoundBlob } from './fact.ts'
import { objectEntries, type RecordOptions, uploadEntries } from './records.ts'
import {
  compareVersions,
  isCompleted,
  timeOf,
  versionOf,
  type VersionFacts,
  type VersionSummary,
} from './versions.ts'

export interface RebuildOptions {
  /** As nodes are to know it: with an epoch that is ahead of any they have heard of. */
  readonly map: ClusterMap
  /** Canonical id of the account that owns all buckets and objects. */
  readonly owner: string
  /** Of a group's pool. */
  readonly storageClassOf: (group: number) => string
  /** Buckets that have no versions, whatever is there: only the newest version of a key is kept. */
  readonly unversioned: (bucket: string) => boolean
  /** What every part but the last of a completed upload has at least, bytes. */
  readonly partBytesMin: bigint
  /** Absent: ETags and checksums are not taken. */
  readonly read?: ReadBlob
  readonly onNote?: (note: RebuildNote) => void
  readonly onProgress?: (counts: Readonly<RebuildCounts>) => void
}

/** Something that was inferred, or could not be known, of one thing. */
export interface RebuildNote {
  readonly kind:
    /** Parts that were taken for an object, though shards do not say that its upload was completed. */
    | 'completed'
    /** Parts that were taken for an upload in progress. */
    | 'in-progress'
    /** A version that was left out, for its bucket has no versions. */
    | 'left-out'
    /** Too few of its shards were found to read it. */
    | 'unreadable'
    /** An object of which nothing but its annotations was found: it was empty. */
    | 'empty'
    /** Several versions of a key were found: the bucket has versions from now on. */
    | 'versions'
  readonly bucket: string
  readonly key?: string
  readonly version?: string
}

export interface RebuildCounts {
  buckets: number
  /** Of all versions. */
  objects: number
  uploads: number
  annotations: number
  blobs: number
  bytes: number
  /** Blobs of which another stands in the place. */
  superseded: number
  /** Blobs whose bytes could not be read for their ETag. */
  unread: number
}

const PARTITION = WHOLE_RANGE.id
const INCARNATION_BYTES = 16

export interface RebuildPorts {
  readonly clock: Pick<Clock, 'nowMs'>
  readonly random: Random
}

export class MetadataRebuild {
  readonly #engine: Engine
  readonly #fence: Fence
  readonly #ports: RebuildPorts
  readonly #staged: EngineFiller

  private constructor(engine: Engine, fence: Fence, ports: RebuildPorts) {
    this.#engine = engine
    this.#fence = fence
    this.#ports = ports
    this.#staged = new EngineFiller(engine, fence)
  }

  /** @throws {EngineNotEmptyError} something else is in the engine than an earlier rebuild that was cut short */
  static async begin(engine: Engine, ports: RebuildPorts): Promise<MetadataRebuild> {
    return new MetadataRebuild(engine, await takeEngine(engine, ports.random), ports)
  }

  /** Blobs in any order; the same one again is no error. */
  async add(blobs: readonly FoundBlob[]): Promise<void> {
    for (const blob of blobs) await this.#staged.put(entryOf(blob))
  }

  /** Makes the records of all that was added; from then on a service can start on the engine. */
  async finish(options: RebuildOptions): Promise<Readonly<RebuildCounts>> {
    await this.#staged.flush()
    const making = new Making(this.#engine, this.#fence, options, this.#ports)
    await making.run()
    await this.#clear()
    const nowMs = BigInt(this.#ports.clock.nowMs())
    // Whatever no record names may be what could not be understood: nothing of it is swept until somebody says so.
    const span = create(RestoreSpanSchema, {
      backupMs: 0n,
      restoredMs: nowMs,
      source: 'the shards of its nodes',
    })
    const end = new Rewriter().end(span).filter(({ key }) => Buffer.compare(key, ORDERS) !== 0)
    await this.#engine.commit({
      fence: this.#fence,
      puts: [
        ...end,
        reserve(ORDERS, making.orderMax + RESTORE_SEQUENCE_STEP),
        { key: clusterMapKey, value: encodeRecord(clusterMapKind, options.map) },
      ],
      deletes: [this.#fence.key],
    })
    return making.counts
  }

  /** What was gathered is of no more use. */
  async #clear(): Promise<void> {
    for (;;) {
      const entries = await this.#engine.scan({ ...rebuildSpace(), limit: this.#engine.limits.operations })
      if (entries.length === 0) return
      await this.#engine.commit({ fence: this.#fence, puts: [], deletes: entries.map(({ key }) => key) })
    }
  }
}

const ORDERS = orderReserveKey(PARTITION)

/** Goes over what was gathered, bucket by bucket and key by key. */
class Making {
  readonly counts: RebuildCounts = {
    buckets: 0,
    objects: 0,
    uploads: 0,
    annotations: 0,
    blobs: 0,
    bytes: 0,
    superseded: 0,
    unread: 0,
  }
  /** The highest order that was given to a version. */
  orderMax = 0
  readonly #engine: Engine
  readonly #options: RebuildOptions
  readonly #ports: RebuildPorts
  readonly #batches: EngineFiller
  /** One after the other: batches are gathered in memory between two commits. */
  #writing: Promise<void> = Promise.resolve()

  constructor(engine: Engine, fence: Fence, options: RebuildOptions, ports: RebuildPorts) {
    this.#engine = engine
    this.#options = options
    this.#ports = ports
    this.#batches = new EngineFiller(engine, fence)
  }

  async run(): Promise<void> {
    let { gte } = rebuildSpace()
    const { lt } = rebuildSpace()
    for (;;) {
      const [first] = await this.#engine.scan({ gte, lt, limit: 1 })
      if (first === undefined) break
      const { bucket } = readRebuildKey(first.key)
      await this.#bucket(bucket)
      gte = rebuildRangeOfBucket(bucket).lt
    }
    await this.#writing
    await this.#batches.flush()
  }

  async #bucket(bucket: string): Promise<void> {
    const { owner, unversioned, onNote } = this.#options
    const seen = await this.#surveyBucket(bucket)
    const versioned = seen.severalVersions && !unversioned(bucket)
    if (versioned) onNote?.({ kind: 'versions', bucket })
    const record = create(BucketRecordSchema, {
      name: bucket,
      owner,
      createdMs: BigInt(seen.oldestMs),
      incarnation: this.#ports.random.bytes(INCARNATION_BYTES),
      versioning: versioned ? BucketVersioning.ENABLED : BucketVersioning.NEVER,
    })
    await this.#put([
      { key: bucketKey(bucket), value: encodeRecord(bucketKind, record) },
      { key: ownedBucketKey(owner, bucket), value: new Uint8Array() },
    ])
    this.counts.buckets++
    const keys = this.#keysOf(bucket)
    const lane = async (): Promise<void> => {
      for (let key = await keys.next(); key.done !== true; key = await keys.next()) {
        await this.#key(bucket, key.value, versioned)
      }
    }
    const lanes = await Promise.allSettled(Array.from({ length: REBUILD_KEYS_IN_FLIGHT_MAX }, lane))
    for (const one of lanes) if (one.status === 'rejected') throw one.reason
  }

  async *#keysOf(bucket: string): AsyncGenerator<string, void, undefined> {
    let { gte } = rebuildRangeOfBucket(bucket)
    const { lt } = rebuildRangeOfBucket(bucket)
    for (;;) {
      const [first] = await this.#engine.scan({ gte, lt, limit: 1 })
      if (first === undefined) return
      const { key } = readRebuildKey(first.key)
      yield key
      gte = rebuildRangeOfKey(bucket, key).lt
    }
  }

  /** Whether any key has several versions, and when the oldest was written. */
  async #surveyBucket(bucket: string): Promise<{ severalVersions: boolean; oldestMs: number }> {
    let severalVersions = false
    let oldestMs = Number.POSITIVE_INFINITY
    let last: { key: string; objects: number } | undefined
    for await (const { key, facts } of this.#versionsIn(rebuildRangeOfBucket(bucket))) {
      oldestMs = Math.min(oldestMs, blobTimeMs(facts.version))
      if (last?.key !== key) last = { key, objects: 0 }
      if (this.#isObject(facts)) last.objects++
      if (last.objects > 1) severalVersions = true
    }
    return { severalVersions, oldestMs: Number.isFinite(oldestMs) ? oldestMs : 0 }
  }

  #isObject(facts: VersionFacts): boolean {
    return facts.parts.length === 0 || isCompleted(facts, this.#options.partBytesMin)
  }

  /** The versions in a range, one at a time, in order of key and of their names. */
  async *#versionsIn(range: {
    gte: Uint8Array
    lt: Uint8Array
  }): AsyncGenerator<{ readonly key: string; readonly facts: VersionFacts }, void, undefined> {
    let gathered: BlobFact[] = []
    const current = (): { key: string; facts: VersionFacts } | undefined => {
      const position = gathered[0]?.position
      if (position === undefined) return undefined
      return { key: position.key, facts: versionOf(position.version, gathered) }
    }
    let cursor = range.gte
    for (;;) {
      const entries = await this.#engine.scan({ gte: cursor, lt: range.lt, limit: ENGINE_SCAN_ENTRIES_MAX })
      for (const entry of entries) {
        const fact = factOf(entry)
        const before = gathered[0]?.position
        if (before !== undefined && !sameVersion(before, fact.position)) {
          const whole = current()
          if (whole !== undefined) yield whole
          gathered = []
        }
        gathered.push(fact)
      }
      const last = entries.at(-1)
      if (last === undefined || entries.length < ENGINE_SCAN_ENTRIES_MAX) break
      cursor = next(last.key)
    }
    const whole = current()
    if (whole !== undefined) yield whole
  }

  async #key(bucket: string, key: string, versioned: boolean): Promise<void> {
    const summaries: VersionSummary[] = []
    const range = rebuildRangeOfKey(bucket, key)
    for await (const { facts } of this.#versionsIn(range)) {
      summaries.push({ version: facts.version, timeMs: timeOf(facts), isObject: this.#isObject(facts) })
    }
    const objects = summaries.filter(({ isObject }) => isObject).toSorted(compareVersions)
    const newest = objects.at(-1)?.version
    const orders = new Map(objects.map(({ version }, index) => [version, index + 1]))
    for await (const { facts } of this.#versionsIn(range)) {
      const { version } = facts
      const order = versioned ? (orders.get(version) ?? 0) : 0
      this.orderMax = Math.max(this.orderMax, order)
      const options = { bucket, key, order: BigInt(order), versioned, current: version === newest }
      if (!orders.has(version)) await this.#upload(facts, options)
      else if (versioned || version === newest) await this.#object(facts, options)
      else this.#options.onNote?.({ kind: 'left-out', bucket, key, version })
    }
    this.#options.onProgress?.(this.counts)
  }

  async #object(facts: VersionFacts, place: Place): Promise<void> {
    const { onNote } = this.#options
    const { bucket, key } = place
    const { version, own, parts, annotations } = facts
    const blobs = [...(own === undefined ? [] : [own]), ...parts, ...annotations]
    if (parts.length > 0) onNote?.({ kind: 'completed', bucket, key, version })
    if (own === undefined && parts.length === 0) onNote?.({ kind: 'empty', bucket, key, version })
    this.counts.objects++
    this.counts.annotations += annotations.length
    const digests = await this.#count(facts, blobs, place)
    await this.#put(objectEntries(facts, this.#recordOptions(facts, place), (fact) => digests.get(fact)))
  }

  async #upload(facts: VersionFacts, place: Place): Promise<void> {
    const { bucket, key } = place
    this.#options.onNote?.({ kind: 'in-progress', bucket, key, version: facts.version })
    this.counts.uploads++
    const digests = await this.#count(facts, facts.parts, place)
    await this.#put(uploadEntries(facts, this.#recordOptions(facts, place), (fact) => digests.get(fact)))
  }

  #recordOptions({ own, parts }: VersionFacts, place: Place): RecordOptions {
    const { owner, storageClassOf } = this.#options
    const group = (own ?? parts[0])?.record.group
    const storageClass = group === undefined ? 'STANDARD' : storageClassOf(group)
    return { ...place, owner, storageClass }
  }

  /** Counts them, and takes their digests. */
  async #count(
    { version, superseded }: VersionFacts,
    blobs: readonly BlobFact[],
    { bucket, key }: Place,
  ): Promise<Map<BlobFact, BlobDigests>> {
    const { read, onNote } = this.#options
    const digests = new Map<BlobFact, BlobDigests>()
    this.counts.superseded += superseded
    this.counts.blobs += blobs.length
    if (blobs.some(({ readable }) => !readable)) onNote?.({ kind: 'unreadable', bucket, key, version })
    for (const fact of blobs) {
      this.counts.bytes += Number(fact.record.size)
      if (read === undefined) continue
      const taken = await digestBlob(read, fact)
      if (taken === undefined) this.counts.unread++
      else digests.set(fact, taken)
    }
    return digests
  }

  #put(entries: Parameters<EngineFiller['put']>[0][]): Promise<void> {
    const write = async (): Promise<void> => {
      for (const entry of entries) await this.#batches.put(entry)
    }
    this.#writing = this.#writing.then(write)
    return this.#writing
  }
}

type Place = Pick<RecordOptions, 'bucket' | 'key' | 'order' | 'versioned' | 'current'>

function sameVersion(a: BlobFact['position'], b: BlobFact['position']): boolean {
  return a.version === b.version && a.key === b.key && a.bucket === b.bucket
}
