/** Copies of shards as they are, for blobs of which it is not known yet whether they will be committed. */

import type { ShardOwner } from '../../proto/shard-transport.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { WorkGroup } from '../cluster/view.ts'
import { inTime, type WorkContext } from './context.ts'
import { byNewestMap } from './epoch.ts'
import type { ListedBlob } from './identify.ts'
import type { HeldShard } from './plan.ts'

/**
 * Brings the shards of a blob from the sources of slots that move to the slots' nodes. Should its write come to its end with
 * the older map, its shards are where readers look when the sources are dropped. Nothing is removed and nothing computed.
 *
 * Resolves to the shards that were copied or could not be, of which the node may be in want until the next look.
 */
export async function copyFromSources(
  context: WorkContext,
  group: WorkGroup,
  { blob, held }: ListedBlob,
  owner: ShardOwner,
  signal: AbortSignal,
): Promise<{ readonly shards: ReadonlySet<number>; readonly bytes: number }> {
  const there = new Set(held.map(({ node, stripe, shard }) => `${node}/${stripe}/${shard}`))
  const shards = new Set<number>()
  let bytes = 0
  for (const one of held) {
    const slot = group.slots[one.shard]
    const wanted = slot !== undefined && slot.source === one.node && !one.damaged
    if (!wanted || there.has(`${slot.node}/${one.stripe}/${one.shard}`)) continue
    shards.add(one.shard)
    try {
      await copyShard(context, { group, blob, to: slot.node, owner, one, signal })
      bytes += 2 * one.bytes
    } catch (error) {
      signal.throwIfAborted()
      context.log.debug('a shard of a young blob could not be copied', { blob, node: slot.node, error })
    }
  }
  return { shards, bytes }
}

interface Copy {
  readonly group: WorkGroup
  readonly blob: string
  readonly to: string
  readonly owner: ShardOwner
  readonly one: HeldShard
  readonly signal: AbortSignal
}

async function copyShard(context: WorkContext, { group, blob, to, owner, one, signal }: Copy): Promise<void> {
  const { shards, clock, budget } = context
  const { node, stripe, shard } = one
  const address = { group: group.id, blob, stripe, shard }
  await budget.take(2 * one.bytes, signal)
  const { data, checksums, shardBytes } = await byNewestMap(context, group, signal, (epoch) =>
    inTime(clock, signal, (ending) => shards.node(node).get({ address, epoch }, ending)),
  )
  const whole = data.byteLength === shardBytes && firstBadBlock(data, checksums) < 0
  if (!whole) throw new Error('the shard came damaged')
  await byNewestMap(context, group, signal, (epoch) => {
    const request = { address, owner, epoch, data, checksums }
    return inTime(clock, signal, (ending) => shards.node(to).put(request, ending))
  })
}
