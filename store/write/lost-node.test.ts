import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clone } from '@bufbuild/protobuf'
import { ClusterMapSchema, MemberState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { DOWN } from '../testing/fake-shards.ts'
import { bytesOf, createHarness } from '../testing/harness.ts'

test('a node that was given up for lost and runs again takes no shards in the place of others', async () => {
  const harness = createHarness({ nodesPerZone: 3 })
  const { metadata, shards, clock } = harness
  const map = clone(ClusterMapSchema, metadata.map)
  map.epoch++
  for (const node of map.nodes) if (node.id.endsWith('3')) node.state = MemberState.LOST
  metadata.map = map
  await clock.pass(2000)
  for (const node of ['a1', 'b1']) metadata.down.add(node)
  shards.afflict(['a1', 'b1'], DOWN)
  await clock.pass(2000)
  for (let i = 0; i < 8; i++) await harness.put(`key${i}`, bytesOf(300_000 + i))
  for (const node of ['a3', 'b3', 'c3']) assert.equal(shards.node(node).shards.size, 0, node)
  assert.deepEqual(harness.breaches, [])
  await harness.store.close()
})
