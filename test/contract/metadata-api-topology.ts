import assert from 'node:assert/strict'
import { type ClusterMap, MemberState, PoolState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi, MetadataReply } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import { createBucket, failsWith, put } from './metadata-requests.ts'

/** Three zones of two nodes; rs-4-2 and replica-3, 8 groups each. */

const { ACTIVE, DRAINING, LOST } = MemberState

async function mapOf(api: MetadataApi): Promise<ClusterMap> {
  const { map } = await api.call('getCluster', {})
  assert.ok(map !== undefined)
  return map
}

function addNode(api: MetadataApi, id: string, zone: string): Promise<MetadataReply<'changeCluster'>> {
  return api.call('changeCluster', { change: { case: 'addNode', value: { id, zone } } })
}

function changeNode(
  api: MetadataApi,
  value: { id: string; state?: MemberState; weight?: number; remove?: boolean },
  more: { force?: boolean; dryRun?: boolean; expectedEpoch?: bigint } = {},
): Promise<MetadataReply<'changeCluster'>> {
  return api.call('changeCluster', { ...more, change: { case: 'changeNode', value } })
}

function slotsOf(map: ClusterMap, node: string): number {
  return map.pools
    .flatMap(({ groups }) => groups.flatMap(({ slots }) => slots))
    .filter((slot) => slot.node === node).length
}

function slotAt(map: ClusterMap, group: number, shard: number) {
  const slot = map.pools.flatMap(({ groups }) => groups).find(({ id }) => id === group)?.slots[shard]
  assert.ok(slot !== undefined)
  const { node, source, filling } = slot
  return { node, source, filling }
}

function finishLines(map: ClusterMap) {
  return map.pools.flatMap(({ groups }) =>
    groups.flatMap((group) =>
      group.slots.flatMap(({ node, source, filling, since }, shard) =>
        filling ? [{ group: group.id, shard, node, source, since }] : [],
      ),
    ),
  )
}

async function finishAll(api: MetadataApi): Promise<ClusterMap> {
  const value = { slots: finishLines(await mapOf(api)) }
  const { map } = await api.call('changeCluster', { change: { case: 'finishSlots', value } })
  assert.ok(map !== undefined)
  return map
}

