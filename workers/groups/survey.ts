/** How much a group lacks, from the lists of its nodes alone. */

import type { Code } from '../../core/erasure/code.ts'
import { sourcesFor } from '../../core/erasure/repair.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { planBlob, stripesSeen, type BlobPlan, type HeldShard } from '../blob/plan.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import { mergeLists } from './merge.ts'

export interface Survey {
  readonly blobs: number
  /** Bytes of shards to be read and written, as far as that can be told. */
  readonly bytes: number
  /** Of the worst blob. */
  readonly spare: number
}

/** @throws {ListFailure}, or the signal's reason */
export async function surveyGroup(
  ports: { readonly shards: ShardTransport; readonly clock: Clock },
  view: WorkView,
  group: WorkGroup,
  signal: AbortSignal,
): Promise<Survey> {
  const nodes = [...view.nodes.values()].filter(({ up }) => up).map(({ id }) => id)
  const listed = new Set(nodes)
  let blobs = 0
  let bytes = 0
  let spare = group.pool.code.m
  for await (const { held } of mergeLists(ports, { nodes, group: group.id, epoch: view.epoch, signal })) {
    const plan = planBlob({
      code: group.pool.code,
      stripes: stripesSeen(held),
      slots: group.slots,
      held,
      listed,
      writable: (node) => view.isWritable(node),
    })
    if (plan.rebuild.length === 0) continue
    blobs++
    bytes += bytesToMove(group.pool.code, plan, held)
    spare = Math.min(spare, plan.spare)
  }
  return { blobs, bytes, spare }
}

/** A shard that another node has is read and written; the others are made of as few as the code allows. */
function bytesToMove(code: Code, { rebuild }: BlobPlan, held: readonly HeldShard[]): number {
  const shardBytes = new Map(held.map(({ stripe, bytes }) => [stripe, bytes]))
  let bytes = 0
  for (const { stripe, sources, wanted } of rebuild) {
    const made = [...wanted.keys()].filter((shard) => !sources.has(shard))
    const read = sourcesFor(code, made, [...sources.keys()])?.length ?? 0
    bytes += (shardBytes.get(stripe) ?? 0) * (2 * (wanted.size - made.length) + made.length + read)
  }
  return bytes
}
