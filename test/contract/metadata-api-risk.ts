import assert from 'node:assert/strict'
import { MemberState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi, MetadataReply } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'

/** Three zones of two nodes; rs-4-2 (groups from 65536) and replica-3 (from 131072), 8 groups each. */

const BLOBS = 10n

/** Every node says that it has all shards of its slots, of so many blobs a group; but for what `blobs` says of some. */
async function report(
  api: MetadataApi,
  nodes: readonly string[],
  blobs: (node: string, group: number, shard: number) => bigint = () => BLOBS,
): Promise<void> {
  const { map } = await api.call('getCluster', {})
  const slots = map?.pools.flatMap(({ groups }) =>
    groups.flatMap((group) =>
      group.slots.map((slot, shard) => ({ group: group.id, shard, node: slot.node })),
    ),
  )
  for (const node of nodes) {
    const lines = (slots ?? [])
      .filter((slot) => slot.node === node)
      .map(({ group, shard }) => ({ group, shard, blobs: blobs(node, group, shard) }))
    await api.call('heartbeat', { node: { node }, zone: node.slice(0, 1), inventory: { version: 1n, lines } })
  }
}

type Pool = MetadataReply<'getRisk'>['pools'][number]

async function poolOf(api: MetadataApi, name = 'standard'): Promise<Pool> {
  const { pools } = await api.call('getRisk', {})
  const pool = pools.find((one) => one.name === name)
  assert.ok(pool !== undefined)
  return pool
}

function spareOf(spare: Pool['spare']): [number, bigint][] {
  return spare.map((line) => [line.spare, line.blobs])
}

const ALL = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

export const riskCases: readonly Case[] = [
  [
    'risk: before anybody has reported, all nodes are silent and nothing is counted',
    async (api) => {
      const { pools, silent, epoch, repairBytesWaiting } = await api.call('getRisk', {})
      assert.deepEqual(silent, ALL)
      assert.equal(epoch, (await api.call('getCluster', {})).map?.epoch)
      assert.equal(repairBytesWaiting, 0n)
      for (const { blobs, zones } of pools) {
        assert.equal(blobs, 0n)
        assert.deepEqual(
          zones.map(({ zone, unreadable, lost }) => [zone, unreadable, lost]),
          ['a', 'b', 'c'].map((zone) => [zone, 0n, 0n]),
        )
      }
    },
  ],
  [
    'risk: a whole cluster can spare what its code says, and any zone',
    async (api) => {
      await report(api, ALL)
      const { silent } = await api.call('getRisk', {})
      assert.deepEqual(silent, [])
      const pool = await poolOf(api)
      assert.equal(pool.blobs, 80n)
      assert.deepEqual(spareOf(pool.spare), [[2, 80n]])
      for (const { unreadable, lost, spare } of pool.zones) {
        assert.deepEqual([unreadable, lost, spareOf(spare)], [0n, 0n, [[0, 80n]]])
      }
      const small = await poolOf(api, 'standard-small')
      assert.deepEqual(spareOf(small.spare), [[2, 80n]])
    },
  ],
  [
    'risk: damage is seen where it hurts: three blobs that one zone has in part cannot lose another',
    async (api) => {
      const [node, group] = ['a1', 65_536]
      await report(api, ALL, (where, id) => (where === node && id === group ? BLOBS - 3n : BLOBS))
      const pool = await poolOf(api)
      assert.deepEqual(spareOf(pool.spare), [
        [1, 3n],
        [2, 77n],
      ])
      const unreadable = Object.fromEntries(
        pool.zones.map((zone) => [zone.zone, [zone.unreadable, zone.lost]]),
      )
      assert.deepEqual(unreadable, { a: [0n, 0n], b: [3n, 3n], c: [3n, 3n] })
    },
  ],
  [
    'risk: a node that is lost is not counted, and what its slots owe is',
    async (api) => {
      await report(api, ALL.slice(1))
      const value = { id: 'a1', state: MemberState.LOST }
      await api.call('changeCluster', { force: true, change: { case: 'changeNode', value } })
      const { silent } = await api.call('getRisk', {})
      assert.deepEqual(silent, [])
      const pool = await poolOf(api)
      assert.equal(pool.blobs, 80n)
      assert.deepEqual(spareOf(pool.spare), [[1, 80n]])
      for (const { zone, unreadable, lost } of pool.zones) {
        assert.deepEqual([unreadable, lost], zone === 'a' ? [0n, 0n] : [80n, 80n])
      }
    },
  ],
  [
    'risk: what workers report is told, with the time that repair will take',
    async (api) => {
      const lease = (name: string, kind: string, bytesWaiting: bigint, bytesPerSecond: bigint) =>
        api.call('keepLease', {
          name,
          holder: 'w',
          ttlMs: 10_000,
          report: { kind, bytesWaiting, bytesPerSecond, itemsWaiting: 1n },
        })
      await lease('one', 'repair', 1000n, 0n)
      assert.equal((await api.call('getRisk', {})).repairSecondsLeft, 0n)
      await lease('two', 'backfill', 501n, 100n)
      await lease('three', 'garbage', 9000n, 1n)
      const { work, repairBytesWaiting, repairSecondsLeft } = await api.call('getRisk', {})
      assert.deepEqual(work.map(({ kind }) => kind).sort(), ['backfill', 'garbage', 'repair'])
      assert.deepEqual([repairBytesWaiting, repairSecondsLeft], [1501n, 16n])
    },
  ],
]