export const topologyCases: readonly Case[] = [
  [
    'a node is added: slots move to it in a new epoch, and its heartbeats are taken',
    async (api) => {
      const before = await mapOf(api)
      await failsWith(api.call('heartbeat', { node: { node: 'a3' }, zone: 'a' }), FailureCode.UNKNOWN_NODE)
      const { map, moves } = await addNode(api, 'a3', 'a')
      assert.ok(map !== undefined && moves.length > 0)
      assert.equal(map.epoch, before.epoch + 1n)
      assert.ok(moves.every(({ from, to }) => from.startsWith('a') && to === 'a3'))
      assert.equal(slotsOf(map, 'a3'), moves.length)
      assert.deepEqual(await mapOf(api), map)
      for (const { group, shard, from } of moves) {
        assert.deepEqual(slotAt(map, group, shard), { node: 'a3', source: from, filling: true })
      }
      const { epoch } = await api.call('heartbeat', { node: { node: 'a3' }, zone: 'a' })
      assert.equal(epoch, map.epoch)
      assert.equal((await api.call('getCluster', {})).nodes.find(({ node }) => node === 'a3')?.up, true)
    },
  ],
  [
    'the moves of an added node are finished, after which nothing waits; lines that do not fit change nothing',
    async (api) => {
      const { map } = await addNode(api, 'd1', 'd')
      assert.ok(map !== undefined)
      assert.deepEqual(
        map.zones.map(({ id }) => id),
        ['a', 'b', 'c', 'd'],
      )
      const lines = finishLines(map)
      assert.ok(lines.length > 0)
      const foreign = lines.map((line) => ({ ...line, source: 'b9' }))
      const untouched = await api.call('changeCluster', {
        change: { case: 'finishSlots', value: { slots: foreign } },
      })
      assert.equal(untouched.map?.epoch, map.epoch)
      const done = await finishAll(api)
      assert.equal(done.epoch, map.epoch + 1n)
      assert.deepEqual(finishLines(done), [])
      const again = await api.call('changeCluster', {
        change: { case: 'finishSlots', value: { slots: lines } },
      })
      assert.equal(again.map?.epoch, done.epoch)
    },
  ],
  [
    'a drain that would lower redundancy is refused with the reason, and made when it is forced',
    async (api) => {
      const before = await mapOf(api)
      const drain = changeNode(api, { id: 'a1', state: DRAINING })
      await failsWith(drain, FailureCode.TOPOLOGY_REFUSED)
      await assert.rejects(drain, /pool standard has no other node .* Add a node to zone a/)
      assert.deepEqual(await mapOf(api), before)
      const { map, warnings } = await changeNode(api, { id: 'a1', state: DRAINING }, { force: true })
      assert.ok(map !== undefined && warnings.length > 0)
      assert.equal(slotsOf(map, 'a1'), 0)
      const { map: back } = await changeNode(api, { id: 'a1', state: ACTIVE })
      assert.ok(back !== undefined)
      assert.equal(slotsOf(back, 'a1'), slotsOf(before, 'a1'))
    },
  ],
  [
    'a node is drained and removed, once nothing names it and it holds nothing',
    async (api) => {
      await addNode(api, 'a3', 'a')
      await finishAll(api)
      const { map } = await changeNode(api, { id: 'a1', state: DRAINING })
      assert.ok(map !== undefined)
      assert.equal(map.nodes.find(({ id }) => id === 'a1')?.state, DRAINING)
      const remove = () => changeNode(api, { id: 'a1', remove: true })
      await failsWith(remove(), FailureCode.TOPOLOGY_REFUSED)
      await failsWith(
        changeNode(api, { id: 'a1', remove: true }, { force: true }),
        FailureCode.TOPOLOGY_REFUSED,
      )
      await finishAll(api)
      await api.call('heartbeat', { node: { node: 'a1', shards: 4n }, zone: 'a' })
      await assert.rejects(remove(), /4 live shards/)
      await api.call('heartbeat', { node: { node: 'a1' }, zone: 'a' })
      const removed = await remove()
      assert.ok(removed.map !== undefined && !removed.map.nodes.some(({ id }) => id === 'a1'))
      await failsWith(api.call('heartbeat', { node: { node: 'a1' }, zone: 'a' }), FailureCode.UNKNOWN_NODE)
    },
  ],
  [
    'a node that is lost is no source of anything; one that is up is not given up',
    async (api) => {
      await api.call('heartbeat', { node: { node: 'b1' }, zone: 'b' })
      await failsWith(
        changeNode(api, { id: 'b1', state: LOST }, { force: true }),
        FailureCode.TOPOLOGY_REFUSED,
      )
      // The service has just started, and cannot say of the other whether it is up.
      await assert.rejects(changeNode(api, { id: 'b2', state: LOST }), /may be up/)
      const { map } = await changeNode(api, { id: 'b2', state: LOST }, { force: true })
      assert.ok(map !== undefined)
      const lines = finishLines(map)
      assert.ok(lines.length > 0)
      assert.ok(lines.every(({ node, source }) => node === 'b1' && source === ''))
    },
  ],
  [
    'a dry run says what would be done, and does nothing',
    async (api) => {
      const before = await mapOf(api)
      const { map, moves } = await api.call('changeCluster', {
        dryRun: true,
        change: { case: 'addNode', value: { id: 'b3', zone: 'b', weight: 2 } },
      })
      assert.ok(moves.length > 0)
      assert.equal(map?.epoch, before.epoch + 1n)
      assert.deepEqual(await mapOf(api), before)
    },
  ],
  [
    'a change that expects another epoch is refused; changes at once are made one after another',
    async (api) => {
      const { epoch } = await mapOf(api)
      await failsWith(
        changeNode(api, { id: 'a1', weight: 2 }, { expectedEpoch: epoch + 1n }),
        FailureCode.STALE_EPOCH,
      )
      const outcomes = await Promise.allSettled(
        ['a3', 'b3', 'c3'].map((id) =>
          api.call('changeCluster', {
            expectedEpoch: epoch,
            change: { case: 'addNode', value: { id, zone: id.slice(0, 1) } },
          }),
        ),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      await Promise.all(['a4', 'b4', 'c4'].map((id) => addNode(api, id, id.slice(0, 1))))
      const after = await mapOf(api)
      assert.equal(after.epoch, epoch + 4n)
      assert.equal(after.nodes.length, 10)
    },
  ],
  [
    'zones are added, drained where the others can take their share, and removed when they are empty',
    async (api) => {
      const changeZone = (value: { id: string; state?: MemberState; add?: boolean; remove?: boolean }) =>
        api.call('changeCluster', { change: { case: 'changeZone', value } })
      await changeZone({ id: 'd', add: true })
      await failsWith(changeZone({ id: 'd', add: true }), FailureCode.TOPOLOGY_REFUSED)
      await failsWith(changeZone({ id: 'c', state: DRAINING }), FailureCode.TOPOLOGY_REFUSED)
      await failsWith(changeZone({ id: 'c', remove: true }), FailureCode.TOPOLOGY_REFUSED)
      const { map } = await changeZone({ id: 'd', remove: true })
      assert.deepEqual(
        map?.zones.map(({ id }) => id),
        ['a', 'b', 'c'],
      )
    },
  ],
  [
    'a pool gets another code: the old one retires, and is removed when every node says that it is empty',
    async (api) => {
      const value = { name: 'standard', code: 'rs-2-2' }
      const { map } = await api.call('changeCluster', { change: { case: 'changePool', value } })
      assert.deepEqual(
        map?.pools.map(({ id, name, code, state }) => [id, name, code, state]),
        [
          [1, 'standard', 'rs-4-2', PoolState.RETIRING],
          [2, 'standard-small', 'replica-3', PoolState.ACTIVE],
          [3, 'standard', 'rs-2-2', PoolState.ACTIVE],
        ],
      )
      const remove = (pool: number) =>
        api.call('changeCluster', { change: { case: 'removePool', value: { pool } } })
      await failsWith(remove(3), FailureCode.TOPOLOGY_REFUSED)
      await assert.rejects(remove(1), /has not said what it holds/)
      const beat = (node: string, blobs: bigint) =>
        api.call('heartbeat', {
          node: { node },
          zone: node.slice(0, 1),
          inventory: { version: 1n, lines: blobs === 0n ? [] : [{ group: 65_536, shard: 0, blobs }] },
        })
      for (const node of ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']) await beat(node, node === 'a1' ? 3n : 0n)
      await assert.rejects(remove(1), /3 blobs/)
      await beat('a1', 0n)
      await createBucket(api)
      const { map: after } = await remove(1)
      await failsWith(put(api, 'after'), FailureCode.STALE_BLOB)
      assert.deepEqual(
        after?.pools.map(({ id }) => id),
        [2, 3],
      )
    },
  ],
  [
    'a change that is none, or makes no sense, is refused',
    async (api) => {
      await failsWith(api.call('changeCluster', {}), FailureCode.INVALID_REQUEST)
      for (const id of ['', 'A1', 'a_1', 'a'.repeat(64)]) {
        await failsWith(addNode(api, id, 'a'), FailureCode.TOPOLOGY_REFUSED)
      }
      await failsWith(addNode(api, 'a1', 'b'), FailureCode.TOPOLOGY_REFUSED)
      await failsWith(changeNode(api, { id: 'z1', state: DRAINING }), FailureCode.TOPOLOGY_REFUSED)
      await failsWith(changeNode(api, { id: 'a1', weight: -1 }), FailureCode.TOPOLOGY_REFUSED)
    },
  ],
]
