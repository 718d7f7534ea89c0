/** One blob in a cluster of fakes, of which shards can be lost, and its repair. */

import assert from 'node:assert/strict'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeAt, type Stripe } from '../../core/erasure/layout.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { StripeRepair } from '../repair/api.ts'
import type { StoreSettings } from '../store.ts'
import { clusterMap } from './cluster-map.ts'
import type { FakeNode } from './fake-shards.ts'
import { bytesOf, createHarness, type Harness } from './harness.ts'

export interface RepairScene {
  readonly harness: Harness
  readonly blob: BlobRecord
  /** Bytes asked of the budget by the last repair. */
  readonly paid: number
  stripe(index: number): Stripe
  address(stripe: number, shard: number): ShardAddress
  /** The node of the shard's slot. */
  nodeOf(shard: number): string
  /** The cluster's map with another epoch. */
  shape(epoch: number): ReturnType<typeof clusterMap>
  lose(stripe: number, shard: number): void
  /** The shard as it was, on a node that has none of the blob's; resolves to that node. */
  keepElsewhere(stripe: number, shard: number): string
  rebuild(stripe: number, wanted: readonly number[], options?: RebuildOptions): Promise<StripeRepair>
  assertIntact(stripe: number, shard: number): void
  /** All as it was in the beginning; no faults. */
  restore(): void
  counters(): { readonly bytesRead: number; readonly puts: number }
  /** Makes sure that nothing is held any more, and closes the store. */
  end(): Promise<void>
}

export interface RebuildOptions {
  readonly signal?: AbortSignal
  /** Shards that are said to be on their slots' nodes, whether they are or not. */
  readonly pretend?: readonly number[]
  /** Instead of the slots' nodes. */
  readonly target?: string
}

/** A blob of `size` bytes by that code, over three zones with as many nodes as there are shards, and a spare one each. */
export async function createRepairScene(
  codeName: string,
  size: number,
  settings: Partial<StoreSettings> = {},
): Promise<RepairScene> {
  const code = parseCode(codeName)
  const nodesPerZone = Math.ceil(code.total / 3) + 1
  const shape = (epoch: number) => clusterMap({ small: '', large: codeName, nodesPerZone, epoch })
  const harness = createHarness({ small: '', large: codeName, nodesPerZone }, settings)
  const bytes = bytesOf(size, size)
  const record = await harness.put('key', bytes)
  const blob = record.blob ?? assert.fail('no blob')
  const group = harness.metadata.map.pools.flatMap((pool) => pool.groups).find(({ id }) => id === blob.group)
  const slots = group?.slots.map(({ node }) => node) ?? assert.fail('no group')
  const nodes = [...harness.shards.nodes.values()]
  const original = nodes.map((node) => new Map(node.shards))
  const calls = nodes.map(({ calls: { put } }) => put)
  const address = (stripe: number, shard: number) => ({ group: blob.group, blob: blob.id, stripe, shard })
  const nodeOf = (shard: number): string => slots[shard] ?? assert.fail(`no slot ${shard}`)
  const originalOf = (stripe: number, shard: number) => {
    const kept = original[nodes.findIndex(({ id }) => id === nodeOf(shard))]
    return kept?.get(keyOf(address(stripe, shard))) ?? assert.fail(`no shard ${shard}`)
  }
  let paid = 0
  return {
    harness,
    blob,
    get paid() {
      return paid
    },
    stripe: (index) => stripeAt(code, size, index),
    address,
    nodeOf,
    shape,
    lose(stripe, shard) {
      for (const node of nodes) node.shards.delete(keyOf(address(stripe, shard)))
    },
    keepElsewhere(stripe, shard) {
      const spare = nodes.find(({ id }) => !slots.includes(id)) ?? assert.fail('no spare node')
      spare.shards.set(keyOf(address(stripe, shard)), originalOf(stripe, shard))
      return spare.id
    },
    rebuild(stripe, wanted, { signal, pretend = [], target } = {}) {
      const sources = new Map<number, string[]>()
      for (let shard = 0; shard < code.total; shard++) {
        const holders = nodes.filter((node) => node.has(address(stripe, shard))).map(({ id }) => id)
        if (pretend.includes(shard)) holders.push(nodeOf(shard))
        if (holders.length > 0) sources.set(shard, holders)
      }
      paid = 0
      const request = {
        blob,
        owner: { bucket: 'bucket', key: 'key', version: record.version, part: 0 },
        stripe,
        sources,
        wanted: new Map(wanted.map((shard) => [shard, target ?? slots[shard] ?? 'nowhere'])),
        epoch: 1,
        budget: {
          async take(taken: number) {
            paid += taken
          },
        },
      }
      return harness.clock.drive(harness.store.repair.rebuildStripe(request, signal))
    },
    assertIntact(stripe, shard) {
      const kept = harness.shards.node(nodeOf(shard)).shards.get(keyOf(address(stripe, shard)))
      const { data, owner } = originalOf(stripe, shard)
      assert.ok(Buffer.from(kept?.data ?? []).equals(data ?? assert.fail('no data')), `shard ${shard}`)
      assert.deepEqual(kept?.owner, owner)
    },
    restore() {
      for (const [i, node] of nodes.entries()) restoreNode(node, original[i] ?? NONE)
    },
    counters: () => ({
      bytesRead: nodes.reduce((sum, node) => sum + node.bytesRead, 0),
      puts: nodes.reduce((sum, node, i) => sum + node.calls.put - (calls[i] ?? 0), 0),
    }),
    async end() {
      harness.shards.afflict(harness.shards.nodes.keys(), undefined)
      await harness.assertIdle()
      await harness.store.close()
    },
  }
}

const NONE: FakeNode['shards'] = new Map()

function restoreNode(node: FakeNode, shards: FakeNode['shards']): void {
  node.fault = () => undefined
  node.shards.clear()
  for (const [key, shard] of shards) node.shards.set(key, shard)
}

export function keyOf({ group, blob, stripe, shard }: ShardAddress): string {
  return `${group}/${blob}/${stripe}/${shard}`
}
