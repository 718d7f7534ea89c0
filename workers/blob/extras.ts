/** Removal of shards that are where they do not belong. */

import { SHARD_LIST_MAX } from '../../core/limits.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { ShardError } from '../../proto/shard-transport.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import { inTime, type WorkContext } from './context.ts'
import type { HeldShard } from './plan.ts'

export interface Removal {
  readonly extras: readonly HeldShard[]
  /** What is known of the one on its slot's node; the blob has no such shard, where it is needless. */
  readonly onSlot: (shard: HeldShard) => 'needless' | 'verified' | 'listed' | 'missing'
  readonly signal: AbortSignal
}

/**
 * Removes them, each once the one on its slot's node has been read whole from there. Those of which it has not are left.
 *
 * - `removed`: all of them
 * - `left`: not all
 * - `changed`: a node knows a newer map
 */
export async function removeExtras(
  context: WorkContext,
  view: WorkView,
  group: WorkGroup,
  { id, code, size }: Pick<BlobRecord, 'id' | 'code' | 'size'>,
  { extras, onSlot, signal }: Removal,
): Promise<'removed' | 'left' | 'changed'> {
  const doomed = new Map<string, HeldShard[]>()
  let left = 0
  let stale = false
  for (const extra of extras) {
    const known = onSlot(extra)
    const node = group.slots[extra.shard]?.node ?? ''
    const dispensable =
      known === 'needless' ||
      known === 'verified' ||
      (known === 'listed' && (await isSound(context, view, node, group.id, id, extra, signal)))
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
      await remove(context, view, node, group.id, id, all, signal)
    } catch (error) {
      signal.throwIfAborted()
      left += all.length
      if (error instanceof ShardError && error.code === 'stale-map') stale = true
      context.log.debug('shards that do not belong there stay', {
        node,
        blob: id,
        code,
        size: Number(size),
        error,
      })
    }
  }
  if (stale) return 'changed'
  return left === 0 ? 'removed' : 'left'
}

async function remove(
  { shards, clock }: WorkContext,
  { epoch }: WorkView,
  node: string,
  group: number,
  blob: string,
  doomed: readonly HeldShard[],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < doomed.length; at += SHARD_LIST_MAX) {
    const some = doomed.slice(at, at + SHARD_LIST_MAX).map(({ stripe, shard }) => ({ stripe, shard }))
    const request = { group, blob, shards: some, epoch }
    await inTime(clock, signal, (ending) => shards.node(node).deleteShards(request, ending))
  }
}

/** The shard can be read from that node, all of it, at this moment. */
async function isSound(
  { shards, clock, budget, log }: WorkContext,
  { epoch }: WorkView,
  node: string,
  group: number,
  blob: string,
  { stripe, shard, bytes }: HeldShard,
  signal: AbortSignal,
): Promise<boolean> {
  await budget.take(bytes, signal)
  const address = { group, blob, stripe, shard }
  try {
    const request = { address, epoch }
    const read = await inTime(clock, signal, (ending) => shards.node(node).get(request, ending))
    return read.data.byteLength === read.shardBytes && firstBadBlock(read.data, read.checksums) < 0
  } catch (error) {
    signal.throwIfAborted()
    log.debug('a shard cannot be read where it belongs', { node, ...address, error })
    return false
  }
}
