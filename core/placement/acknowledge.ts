/**
 * The acknowledgement contract (DESIGN §6): whether what reached stable storage is enough to tell the client "stored".
 * Pure; asked once a stripe, after its last shard settled and before anything is committed.
 */

import type { Code } from '../erasure/code.ts'
import { isReadable } from '../erasure/repair.ts'

/**
 * - `healthy`: every shard is on the node that its slot names.
 * - `degraded`: not so, yet one more node may be lost; repair must be queued in the same commit.
 * - `refused`: the write must not be acknowledged.
 */
export type Acknowledgement = 'healthy' | 'degraded' | 'refused'

/**
 * The verdict on one stripe.
 *
 * A placement group chosen over few nodes may name a node several times; storing it as chosen is healthy, since the
 * operator was told what such a cluster can lose. A departure from the group must earn its acknowledgement: the stripe must
 * be readable whichever single node is lost next. Of a Reed–Solomon code or of copies those are at least k + 1 shards, and k
 * left without any node; of a locally repairable code it depends on which they are. Hence never at the bare minimum, and never
 * for a code with no parity.
 *
 * @param slots the node of each slot of the placement group, by shard number
 * @param stored the node on which each shard is durable, by shard number; `undefined` where none has it
 * @throws {RangeError} unless both name `code.total` shards
 */
export function acknowledge(
  code: Code,
  slots: readonly string[],
  stored: readonly (string | undefined)[],
): Acknowledgement {
  if (slots.length !== code.total || stored.length !== code.total) {
    throw new RangeError(`${code.name} has ${code.total} shards, not ${slots.length} and ${stored.length}`)
  }
  if (stored.every((node, shard) => node === slots[shard])) return 'healthy'
  if (stored.every((node) => node === undefined)) return 'refused'
  return fatalNodes(code, stored).length > 0 ? 'refused' : 'degraded'
}

/** The nodes whose loss would leave the stripe unreadable, each once; none that holds no shard of it. */
export function fatalNodes(code: Code, stored: readonly (string | undefined)[]): string[] {
  const missing: number[] = []
  const held = new Map<string, number[]>()
  for (const [shard, node] of stored.entries()) {
    if (node === undefined) {
      missing.push(shard)
      continue
    }
    const here = held.get(node)
    if (here === undefined) held.set(node, [shard])
    else here.push(shard)
  }
  const fatal: string[] = []
  for (const [node, shards] of held) if (!isReadable(code, [...missing, ...shards])) fatal.push(node)
  return fatal
}
