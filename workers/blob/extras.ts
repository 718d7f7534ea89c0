/** Removal of shards that are where they do not belong. */

import { SHARD_LIST_MAX } from '../../core/limits.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { WorkGroup } from '../cluster/view.ts'
import { inTime, type WorkContext } from './context.ts'
import { byNewestMap, SlotsChanged } from './epoch.ts'
import type { HeldShard } from './plan.ts'

export interface Removal {
  readonly group: WorkGroup
  readonly blob: string
  readonly extras: readonly HeldShard[]
  /** What is known of the one on its slot's node; the blob has no such shard, where it is needless. */
  readonly onSlot: (shard: HeldShard) => 'needless' | 'verified' | 'listed' | 'missing'
  readonly signal: AbortSignal
}

/**
 * Removes them, each once the one on its slot's node has been read whole from there; those of which it has not are left.
 * Resolves to how many were.
 *
 * @throws {SlotsChanged} they may belong elsewhere by now; or the signal's reason
 */
export async function removeExtras(context: WorkContext, removal: Removal): Promise<number> {
  const { group, blob, extras, onSlot, signal } = removal
  const doomed = new Map<string, HeldShard[]>()
  let left = 0
  for (const extra of extras) {
    const known = onSlot(extra)
    const dispensable =
      known === 'needless' ||
      known === 'verified' ||
      (known === 'listed' && (await isSound(context, removal, extra)))
    if (!dispensable) {
      left++
      continue
    }
    const ofNode = doomed.get(extra.node)
    if (ofNode === undefined) doomed.set(extra.node, [extra])
    else ofNode.push(extra)
  }
  for (const [node, all] of doomed) {
    try {
      await removeFrom(context, removal, node, all)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SlotsChanged) throw error
      left += all.length
      context.log.debug('shards that do not belong there stay', { node, group: group.id, blob, error })
    }
  }
  return left
}

async function removeFrom(
  context: WorkContext,
  { group, blob, signal }: Removal,
  node: string,
  doomed: readonly HeldShard[],
): Promise<void> {
  const { shards, clock } = context
  for (let at = 0; at < doomed.length; at += SHARD_LIST_MAX) {
    const some = doomed.slice(at, at + SHARD_LIST_MAX).map(({ stripe, shard }) => ({ stripe, shard }))
    await byNewestMap(context, group, signal, (epoch) => {
      const request = { group: group.id, blob, shards: some, epoch }
      return inTime(clock, signal, (ending) => shards.node(node).deleteShards(request, ending))
    })
  }
}

/** The shard can be read from its slot's node, all of it, at this moment. */
async function isSound(
  context: WorkContext,
  { group, blob, signal }: Removal,
  { stripe, shard, bytes }: HeldShard,
): Promise<boolean> {
  const { shards, clock, budget, log } = context
  const node = group.slots[shard]?.node ?? ''
  const address = { group: group.id, blob, stripe, shard }
  await budget.take(bytes, signal)
  try {
    const read = await byNewestMap(context, group, signal, (epoch) =>
      inTime(clock, signal, (ending) => shards.node(node).get({ address, epoch }, ending)),
    )
    return read.data.byteLength === read.shardBytes && firstBadBlock(read.data, read.checksums) < 0
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof SlotsChanged) throw error
    log.debug('a shard cannot be read where it belongs', { node, ...address, error })
    return false
  }
}
