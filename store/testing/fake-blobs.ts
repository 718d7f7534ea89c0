/** What the metadata service answers of blobs and its outbox, the plain way: every record is looked through. */

import { create, equals, type MessageInitShape } from '@bufbuild/protobuf'
import { isCommittable, isOrphan } from '../../core/records/blob-age.ts'
import {
  AcknowledgeOutboxReplySchema,
  type BlobPlace,
  BlobState,
  FailureCode,
  OutboxKind,
  ReadOutboxReplySchema,
  ReadOutboxRequestSchema,
  ReplaceBlobReplySchema,
  ReplaceBlobRequestSchema,
  RequestRepairReplySchema,
  ResolveBlobsReplySchema,
  ResolveBlobsRequestSchema,
  ResolvedBlobSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BlobRecord,
  BlobRecordSchema,
  type ObjectRecord,
  type OutboxRecord,
  OutboxRecordSchema,
  type RepairTask,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { FakeMetadata } from './fake-metadata.ts'

/** A record that names a blob. */
interface Holder {
  blob?: BlobRecord | undefined
}

type Task = NonNullable<MessageInitShape<typeof OutboxRecordSchema>['task']>

const STANDING: Pick<Clock, 'nowMs'> = {
  nowMs: () => 1_800_000_000_000,
}

export class FakeBlobs {
  readonly #records: FakeMetadata
  readonly #clock: Pick<Clock, 'nowMs'>
  /** Ids of the outboxes that there are; what is queued goes to each in turn. */
  outboxes: readonly bigint[] = [1n]
  /** Outboxes whose owner is away. */
  readonly unreadable = new Set<bigint>()
  #queued = 0
  /** By outbox, the last one given: they are unique within it only. */
  readonly #sequences = new Map<bigint, bigint>()
  readonly #outboxOf = new Map<OutboxRecord, bigint>()
  /** What all of them hold, in the order in which it was queued. */
  outbox: OutboxRecord[] = []

  constructor(records: FakeMetadata, clock: Pick<Clock, 'nowMs'> = STANDING) {
    this.#records = records
    this.#clock = clock
  }

  assertCommittable(blob: BlobRecord | undefined): void {
    if (blob === undefined) return
    const { map } = this.#records
    const known = map.pools.some((pool) => pool.groups.some(({ id }) => id === blob.group))
    if (known && isCommittable(blob.id, this.#clock.nowMs())) return
    throw new MetadataError(FailureCode.STALE_BLOB, 'too old, or of a group that is gone')
  }

  discard(bucket: string, key: string, blobs: readonly BlobRecord[]): void {
    this.#queue({ case: 'garbage', value: { bucket, key, blobs: [...blobs] } })
  }

  discardObject({ bucket, key, version, blob, manifest }: ObjectRecord): void {
    if (manifest === undefined) {
      if (blob !== undefined) this.discard(bucket, key, [blob])
    } else {
      for (const [page, { parts }] of (this.#records.pages.get(version) ?? []).entries()) {
        const blobs = parts.flatMap((part) => part.blob ?? [])
        this.#queue({ case: 'garbage', value: { bucket, key, blobs, manifestPage: { version, page } } })
      }
    }
    for (const [at, annotation] of this.#records.annotations) {
      if (!at.startsWith(`${version}/`)) continue
      this.#records.annotations.delete(at)
      if (annotation.blob !== undefined) this.discard(bucket, key, [annotation.blob])
    }
  }

  queueRepairs(tasks: readonly RepairTask[]): void {
    for (const value of tasks) this.#queue({ case: 'repair', value })
  }

  resolve(request: MetadataRequestInit<'resolveBlobs'>) {
    const { places } = create(ResolveBlobsRequestSchema, request)
    const blobs = places.map((place) => {
      const found = this.#find(place)
      const { blob } = found ?? {}
      if (found !== undefined && blob !== undefined) {
        return create(ResolvedBlobSchema, { state: BlobState.LIVE, blob, storageClass: found.storageClass })
      }
      const orphan = isOrphan(place.blob, this.#clock.nowMs()) && !this.#isGarbage(place.blob)
      return create(ResolvedBlobSchema, { state: orphan ? BlobState.ORPHAN : BlobState.YOUNG })
    })
    return create(ResolveBlobsReplySchema, { blobs })
  }

  replace(request: MetadataRequestInit<'replaceBlob'>) {
    const { place, expected, replacement } = create(ReplaceBlobRequestSchema, request)
    if (place === undefined || expected === undefined || replacement === undefined) {
      throw new MetadataError(FailureCode.INVALID_REQUEST, 'incomplete')
    }
    const same = expected.id === replacement.id
    const differs = expected.code !== replacement.code || expected.group !== replacement.group
    if (place.blob !== expected.id || expected.size !== replacement.size || (same && differs)) {
      throw new MetadataError(FailureCode.INVALID_REQUEST, 'no replacement')
    }
    const done = this.#find({ ...place, blob: replacement.id })
    if (done?.blob !== undefined && equals(BlobRecordSchema, done.blob, replacement)) {
      return create(ReplaceBlobReplySchema, { replaced: true })
    }
    const found = this.#find(place)
    if (found?.blob === undefined || !equals(BlobRecordSchema, found.blob, expected)) {
      return create(ReplaceBlobReplySchema)
    }
    if (!same) {
      this.assertCommittable(replacement)
      this.discard(place.bucket, place.key, [found.blob])
      const { bucket, key, version, part, annotation } = place
      const owed = { bucket, key, version, part, annotation, blob: replacement }
      if (replacement.relocations.length > 0) this.#queue({ case: 'repair', value: owed })
    }
    found.holder.blob = replacement
    return create(ReplaceBlobReplySchema, { replaced: true })
  }

  requestRepair(tasks: readonly RepairTask[]) {
    let queued = 0
    for (const task of tasks) {
      const blob = this.#find({ ...task, blob: task.blob?.id ?? '' })?.blob
      const waits = this.outbox.some(
        ({ task: other }) => other.case === 'repair' && other.value.blob?.id === blob?.id,
      )
      if (blob === undefined || waits) continue
      const { bucket, key, version, part, annotation } = task
      this.#queue({ case: 'repair', value: { bucket, key, version, part, annotation, blob } })
      queued++
    }
    return create(RequestRepairReplySchema, { queued })
  }

  readOutbox(request: MetadataRequestInit<'readOutbox'>) {
    const { after, limit, kind, outbox } = create(ReadOutboxRequestSchema, request)
    const wanted = kind === OutboxKind.GARBAGE ? 'garbage' : 'repair'
    const records = this.outbox
      .filter((record) => this.#outboxOf.get(record) === this.#named(outbox))
      .filter(({ sequence }) => sequence > after)
      .filter(({ task }) => kind === OutboxKind.ANY || task.case === wanted)
      .slice(0, limit)
    return create(ReadOutboxReplySchema, { records, nowMs: BigInt(this.#clock.nowMs()) })
  }

  acknowledge({ sequences = [], outbox = 0n }: MetadataRequestInit<'acknowledgeOutbox'>) {
    const id = this.#named(outbox)
    this.outbox = this.outbox.filter(
      (record) => this.#outboxOf.get(record) !== id || !sequences.includes(record.sequence),
    )
    return create(AcknowledgeOutboxReplySchema)
  }

  #queue(task: Task): void {
    const outbox = this.outboxes[this.#queued++ % this.outboxes.length] ?? 1n
    const sequence = (this.#sequences.get(outbox) ?? 0n) + 1n
    this.#sequences.set(outbox, sequence)
    const createdMs = BigInt(this.#clock.nowMs())
    const record = create(OutboxRecordSchema, { format: 1, sequence, createdMs, task })
    this.#outboxOf.set(record, outbox)
    this.outbox.push(record)
  }

  #named(outbox: bigint): bigint {
    const id = outbox === 0n ? 1n : outbox
    if (this.unreadable.has(id)) throw new MetadataError(FailureCode.UNAVAILABLE, 'its owner is away')
    if (!this.outboxes.includes(id)) throw new MetadataError(FailureCode.NOT_MINE, 'no such outbox')
    return id
  }

  #isGarbage(blob: string): boolean {
    return this.outbox.some(
      ({ task }) => task.case === 'garbage' && task.value.blobs.some(({ id }) => id === blob),
    )
  }

  #find(place: Omit<BlobPlace, '$typeName' | '$unknown'>) {
    const { bucket, key, version, part, annotation, blob } = place
    const { objects, superseded, parts, annotations, pages } = this.#records
    const object = [...objects.values(), ...superseded].find(
      (one) => one.bucket === bucket && one.key === key && one.version === version,
    )
    let holder: Holder | undefined = object
    if (annotation !== '') holder = object && annotations.get(`${version}/${annotation}`)
    else if (part !== 0) {
      const listed = (object && pages.get(version))?.flatMap((page) => page.parts)
      holder = object ? listed?.find((one) => one.partNumber === part) : parts.get(`${version}/${part}`)
    }
    if (holder?.blob?.id !== blob) return undefined
    return { holder, blob: holder.blob, storageClass: object?.storageClass ?? 'STANDARD' }
  }
}
