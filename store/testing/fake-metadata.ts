/** As much of the metadata service as the store talks to, in memory, with its answers to be lost on order. */

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { versionIdOf } from '../../core/records/version-id.ts'
import { ClusterMapSchema, NodeCondition, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
  AdmitWriteReplySchema,
  ChangeClusterReplySchema,
  ChangeClusterRequestSchema,
  CommitObjectReplySchema,
  CommitObjectRequestSchema,
  CommitPartReplySchema,
  CommitPartRequestSchema,
  FailureCode,
  GetAnnotationReplySchema,
  GetClusterReplySchema,
  GetManifestReplySchema,
  GetObjectReplySchema,
  GetPartitionsReplySchema,
  KeepLeaseReplySchema,
  KeepLeaseRequestSchema,
  ListPartsReplySchema,
  PutAnnotationReplySchema,
  PutAnnotationRequestSchema,
  ListVersionsReplySchema,
  RequestRepairRequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartitionMapSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { ChangeClusterRequest, WorkReport } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type {
  AnnotationRecord,
  BlobRecord,
  ManifestPage,
  ObjectRecord,
  PartRecord,
  RepairTask,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import {
  MetadataError,
  type MetadataApi,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { FakeBlobs } from './fake-blobs.ts'
import { changedMap } from './fake-changes.ts'

/** Who does a piece of background work. */
interface KeptLease {
  readonly holder: string
  /** Monotonic milliseconds. */
  readonly until: number
  readonly report?: WorkReport | undefined
}

/** What befalls a commit. */
export type CommitFault =
  | { readonly kind: 'refuse'; readonly code: FailureCode }
  /** Never arrives; the caller cannot know. */
  | { readonly kind: 'lost' }
  /** Takes effect; the answer is lost. */
  | { readonly kind: 'answer-lost' }

type Handlers = {
  readonly [K in MetadataOperation]?: (request: MetadataRequestInit<K>) => MetadataReply<K>
}

export class FakeMetadata implements MetadataApi {
  map: ClusterMap
  /** Nodes whose lease has ended. */
  readonly down = new Set<string>()
  readonly readOnly = new Set<string>()
  /** Says of those that are down that it is not sure. */
  unsure = false
  readonly objects = new Map<string, ObjectRecord>()
  /** Buckets keep versions. */
  versioned = false
  /** What lies under the current versions, the newest first. */
  readonly superseded: ObjectRecord[] = []
  readonly parts = new Map<string, PartRecord>()
  /** By version and name. */
  readonly annotations = new Map<string, AnnotationRecord>()
  /** By version. */
  readonly pages = new Map<string, readonly ManifestPage[]>()
  /** All that were ever queued with a write. */
  readonly repairs: RepairTask[] = []
  /** Repairs that readers asked for, request by request. */
  readonly requestedRepairs: (readonly RepairTask[])[] = []
  /** What it answers of blobs, and the outbox. */
  readonly blobs: FakeBlobs
  /** How far its clock is ahead of that of everybody else, milliseconds: blobs grow old by it. */
  aheadMs = 0
  /** What the nodes' heartbeats say of damaged shards. */
  damagedOn: (node: string) => number = () => 0
  commitFault: CommitFault | undefined
  /** What it answers writes that ask first, if it refuses them. */
  admissionFault: FailureCode | undefined
  /** What each commit brought, in order; 0: it did not ask. Admissions count from 1. */
  readonly admissions: bigint[] = []
  #admitted = 0n
  /** Every call fails at once while set. */
  unreachable = false
  /** Operations that are never answered. */
  readonly silent = new Set<MetadataOperation>()
  /** Called with every blob at the moment its commit arrives. */
  onCommit: (blob: BlobRecord | undefined, repairs: readonly RepairTask[]) => void = () => undefined
  /** Called with every change of the map that is asked for, before it is made. */
  onChange: (request: ChangeClusterRequest) => void = () => undefined
  readonly asked: string[] = []
  /** By name. */
  readonly leases = new Map<string, KeptLease>()
  readonly #clock: Clock | undefined

  /** @param clock for what depends on time: leases, and how old blobs are */
  constructor(map: MessageInitShape<typeof ClusterMapSchema>, clock?: Clock) {
    this.map = create(ClusterMapSchema, map)
    this.#clock = clock
    const nowMs = (): number => (clock?.nowMs() ?? 1_800_000_000_000) + this.aheadMs
    this.blobs = new FakeBlobs(this, { nowMs })
  }

  async call<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Promise<MetadataReply<K>> {
    await Promise.resolve()
    signal?.throwIfAborted()
    this.asked.push(operation)
    if (this.unreachable) throw new MetadataError(FailureCode.UNAVAILABLE, 'not reached')
    if (this.silent.has(operation)) return await untilAborted(signal)
    const answer: Handlers[K] = this.#handlers[operation]
    if (answer === undefined) {
      throw new MetadataError(FailureCode.INVALID_REQUEST, `the fake knows no ${operation}`)
    }
    return answer(request)
  }

  readonly #handlers: Handlers = {
    getCluster: () => create(GetClusterReplySchema, { map: this.map, nodes: this.#liveness() }),
    admitWrite: () => {
      if (this.admissionFault !== undefined) throw new MetadataError(this.admissionFault, 'refused')
      return create(AdmitWriteReplySchema, { admission: ++this.#admitted })
    },
    commitObject: (request) => this.#commitObject(request),
    commitPart: (request) => this.#commitPart(request),
    resolveBlobs: (request) => this.blobs.resolve(request),
    replaceBlob: (request) => this.blobs.replace(request),
    readOutbox: (request) => this.blobs.readOutbox(request),
    acknowledgeOutbox: (request) => this.blobs.acknowledge(request),
    getPartitions: () => create(GetPartitionsReplySchema, { map: this.#partitions() }),
    putAnnotation: (request) => this.#putAnnotation(request),
    getAnnotation: ({ bucket = '', key = '', name = '' }) => {
      const object = this.objects.get(`${bucket}/${key}`)
      const annotation = this.annotations.get(`${object?.version ?? ''}/${name}`)
      if (object === undefined || annotation === undefined) {
        throw new MetadataError(FailureCode.NO_SUCH_ANNOTATION, name)
      }
      return create(GetAnnotationReplySchema, { annotation, object })
    },
    getObject: ({ bucket = '', key = '', versionId = '' }) => {
      const object =
        versionId === ''
          ? this.objects.get(`${bucket}/${key}`)
          : this.#versionsOf(bucket, key).find((one) => versionIdOf(one) === versionId)
      if (object === undefined) {
        throw new MetadataError(versionId === '' ? FailureCode.NO_SUCH_KEY : FailureCode.NO_SUCH_VERSION, key)
      }
      if (object.deleteMarker && versionId === '') {
        throw new MetadataError(FailureCode.NO_SUCH_KEY, key, { DeleteMarker: 'true' })
      }
      return create(GetObjectReplySchema, { object })
    },
    listVersions: ({ bucket = '', prefix = '', limit = 0 }) => {
      const versions = this.#versionsOf(bucket, prefix).slice(0, limit)
      return create(ListVersionsReplySchema, {
        versions: versions.map((one, index) => ({
          object: { key: one.key },
          versionId: versionIdOf(one),
          latest: index === 0,
          deleteMarker: one.deleteMarker,
        })),
      })
    },
    listParts: ({ uploadId = '', after = 0 }) => {
      const parts = [...this.parts].filter(
        ([id, part]) => id.startsWith(`${uploadId}/`) && part.partNumber > after,
      )
      return create(ListPartsReplySchema, { parts: parts.slice(0, 1).map(([, part]) => part) })
    },
    requestRepair: (request) => {
      const { tasks } = create(RequestRepairRequestSchema, request)
      this.requestedRepairs.push(tasks)
      return this.blobs.requestRepair(tasks)
    },
    getManifest: ({ version = '', firstPage = 0 }) => {
      const page = this.pages.get(version)?.[firstPage]
      return create(GetManifestReplySchema, { pages: page === undefined ? [] : [page] })
    },
    keepLease: (request) => this.#keepLease(request),
    changeCluster: (request) => {
      const asked = create(ChangeClusterRequestSchema, request)
      this.onChange(asked)
      this.map = changedMap(this.map, asked)
      return create(ChangeClusterReplySchema, { map: this.map })
    },
  }

  #keepLease(request: MetadataRequestInit<'keepLease'>) {
    const { name, holder, ttlMs, report } = create(KeepLeaseRequestSchema, request)
    const now = this.#clock?.monotonicMs() ?? 0
    const kept = this.leases.get(name)
    if (kept !== undefined && kept.holder !== holder && kept.until > now) {
      return create(KeepLeaseReplySchema, { held: false, holder: kept.holder })
    }
    this.leases.delete(name)
    if (ttlMs > 0) this.leases.set(name, { holder, until: now + ttlMs, report })
    return create(KeepLeaseReplySchema, { held: ttlMs > 0, holder: ttlMs > 0 ? holder : '' })
  }

  #liveness() {
    return this.map.nodes.map(({ id }) =>
      create(NodeLivenessSchema, {
        node: id,
        up: !this.down.has(id),
        unsure: this.unsure && this.down.has(id),
        damagedShards: BigInt(this.damagedOn(id)),
        condition: this.readOnly.has(id) ? NodeCondition.READ_ONLY : NodeCondition.WRITABLE,
      }),
    )
  }

  #commitObject(request: MetadataRequestInit<'commitObject'>) {
    const { object, repairs, admission } = create(CommitObjectRequestSchema, request)
    this.admissions.push(admission)
    if (object === undefined) throw new MetadataError(FailureCode.INVALID_REQUEST, 'no object')
    this.#commit(object.blob, repairs, () => {
      this.add(object)
    })
    return create(CommitObjectReplySchema, { object })
  }

  /** One partition with all outboxes. */
  #partitions(): MessageInitShape<typeof PartitionMapSchema> {
    return { version: 1n, partitions: [{ id: 1n, start: {}, outboxes: [...this.blobs.outboxes] }] }
  }

  /** Makes a version current, as another client would; in a versioned bucket those before stay. */
  add(object: ObjectRecord): void {
    const at = `${object.bucket}/${object.key}`
    const before = this.objects.get(at)
    if (this.versioned) {
      object.versioned = true
      object.order = (before?.order ?? 0n) + 1n
      if (before !== undefined) this.superseded.unshift(before)
    } else if (before !== undefined) this.blobs.discardObject(before)
    this.objects.set(at, object)
  }

  /** Deletes the current version for good, as another client would. */
  remove(bucket: string, key: string): void {
    const object = this.objects.get(`${bucket}/${key}`)
    if (object === undefined) return
    this.objects.delete(`${bucket}/${key}`)
    this.blobs.discardObject(object)
  }

  /** Versions of a key, the newest first. */
  #versionsOf(bucket: string, key: string): ObjectRecord[] {
    const current = this.objects.get(`${bucket}/${key}`)
    const others = this.superseded.filter((one) => one.bucket === bucket && one.key === key)
    return [...(current === undefined ? [] : [current]), ...others]
  }

  #commitPart(request: MetadataRequestInit<'commitPart'>) {
    const { bucket, key, part, repairs, uploadId, admission } = create(CommitPartRequestSchema, request)
    this.admissions.push(admission)
    if (part === undefined) throw new MetadataError(FailureCode.INVALID_REQUEST, 'no part')
    this.#commit(part.blob, repairs, () => {
      const at = `${uploadId}/${part.partNumber}`
      const before = this.parts.get(at)?.blob
      if (before !== undefined && before.id !== part.blob?.id) this.blobs.discard(bucket, key, [before])
      this.parts.set(at, part)
    })
    return create(CommitPartReplySchema, { part })
  }

  #putAnnotation(request: MetadataRequestInit<'putAnnotation'>) {
    const { annotation, repairs, bucket, key, version, admission } = create(
      PutAnnotationRequestSchema,
      request,
    )
    this.admissions.push(admission)
    const object = this.objects.get(`${bucket}/${key}`)
    if (annotation === undefined || object?.version !== version) {
      throw new MetadataError(FailureCode.CONDITIONAL_CONFLICT, 'the object is another')
    }
    this.#commit(annotation.blob, repairs, () => {
      const at = `${version}/${annotation.name}`
      const before = this.annotations.get(at)?.blob
      if (before !== undefined) this.blobs.discard(bucket, key, [before])
      this.annotations.set(at, annotation)
    })
    return create(PutAnnotationReplySchema, { annotation, object })
  }

  #commit(blob: BlobRecord | undefined, repairs: readonly RepairTask[], apply: () => void): void {
    const fault = this.commitFault
    if (fault?.kind === 'refuse') throw new MetadataError(fault.code, 'refused')
    if (fault?.kind === 'lost') throw new MetadataError(FailureCode.UNAVAILABLE, 'the request was lost')
    this.blobs.assertCommittable(blob)
    this.onCommit(blob, repairs)
    apply()
    this.repairs.push(...repairs)
    this.blobs.queueRepairs(repairs)
    if (fault?.kind === 'answer-lost') throw new MetadataError(FailureCode.UNAVAILABLE, 'the answer was lost')
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
  })
}
