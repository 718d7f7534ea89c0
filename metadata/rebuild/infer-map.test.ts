import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupId } from '../../core/placement/group.ts'
import { PoolState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { defaultPools, firstMap } from '../cluster/bootstrap.ts'
import { inferMap, type SeenGroup } from './infer-map.ts'

const nodes = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'].map((id) => ({ id, zone: id.slice(0, 1), weight: 1 }))
const plan = { nodes, pools: defaultPools().map((pool) => ({ ...pool, groups: 4 })) }

test('without shards it is the map of a new cluster, with a later epoch', () => {
  const { epoch, ...map } = inferMap('id', plan, [], 77n)
  const { epoch: _, ...first } = firstMap('id', plan)
  assert.equal(epoch, 77n)
  assert.deepEqual(map, first)
})

test('a slot is where most of its shards lie; one of which nothing is known is where it would be put', () => {
  const id = groupId(1, 2)
  const votes = [
    { shard: 0, node: 'c2', count: 900 },
    { shard: 0, node: 'a1', count: 3 },
    { shard: 4, node: 'gone', count: 9 },
  ]
  const map = inferMap('id', plan, [{ id, code: 'rs-4-2', blobBytesMax: 1_000_000, votes }], 1n)
  const slots = map.pools.find((pool) => pool.id === 1)?.groups.find((group) => group.id === id)?.slots
  const planned = firstMap('id', plan).pools[0]?.groups[2]?.slots
  assert.equal(slots?.[0]?.node, 'c2')
  assert.deepEqual(slots.slice(1), planned?.slice(1))
})

test('pools that got another code: the newest is in use, those before it retire', () => {
  const seen = (pool: number, code: string, blobBytesMax: number): SeenGroup => {
    return { id: groupId(pool, 5), code, blobBytesMax, votes: [] }
  }
  const map = inferMap('id', plan, [seen(1, 'rs-4-2', 9_000_000), seen(3, 'rs-2-1', 50_000)], 1n)
  const told = map.pools.map(({ id, name, code, state }) => [id, name, code, state === PoolState.RETIRING])
  assert.deepEqual(told, [
    [1, 'standard-1', 'rs-4-2', true],
    [2, 'standard-small', 'replica-3', false],
    [3, 'standard', 'rs-2-1', false],
  ])
  assert.equal(map.pools[2]?.groups.length, 6)
  assert.equal(map.poolIdMax, 3)
  // The old pool is empty by now.
  const later = inferMap('id', plan, [seen(3, 'rs-2-1', 50_000)], 1n)
  assert.deepEqual(
    later.pools.map(({ id }) => id),
    [2, 3],
  )
})
