import { create } from '@bufbuild/protobuf'
import { ENGINE_MOVE_ANSWER_MS, PEER_TIMEOUT_MS } from '../../core/limits.ts'
import {
  type ChangePartitionsReply,
  ChangePartitionsReplySchema,
  type ChangePartitionsRequest,
  FailureCode,
  type MergePartitions,
  type MovePartition,
  type SplitPartition,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { invalidRequest } from '../failure.ts'
import type { Changed } from '../host/changes.ts'
import { entryOf, positionOf, refused } from '../host/map-plans.ts'
import { chooseSplit } from '../host/split-choice.ts'
import type { MetadataNode } from '../node.ts'

/**
 * Makes a change of the partitions that somebody asked for: here, if it is this process's to make, else, as the coordinator, by
 * asking whoever it is.
 * @throws {MetadataError} PARTITION_REFUSED, STALE_EPOCH, NOT_MINE, UNAVAILABLE when the outcome is not known
 */
export async function changePartitions(
  node: MetadataNode,
  request: ChangePartitionsRequest,
): Promise<ChangePartitionsReply> {
  const { maps } = node
  await maps.refresh()
  if (request.expectedVersion !== 0n && request.expectedVersion !== maps.map.version) {
    const message = `the partition map is at version ${maps.map.version} by now, not ${request.expectedVersion}`
    throw new MetadataError(FailureCode.STALE_EPOCH, message)
  }
  const { change } = request
  switch (change.case) {
    case 'split':
      return split(node, change.value)
    case 'merge':
      return merge(node, change.value)
    case 'move':
      return move(node, change.value)
    case undefined:
      throw invalidRequest('the request has no change')
  }
}

async function split(node: MetadataNode, change: SplitPartition): Promise<ChangePartitionsReply> {
  const id = Number(change.id)
  const { entry } = entryOf(node.maps.map, id)
  if (entry.owner !== node.options.id) return passOn(node, entry.owner, { case: 'split', value: change })
  const at =
    change.at === undefined ? await chooseSplit(node.engineOf(id), node.host.byId(id)) : positionOf(change.at)
  return replyOf(await node.changes.split(id, at))
}

async function merge(node: MetadataNode, change: MergePartitions): Promise<ChangePartitionsReply> {
  const left = Number(change.left)
  const { entry, index } = entryOf(node.maps.map, left)
  const right = node.maps.map.partitions[index + 1]
  if (right === undefined) throw refused(`partition ${left} has no right neighbour`)
  if (entry.owner !== node.options.id) return passOn(node, entry.owner, { case: 'merge', value: change })
  if (right.owner !== entry.owner) {
    const value = { id: right.id, owner: entry.owner, engine: '', $typeName: MOVE } as const
    await node.peers.call(right.owner, 'changePartitions', { change: { case: 'move', value } })
    await node.host.refresh()
    await node.host.idle()
  }
  return replyOf(await node.changes.merge(left, Number(right.id)))
}

const MOVE = 'ashlar.v1.MovePartition'

async function move(node: MetadataNode, change: MovePartition): Promise<ChangePartitionsReply> {
  const { maps, options, changes, members, peers } = node
  const id = Number(change.id)
  if (change.engine !== '') return moveEngine(node, change)
  const owner = id === 0 ? maps.map.rootOwner : entryOf(maps.map, id).entry.owner
  const to = members.get(change.owner)
  if (to === undefined) throw refused(`there is no metadata process ${JSON.stringify(change.owner)}`)
  if (to.leaving) throw refused(`metadata process ${to.id} is about to end`)
  if (owner === to.id) return create(ChangePartitionsReplySchema, { map: maps.map })
  if (owner !== options.id) return passOn(node, owner, { case: 'move', value: change })
  const engine = id === 0 ? maps.map.coordinationEngine : entryOf(maps.map, id).entry.engine
  if (!to.engines.includes(engine)) throw refused(`metadata process ${to.id} does not reach engine ${engine}`)
  const changed = await (id === 0 ? changes.moveRoot(to.id) : changes.move(id, to.id))
  // It would find out by itself, a little later.
  void peers.call(to.id, 'getPartitions', { fresh: true }).catch(() => undefined)
  return replyOf(changed)
}

async function moveEngine(node: MetadataNode, change: MovePartition): Promise<ChangePartitionsReply> {
  const { maps, options, changes } = node
  const id = Number(change.id)
  if (change.owner !== '') throw refused('move it to another process first, then to another engine')
  if (id === 0) throw refused('the root lies on the coordination engine, always')
  const { entry } = entryOf(maps.map, id)
  if (entry.engine === change.engine) return create(ChangePartitionsReplySchema, { map: maps.map })
  if (entry.owner !== options.id) {
    return passOn(node, entry.owner, { case: 'move', value: change }, ENGINE_MOVE_ANSWER_MS + PEER_TIMEOUT_MS)
  }
  await node.host.idle()
  const moved = changes.moveEngine(id, change.engine)
  const late = Promise.withResolvers<undefined>()
  const cancel = options.clock.after(ENGINE_MOVE_ANSWER_MS, () => {
    late.resolve(undefined)
  })
  moved.catch((error: unknown) => {
    options.log.warn('a partition was not moved to another engine', { partition: id, error })
  })
  try {
    const changed = await Promise.race([moved, late.promise])
    if (changed !== undefined) return replyOf(changed)
  } finally {
    cancel()
  }
  throw refused(
    `it is still being copied to engine ${change.engine}, which goes on: ask again to wait for it`,
  )
}

async function passOn(
  node: MetadataNode,
  owner: string,
  change: ChangePartitionsRequest['change'],
  timeoutMs?: number,
): Promise<ChangePartitionsReply> {
  if (owner === '') throw refused('nobody serves the partition now')
  // Whoever is not the coordinator was asked as the owner, which it was by a map that has changed since.
  if (node.host.servedRoot === undefined) {
    throw new MetadataError(FailureCode.NOT_MINE, 'another metadata process serves the partition')
  }
  return node.peers.call(owner, 'changePartitions', { change }, timeoutMs)
}

function replyOf({ map, heldMs }: Changed): ChangePartitionsReply {
  return create(ChangePartitionsReplySchema, { map, heldMs: BigInt(Math.round(heldMs)) })
}
