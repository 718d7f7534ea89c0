/** Which shards of one blob a node has. */

import { ERASURE_SHARDS_MAX, SHARD_LIST_MAX } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { inTime, type WorkContext } from './context.ts'
import type { HeldShard } from './plan.ts'

const STRIPE_LAST = 2 ** 32 - 1
const SHARD_LAST = ERASURE_SHARDS_MAX - 1

/** @throws {ShardError}, or the signal's reason */
export async function listBlob(
  { shards, clock }: Pick<WorkContext, 'shards' | 'clock'>,
  node: string,
  group: number,
  blob: string,
  epoch: number,
  signal: AbortSignal,
): Promise<HeldShard[]> {
  const held: HeldShard[] = []
  let after = before(group, blob)
  for (;;) {
    const from = after
    const request = { group, limit: SHARD_LIST_MAX, epoch, ...(from === undefined ? {} : { after: from }) }
    const page = await inTime(clock, signal, (ending) => shards.node(node).list(request, ending))
    for (const { address, bytes, damaged } of page.shards) {
      if (address.blob !== blob) return held
      held.push({ node, stripe: address.stripe, shard: address.shard, bytes, damaged })
    }
    after = page.shards.at(-1)?.address
    if (!page.truncated || after === undefined) return held
  }
}

/** The last address that a shard of the blob can have. */
export function lastOf(group: number, blob: string): ShardAddress {
  return { group, blob, stripe: STRIPE_LAST, shard: SHARD_LAST }
}

/** The last address before those of the blob; `undefined` for the first blob there can be. */
function before(group: number, blob: string): ShardAddress | undefined {
  const id = BigInt(`0x${blob}`)
  if (id === 0n) return undefined
  return { group, blob: (id - 1n).toString(16).padStart(32, '0'), stripe: STRIPE_LAST, shard: SHARD_LAST }
}
