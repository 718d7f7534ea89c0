import { create } from '@bufbuild/protobuf'
import { IllFormedStringError } from '../core/keyspace/utf8.ts'
import type { Position } from '../core/keyspace/partitions.ts'
import { PARTITION_HOLD_MS_MAX } from '../core/limits.ts'
import { NewerFormatError } from '../core/records/format.ts'
import {
  AdmitWriteReplySchema,
  FailureCode,
  GetPartitionsReplySchema,
  RequestRepairRequestSchema,
  ResolveBlobsRequestSchema,
  type GetPartitionsReply,
  type GetPartitionsRequest,
  type Reply,
  ReplySchema,
  type Request,
} from '../proto/gen/ashlar/v1/metadata_pb.js'
import { RevokeBucketReplySchema } from '../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError, type MetadataOperation, type MetadataReply } from '../proto/metadata-api.ts'
import { divided } from '../runtime/metadata-client/divide.ts'
import { locate } from '../runtime/metadata-client/locate.ts'
import { Overload, type Passage } from './admission/overload.ts'
import { answerPartition } from './answer/partition-requests.ts'
import { answerRoot } from './answer/root-requests.ts'
import { changePartitions } from './answer/change-partitions.ts'
import { BatchTooLargeError } from './engine/engine.ts'
import { invalidRequest } from './failure.ts'
import type { Gate } from './host/gate.ts'
import type { OwnedPartition } from './host/owned.ts'
import type { MetadataNode } from './node.ts'

type Operation = Request['operation']
type Result = Reply['result']

/** Answers requests, whichever way they came. */
export class MetadataService {
  readonly #node: MetadataNode
  readonly #idle = Promise.withResolvers<undefined>()
  #working = 0
  #closed = false

  readonly #overload: Overload

