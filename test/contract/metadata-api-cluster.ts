import assert from 'node:assert/strict'
import { NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Case } from './metadata-api.ts'
import { createBucket, failsWith } from './metadata-requests.ts'

export const clusterCases: readonly Case[] = [
  [
    'the cluster map is what was planned, and is left out for who knows it',
    async (api) => {
      const { map } = await api.call('getCluster', {})
      assert.deepEqual(
        map?.zones.map(({ id }) => id),
        ['a', 'b', 'c'],
      )
      assert.equal(map.nodes.length, 6)
      assert.deepEqual(
        map.pools.map(({ name, code, objectBytesMax }) => [name, code, objectBytesMax]),
        [
          ['standard', 'rs-4-2', 0n],
          ['standard-small', 'replica-3', 32_768n],
        ],
      )
      const ids = map.pools.flatMap((pool) => pool.groups.map(({ id }) => id))
      assert.equal(new Set(ids).size, ids.length)
      for (const { id, groups } of map.pools) for (const group of groups) assert.equal(group.id >> 16, id)
      assert.equal((await api.call('getCluster', { knownEpoch: map.epoch })).map, undefined)
      assert.equal((await api.call('getCluster', { knownEpoch: map.epoch + 1n })).map?.epoch, map.epoch)
    },
  ],
  [
    'a node is up once it was heard',
    async (api) => {
      const liveness = async () => (await api.call('getCluster', {})).nodes.find(({ node }) => node === 'a1')
      assert.equal((await liveness())?.up, false)
      const condition = NodeCondition.READ_ONLY
      const node = {
        node: 'a1',
        address: '127.0.0.1:7',
        condition,
        reason: 'full',
        usedBytes: 5n,
        freeBytes: 6n,
        totalBytes: 11n,
        liveBytes: 4n,
        shards: 3n,
        damagedShards: 1n,
      }
      const { leaseMs, epoch, clusterId } = await api.call('heartbeat', { node, zone: 'a' })
      assert.ok(leaseMs > 0 && epoch > 0n && clusterId !== '')
      const { $typeName: _, ...seen } = (await liveness()) ?? {}
      assert.deepEqual(seen, { ...node, up: true, unsure: false, downSinceMs: 0n, startedMs: 0n })
    },
  ],
  [
    'a node whose folder belongs to another cluster is not up: nothing here names what it holds',
    async (api) => {
      const beat = (clusterId: string) =>
        api.call('heartbeat', { node: { node: 'a1' }, zone: 'a', clusterId })
      await failsWith(beat('another'), FailureCode.UNKNOWN_NODE)
      const isUp = async () => (await api.call('getCluster', {})).nodes.find(({ node }) => node === 'a1')?.up
      assert.equal(await isUp(), false)
      const { clusterId } = await beat('')
      await beat(clusterId)
      assert.equal(await isUp(), true)
    },
  ],
  [
    'a heartbeat says which inventory metadata has, and a node that is suspect is up',
    async (api) => {
      const beat = async (inventory?: {
        version: bigint
        lines: { group: number; shard: number; blobs: bigint }[]
      }) => {
        const condition = NodeCondition.SUSPECT
        const node = { node: 'a1', condition, reason: 'slow disk' }
        return api.call('heartbeat', { node, zone: 'a', ...(inventory !== undefined && { inventory }) })
      }
      assert.equal((await beat()).inventoryVersion, 0n)
      assert.equal((await beat({ version: 7n, lines: [] })).inventoryVersion, 7n)
      assert.equal((await beat()).inventoryVersion, 7n)
      // A node that was started anew counts from the beginning.
      assert.equal(
        (await beat({ version: 2n, lines: [{ group: 65_536, shard: 0, blobs: 1n }] })).inventoryVersion,
        2n,
      )
      const { nodes } = await api.call('getCluster', {})
      const seen = nodes.find(({ node }) => node === 'a1')
      assert.deepEqual([seen?.up, seen?.condition, seen?.reason], [true, NodeCondition.SUSPECT, 'slow disk'])
    },
  ],
  [
    'a node that the map does not know is refused, and told why',
    async (api) => {
      const unknown = api.call('heartbeat', { node: { node: 'x9' }, zone: 'a' })
      await failsWith(unknown, FailureCode.UNKNOWN_NODE, { Node: 'x9' })
      await assert.rejects(unknown, /no storage node "x9"/)
      const elsewhere = api.call('heartbeat', { node: { node: 'a1' }, zone: 'b' })
      await failsWith(elsewhere, FailureCode.UNKNOWN_NODE)
      await assert.rejects(elsewhere, /the cluster map has it in a/)
    },
  ],
  [
    'a call that is aborted rejects with the reason given',
    async (api) => {
      const reason = new Error('enough')
      await assert.rejects(
        api.call('listBuckets', { owner: 'o', limit: 1 }, AbortSignal.abort(reason)),
        reason,
      )
      const controller = new AbortController()
      const running = api.call('listBuckets', { owner: 'o', limit: 1 }, controller.signal)
      controller.abort(reason)
      await assert.rejects(running, reason)
      await createBucket(api)
    },
  ],
]
