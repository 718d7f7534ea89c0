import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AcknowledgeOutboxReplySchema,
  CommitObjectReplySchema,
  CommitObjectRequestSchema,
  FailureCode,
  GetClusterReplySchema,
  GetObjectReplySchema,
  GetPartitionsReplySchema,
  ListObjectsReplySchema,
  ReadOutboxReplySchema,
  RequestRepairReplySchema,
  ResolveBlobsReplySchema,
} from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { type PartitionMap, PartitionMapSchema } from '../../../proto/gen/ashlar/v1/partitions_pb.js'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import {
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../../proto/metadata-api.ts'
import { compareUtf8 } from '../../../core/keyspace/utf8.ts'
import type { Begun, MemberConnection, MemberPlace } from '../../../runtime/metadata-client/connection.ts'
import { UnreachedError } from '../../../runtime/metadata-client/failure.ts'
import { isRepeatable, locate } from '../../../runtime/metadata-client/locate.ts'
import { PartitionTable } from '../../../runtime/metadata-client/partition-table.ts'
import type { SimulatedClock } from '../../../store/testing/simulated-clock.ts'

/** Metadata processes that own ranges of one common store, as far as their clients see. Time is the clock's. */

type Entries = NonNullable<MessageInitShape<typeof PartitionMapSchema>['partitions']>

export function mapOf(
  version: number,
  owners: readonly (readonly [key: string, owner: string])[],
  root?: string,
): PartitionMap {
  const partitions = owners.map(([key, owner], index) => ({
    id: BigInt(index + 1),
    start: index === 0 ? {} : { bucket: 'bucket', key },
    owner,
    outboxes: [BigInt(index + 1)],
  })) as Entries
  return create(PartitionMapSchema, {
    version: BigInt(version),
    rootOwner: root ?? owners[0]?.[1] ?? '',
    partitions,
  })
}

export interface Member {
  readonly id: string
  /** up: answers. down: cannot be reached. silent: takes what is sent and never answers, as one that was stopped. */
  state: 'up' | 'down' | 'silent'
  /** What it goes by. */
  map: PartitionMap
  /** Milliseconds from a request to its answer. */
  latencyMs: number
  /** Answers everything with this. */
  failure: MetadataError | undefined
  /** Operations that it was sent, done or not. */
  readonly received: string[]
  readonly done: string[]
}

interface Waiting {
  readonly member: Member
  send(): void
}

type Handlers = {
  readonly [K in MetadataOperation]?: (member: Member, request: MetadataRequestInit<K>) => MetadataReply<K>
}

const ANSWER_MS = 2

export class Members {
  readonly members = new Map<string, Member>()
  readonly objects = new Map<string, ObjectRecord>()
  readonly #clock: SimulatedClock
  readonly #waiting = new Set<Waiting>()
  /** Whom `getPartitions` calls alive; undefined: all. */
  alive: readonly string[] | undefined
  connections = 0
  /** Whether connections can take requests back. */
  watched = true

  constructor(clock: SimulatedClock, ids: readonly string[], map: PartitionMap) {
    this.#clock = clock
    for (const id of ids) {
      this.members.set(id, {
        id,
        state: 'up',
        map,
        latencyMs: ANSWER_MS,
        failure: undefined,
        received: [],
        done: [],
      })
    }
  }

  get(id: string): Member {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`no member ${id}`)
    return member
  }

  /** All that are up learn of a map. */
  publish(map: PartitionMap): void {
    for (const member of this.members.values()) if (member.state === 'up') member.map = map
  }

  set(id: string, state: Member['state']): void {
    const member = this.get(id)
    member.state = state
    if (state === 'down') return
    for (const waiting of this.#waiting) if (waiting.member === member) waiting.send()
  }

  connect = ({ id, address }: MemberPlace): MemberConnection => {
    this.connections++
    // Addresses are `id:1`.
    const member = this.get(address === '' ? id : (address.split(':')[0] ?? ''))
    const call: MemberConnection['call'] = (operation, request, signal) =>
      this.#begin(member, operation, request, signal).reply
    if (!this.watched) return { call }
    return { call, begin: (operation, request, signal) => this.#begin(member, operation, request, signal) }
  }

  #begin<K extends MetadataOperation>(
    member: Member,
    operation: K,
    request: MetadataRequestInit<K>,
    signal: AbortSignal | undefined,
  ): Begun<K> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    let sent = false
    let over = false
    const waiting: Waiting = {
      member,
      send: () => {
        this.#waiting.delete(waiting)
        if (over) throw new Error('a request was sent after it was taken back')
        sent = true
        member.received.push(operation)
        this.#clock.after(member.latencyMs, () => {
          if (member.state === 'up') resolve(undefined)
        })
      },
    }
    const end = (error: Error): void => {
      over = true
      this.#waiting.delete(waiting)
      reject(error)
    }
    signal?.addEventListener('abort', () => {
      end(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
    if (member.state === 'down') this.#waiting.add(waiting)
    else waiting.send()
    return {
      reply: this.#answerAfter(promise, member, operation, request),
      get sent() {
        return sent
      },
      takeBack: (why) => {
        end(new UnreachedError(why, { sent }))
      },
    }
  }

  async #answerAfter<K extends MetadataOperation>(
    answered: Promise<undefined>,
    member: Member,
    operation: K,
    request: MetadataRequestInit<K>,
  ): Promise<MetadataReply<K>> {
    await answered
    return this.#answer(member, operation, request)
  }

  #answer<K extends MetadataOperation>(
    member: Member,
    operation: K,
    request: MetadataRequestInit<K>,
  ): MetadataReply<K> {
    if (member.failure !== undefined) throw member.failure
    this.#assertMine(member, operation, request)
    const handler: Handlers[K] = this.#handlers[operation]
    if (handler === undefined) throw new MetadataError(FailureCode.INVALID_REQUEST, `unknown: ${operation}`)
    if (!isRepeatable(operation)) member.done.push(operation)
    return handler(member, request)
  }

  #assertMine<K extends MetadataOperation>(
    member: Member,
    operation: K,
    request: MetadataRequestInit<K>,
  ): void {
    const table = new PartitionTable(member.map)
    const route = locate(operation, request)
    const owners = {
      root: () => [table.rootOwner],
      position: () => (route.to === 'position' ? [table.at(route.position).owner] : []),
      listing: () => (route.to === 'listing' ? [table.at(route.position).owner] : []),
      places: () =>
        route.to === 'places' ? route.positions.map((position) => table.at(position).owner) : [],
      outbox: () => (route.to === 'outbox' ? [table.byOutbox(route.outbox)?.owner] : []),
      anybody: () => [],
      direct: () => [],
    }[route.to]()
    if (owners.every((owner) => owner === member.id)) return
    throw new MetadataError(FailureCode.NOT_MINE, 'not mine', { MapVersion: String(table.version) })
  }

  readonly #handlers: Handlers = {
    getPartitions: (member, { knownVersion = 0n }) =>
      create(GetPartitionsReplySchema, {
        ...(member.map.version === knownVersion ? {} : { map: member.map }),
        members: (this.alive ?? [...this.members.keys()]).map((id) => ({ id, address: `${id}:1` })),
        self: member.id,
      }),
    getCluster: () => create(GetClusterReplySchema),
    commitObject: (_, request) => {
      const { object } = create(CommitObjectRequestSchema, request)
      if (object !== undefined) this.objects.set(object.key, object)
      return create(CommitObjectReplySchema, object === undefined ? {} : { object })
    },
    getObject: (member, { key = '' }) => {
      const object = this.objects.get(key)
      if (object === undefined) throw new MetadataError(FailureCode.NO_SUCH_KEY, 'no such key')
      return create(GetObjectReplySchema, { object, versioning: member.id.charCodeAt(0) })
    },
    resolveBlobs: (member, { places = [] }) =>
      create(ResolveBlobsReplySchema, {
        blobs: places.map(({ key = '' }) => ({ state: 1, storageClass: `${key} by ${member.id}` })),
      }),
    requestRepair: (_, { tasks = [] }) => create(RequestRepairReplySchema, { queued: tasks.length }),
    readOutbox: (member, { outbox = 0n }) =>
      create(ReadOutboxReplySchema, { nowMs: outbox * 1000n + BigInt(member.id.charCodeAt(0)) }),
    acknowledgeOutbox: () => create(AcknowledgeOutboxReplySchema),
    listObjects: (member, { prefix = '', from = '', after = '', limit = 0 }) => {
      const table = new PartitionTable(member.map)
      const at = [prefix, from, after].sort(compareUtf8).at(-1) ?? ''
      const { start, end } = table.at({ bucket: 'bucket', key: at })
      const keys = [...this.objects.keys()]
        .filter((key) => compareUtf8(key, at) >= 0 && (after === '' || key !== after))
        .filter(
          (key) => compareUtf8(key, start.key) >= 0 && (end === undefined || compareUtf8(key, end.key) < 0),
        )
        .sort(compareUtf8)
      const truncated = keys.length > limit
      const shown = keys.slice(0, limit)
      return create(ListObjectsReplySchema, {
        objects: shown.map((key) => ({ key })),
        truncated,
        nextAfter: truncated ? (shown.at(-1) ?? '') : '',
        ...(truncated || end === undefined ? {} : { coveredTo: end.key }),
      })
    },
  }
}
