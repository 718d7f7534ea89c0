/** The acknowledgement contract, checked from outside: what is durable at the moment a commit arrives. */

import { parseCode, type Code } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { TooFewShardsError } from '../../core/erasure/matrix.ts'
import { encode, reconstruct } from '../../core/erasure/reference.ts'
import { relocatedTo } from '../../core/placement/relocation.ts'
import type { BlobRecord, RepairTask } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { FakeMetadata } from './fake-metadata.ts'
import type { FakeShards } from './fake-shards.ts'

/**
 * What a commit of this blob would break, in words; `undefined` if it keeps the contract. Counts only shards that lie
 * where a reader of the record would look. Written apart from core/placement/acknowledge.ts, from the text of DESIGN §6.
 */
export function contractBreach(
  metadata: FakeMetadata,
  shards: FakeShards,
  blob: BlobRecord | undefined,
  repairs: readonly RepairTask[],
): string | undefined {
  if (blob === undefined) return undefined
  const code = parseCode(blob.code)
  const group = metadata.map.pools.flatMap((pool) => pool.groups).find(({ id }) => id === blob.group)
  if (group === undefined) return `no group ${blob.group}`
  const stripes = stripeCount(code, Number(blob.size))
  for (let stripe = 0; stripe < stripes; stripe++) {
    const holders: string[] = []
    const held: { readonly node: string; readonly shard: number }[] = []
    let away = false
    for (const [shard, slot] of group.slots.entries()) {
      const relocated = relocatedTo(blob.relocations, shard, stripe)
      away ||= relocated !== undefined
      const address = { group: blob.group, blob: blob.id, stripe, shard }
      // A write that began by the map before has its shards on the source of a slot that moves, where readers look too.
      const nodes = relocated === undefined ? [slot.node, slot.source] : [relocated]
      const holder = nodes.find((node) => node !== '' && shards.node(node).has(address))
      if (holder !== undefined) {
        holders.push(holder)
        held.push({ node: holder, shard })
      } else if (relocated !== '') {
        return `shard ${shard} of stripe ${stripe} is not on ${nodes.join(' or ')}, where the record says`
      }
    }
    if (!away) continue
    if (!repairs.some((task) => task.blob?.id === blob.id)) return 'a degraded blob without a repair task'
    if (code.local !== undefined) {
      const fatal = holders.find(
        (lost) =>
          !restores(
            code,
            held.filter(({ node }) => node !== lost).map(({ shard }) => shard),
          ),
      )
      if (fatal !== undefined) return `stripe ${stripe}: the loss of ${fatal} makes it unreadable`
    }
    if (holders.length < code.k + 1) return `stripe ${stripe} has ${holders.length} shards, k is ${code.k}`
    for (const lost of holders) {
      const left = holders.filter((node) => node !== lost).length
      if (left < code.k) return `stripe ${stripe}: the loss of ${lost} leaves ${left} of ${code.k}`
    }
  }
  return undefined
}

/** Whether these shards give back all data: tried out on a byte each. */
function restores(code: Code, shards: readonly number[]): boolean {
  const data = Array.from({ length: code.k }, (_, i) => Uint8Array.of(i + 1))
  const whole = [...data, ...encode(code, data)]
  try {
    reconstruct(
      code,
      whole.map((bytes, shard) => (shards.includes(shard) ? bytes : undefined)),
    )
    return true
  } catch (error) {
    if (error instanceof TooFewShardsError) return false
    throw error
  }
}
