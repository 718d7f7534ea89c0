/** Whose blobs are, as their shards say, and what metadata knows of them at this moment. */

import { BLOB_PLACES_MAX, SHARD_DESCRIBE_MAX } from '../../core/limits.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { BlobPlaceSchema, ResolvedBlob } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import { askMetadata, inTime, type WorkContext } from './context.ts'
import type { HeldShard } from './plan.ts'

/** Where a blob belongs. */
export type Place = MessageInitShape<typeof BlobPlaceSchema> & {
  readonly bucket: string
  readonly key: string
  readonly version: string
  readonly part: number
  readonly annotation: string
  readonly blob: string
}

/** A blob as the nodes list it. */
export interface ListedBlob {
  readonly blob: string
  /** At least one. */
  readonly held: readonly HeldShard[]
}

export function placeOf(owner: ShardOwner, blob: string): Place {
  const { bucket, key, version, part, annotation = '' } = owner
  return { bucket, key, version, part, annotation, blob }
}

/**
 * The owner of each blob, of those that any of its shards can tell: the others are left out.
 *
 * @throws the signal's reason
 */
export async function describeBlobs(
  context: Pick<WorkContext, 'shards' | 'clock' | 'log'>,
  group: number,
  blobs: readonly ListedBlob[],
  signal: AbortSignal,
): Promise<Map<string, ShardOwner>> {
  const owners = new Map<string, ShardOwner>()
  const queues = new Map(blobs.map(({ blob, held }) => [blob, witnesses(held)]))
  while (queues.size > 0) {
    // Of each blob that is not known yet, the next shard to ask, by its node.
    const asked = new Map<string, { readonly blob: string; readonly shard: HeldShard }[]>()
    for (const [blob, queue] of queues) {
      const shard = queue.shift()
      if (shard === undefined) {
        queues.delete(blob)
        continue
      }
      const ofNode = asked.get(shard.node)
      if (ofNode === undefined) asked.set(shard.node, [{ blob, shard }])
      else ofNode.push({ blob, shard })
    }
    await Promise.all(
      [...asked].map(async ([node, all]) => {
        for (let at = 0; at < all.length; at += SHARD_DESCRIBE_MAX) {
          const some = all.slice(at, at + SHARD_DESCRIBE_MAX)
          const said = await describeSome(context, node, group, some, signal)
          for (const [i, { blob }] of some.entries()) {
            const owner = said[i]
            if (owner === undefined) continue
            owners.set(blob, owner)
            queues.delete(blob)
          }
        }
      }),
    )
  }
  return owners
}

async function describeSome(
  { shards, clock, log }: Pick<WorkContext, 'shards' | 'clock' | 'log'>,
  node: string,
  group: number,
  some: readonly { readonly blob: string; readonly shard: HeldShard }[],
  signal: AbortSignal,
): Promise<readonly (ShardOwner | undefined)[]> {
  const addresses = some.map(({ blob, shard: { stripe, shard } }) => ({ group, blob, stripe, shard }))
  try {
    const said = await inTime(clock, signal, (ending) => shards.node(node).describe(addresses, ending))
    return said.map((description) => description?.owner)
  } catch (error) {
    signal.throwIfAborted()
    log.debug('a node does not describe its shards', { node, error })
    return []
  }
}

/** One shard of each node, those in good order first. */
function witnesses(held: readonly HeldShard[]): HeldShard[] {
  const ofNode = new Map<string, HeldShard>()
  for (const shard of held) {
    const known = ofNode.get(shard.node)
    if (known === undefined || (known.damaged && !shard.damaged)) ofNode.set(shard.node, shard)
  }
  const all = [...ofNode.values()]
  return [...all.filter(({ damaged }) => !damaged), ...all.filter(({ damaged }) => damaged)]
}

/** What metadata knows of each, in their order. @throws {MetadataError} */
export async function resolvePlaces(
  context: Pick<WorkContext, 'metadata' | 'clock'>,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<ResolvedBlob[]> {
  const resolved: ResolvedBlob[] = []
  for (let at = 0; at < places.length; at += BLOB_PLACES_MAX) {
    const some = places.slice(at, at + BLOB_PLACES_MAX)
    const { blobs } = await askMetadata(context, signal, 'resolveBlobs', { places: some })
    if (blobs.length !== some.length) throw new Error('metadata answered about other blobs than asked')
    resolved.push(...blobs)
  }
  return resolved
}