  constructor(node: MetadataNode) {
    this.#node = node
    this.#overload = new Overload({
      clock: node.options.clock,
      random: node.options.random,
      tenantOf: (bucket) => node.buckets.ownerOf(bucket),
    })
    node.state.admission = () => this.#overload.state
  }

  /** Never rejects: what is refused or goes wrong is a reply, too. */
  async handle(request: Request): Promise<Reply> {
    let result: Result
    let passage: Passage | undefined
    let failure: FailureCode | undefined
    this.#working++
    try {
      if (this.#closed) {
        // Nothing was done: whoever takes over can be asked.
        throw new MetadataError(FailureCode.NOT_MINE, 'the metadata service is shutting down')
      }
      passage = this.#overload.enter(request.operation)
      result = await this.#answer(request.operation, passage)
    } catch (error) {
      const { code, message, fields } = this.#errorOf(error)
      failure = code
      result = create(ReplySchema, { result: { case: 'failure', value: { code, message, fields } } }).result
    }
    passage?.leave(failure)
    this.#working--
    if (this.#closed && this.#working === 0) this.#idle.resolve(undefined)
    const reply = create(ReplySchema, { id: request.id })
    reply.result = result
    return reply
  }

  /** Takes no more requests and waits for those it has. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#working > 0) await this.#idle.promise
  }

  /** May throw at once. */
  #answer(operation: Operation, passage: Passage): Promise<Result> {
    const { host } = this.#node
    if (operation.case === undefined) throw invalidRequest('this service does not know the operation')
    const route = locate(operation.case, operation.value)
    switch (route.to) {
      case 'root':
        return this.#ofRoot(operation)
      case 'position':
      case 'listing':
        return this.#at(route.position, operation, passage)
      case 'outbox':
        return this.#ofPartition(() => host.byOutbox(route.outbox), operation, passage)
      case 'places':
        return this.#ofPlaces(operation, passage)
      case 'anybody':
      case 'direct':
        return this.#here(operation)
    }
  }

  /** What this process answers whatever it owns. */
  async #here(operation: Operation): Promise<Result> {
    const { contents, buckets, commitHolds } = this.#node
    switch (operation.case) {
      case 'getPartitions':
        return { case: 'getPartitions', value: await this.#getPartitions(operation.value) }
      case 'revokeBucket':
        await buckets.copies.revoke(operation.value.name)
        return { case: 'revokeBucket', value: create(RevokeBucketReplySchema) }
      case 'probeBucket':
        return { case: 'probeBucket', value: await contents.probe(operation.value) }
      case 'holdCommits':
        return { case: 'holdCommits', value: await commitHolds.hold(operation.value) }
      case 'releaseCommits':
        return { case: 'releaseCommits', value: commitHolds.release(operation.value) }
      default:
        throw invalidRequest(`nobody answers ${String(operation.case)}`)
    }
  }

  async #ofRoot(operation: Operation): Promise<Result> {
    // What moves the root cannot wait within it.
    if (operation.case === 'changePartitions') {
      return { case: 'changePartitions', value: await changePartitions(this.#node, operation.value) }
    }
    for (;;) {
      const root = await this.#node.host.root()
      await this.#enter(root.gate)
      try {
        if (root.dropped) continue
        // Much is answered out of memory, without a read that looks at it.
        this.#node.member.assertHeld()
        await root.parts.room?.require(operation.case)
        return await answerRoot(root, this.#node.options.random, operation)
      } finally {
        root.gate.leave()
      }
    }
  }

  /** @param find the partition, as it is now */
  async #ofPartition(
    find: () => OwnedPartition | Promise<OwnedPartition>,
    operation: Operation,
    { counted, admit }: Passage,
  ): Promise<Result> {
    for (;;) {
      const found = find()
      let waited = found instanceof Promise
      const owned = found instanceof Promise ? await found : found
      if (!owned.gate.tryEnter()) {
        waited = true
        await this.#enter(owned.gate)
      }
      try {
        // Meanwhile its range may have become another's.
        if (waited && (owned.dropped || (await find()) !== owned)) continue
        if (!counted) owned.meter.take(operation)
        const room = owned.room?.require(operation.case)
        if (room !== undefined) await room
        if (admit !== undefined) {
          return { case: 'admitWrite', value: create(AdmitWriteReplySchema, { admission: admit() }) }
        }
        return await answerPartition(owned, operation)
      } finally {
        owned.gate.leave()
      }
    }
  }

  async #ofPlaces(operation: Operation, passage: Passage): Promise<Result> {
    const { table } = this.#node.host
    const whose = (position: Position) => table.at(position)
    switch (operation.case) {
      case 'resolveBlobs': {
        const value = await divided('resolveBlobs', operation.value, whose, async ({ start }, some) => {
          const part = create(ResolveBlobsRequestSchema, some)
          return replyOf(
            'resolveBlobs',
            await this.#at(start, { case: 'resolveBlobs', value: part }, passage),
          )
        })
        return { case: 'resolveBlobs', value }
      }
      case 'requestRepair': {
        const value = await divided('requestRepair', operation.value, whose, async ({ start }, some) => {
          const part = create(RequestRepairRequestSchema, some)
          return replyOf(
            'requestRepair',
            await this.#at(start, { case: 'requestRepair', value: part }, passage),
          )
        })
        return { case: 'requestRepair', value }
      }
      default:
        throw invalidRequest(`${String(operation.case)} is of one place`)
    }
  }

  #at(position: Position, operation: Operation, passage: Passage): Promise<Result> {
    return this.#ofPartition(() => this.#node.host.at(position), operation, passage)
  }

  async #getPartitions({ knownVersion, fresh }: GetPartitionsRequest): Promise<GetPartitionsReply> {
    const { host, maps, members, options } = this.#node
    if (fresh) await host.refresh()
    // Who follows the map asks every few seconds, and has no use for the rest.
    const root = knownVersion === 0n ? host.servedRoot?.parts : undefined
    return create(GetPartitionsReplySchema, {
      ...(maps.map.version === knownVersion ? {} : { map: maps.map }),
      members: [...members.alive],
      loads: root?.loads.all ?? [],
      obstacles: (root?.balance.obstacles ?? []).map(({ partition, reason }) => ({
        id: BigInt(partition),
        reason,
      })),
      processes: root?.loads.processes ?? [],
      self: options.id,
    })
  }

  async #enter(gate: Gate): Promise<void> {
    if (gate.tryEnter()) return
    if (await gate.enterWithin(this.#node.options.clock, PARTITION_HOLD_MS_MAX)) return
    throw new MetadataError(FailureCode.NOT_MINE, 'the partition is being changed')
  }

  #errorOf(error: unknown): MetadataError {
    if (error instanceof MetadataError) return error
    if (error instanceof IllFormedStringError) return invalidRequest(error.message)
    if (error instanceof BatchTooLargeError) {
      return invalidRequest(`the request is too large: ${error.message}`)
    }
    this.#node.options.log.error('a metadata request failed', { error })
    const message =
      error instanceof NewerFormatError ? error.message : 'the metadata service has a fault; see its log'
    return new MetadataError(FailureCode.INTERNAL, message)
  }
}

function replyOf<K extends MetadataOperation>(wanted: K, result: Result): MetadataReply<K> {
  if (result.case !== wanted) throw new Error(`${String(result.case)} is no answer to ${wanted}`)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the case was compared above
  return result.value as MetadataReply<K>
}
