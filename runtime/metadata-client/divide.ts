import { create } from '@bufbuild/protobuf'
import type { Position } from '../../core/keyspace/partitions.ts'
import {
  RequestRepairReplySchema,
  ResolveBlobsReplySchema,
  ResolvedBlobSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataReply, MetadataRequestInit } from '../../proto/metadata-api.ts'
import { positionOf } from './locate.ts'

/** Operations that speak of several keys at once. */
export type DividedOperation = 'resolveBlobs' | 'requestRepair'

/** What one of the parts of a request was about, by index in the whole, and its answer. */
interface Part<K extends DividedOperation> {
  readonly indexes: readonly number[]
  readonly reply: MetadataReply<K>
}

interface Division<K extends DividedOperation> {
  positions(request: MetadataRequestInit<K>): readonly Position[]
  /** The same request about some of its keys. */
  some(request: MetadataRequestInit<K>, indexes: readonly number[]): MetadataRequestInit<K>
  whole(parts: readonly Part<K>[], count: number): MetadataReply<K>
}

const DIVISIONS: { readonly [K in DividedOperation]: Division<K> } = {
  resolveBlobs: {
    positions: ({ places = [] }) => places.map(positionOf),
    some: ({ places = [] }, indexes) => ({ places: indexes.flatMap((index) => places[index] ?? []) }),
    whole(parts, count) {
      const blobs = Array.from({ length: count }, () => create(ResolvedBlobSchema))
      for (const { indexes, reply } of parts) {
        for (const [at, index] of indexes.entries()) {
          blobs[index] = reply.blobs[at] ?? create(ResolvedBlobSchema)
        }
      }
      return create(ResolveBlobsReplySchema, { blobs })
    },
  },
  requestRepair: {
    positions: ({ tasks = [] }) => tasks.map(positionOf),
    some: ({ tasks = [] }, indexes) => ({ tasks: indexes.flatMap((index) => tasks[index] ?? []) }),
    whole: (parts) =>
      create(RequestRepairReplySchema, { queued: parts.reduce((sum, { reply }) => sum + reply.queued, 0) }),
  },
}

/**
 * Asks each of several for its part of a request, all at once, and puts their answers together: in the order of the request,
 * or added up. One that is asked for all of it gets the request as it is.
 * @param whose who has a position, the same object or value for the same one
 * @throws what the first to fail throws; others may have done theirs
 */
export async function divided<K extends DividedOperation, T>(
  operation: K,
  request: MetadataRequestInit<K>,
  whose: (position: Position) => T,
  ask: (one: T, some: MetadataRequestInit<K>) => Promise<MetadataReply<K>>,
): Promise<MetadataReply<K>> {
  const division: Division<K> = DIVISIONS[operation]
  const positions = division.positions(request)
  const groups = new Map<T, number[]>()
  for (const [index, position] of positions.entries()) {
    const one = whose(position)
    const indexes = groups.get(one)
    if (indexes === undefined) groups.set(one, [index])
    else indexes.push(index)
  }
  if (groups.size === 0) return division.whole([], 0)
  const parts = await Promise.all(
    [...groups].map(async ([one, indexes]): Promise<Part<K>> => {
      const some = groups.size === 1 ? request : division.some(request, indexes)
      return { indexes, reply: await ask(one, some) }
    }),
  )
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only.reply : division.whole(parts, positions.length)
}
