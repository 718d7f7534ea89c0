import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterMapSchema, NodeCondition, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { nodesByZone } from '../folder/cluster-file.ts'
import { assessCluster, layoutWarnings, type ClusterView } from './assess.ts'
import { formatBytes, renderStatus } from './render.ts'

interface Shape {
  readonly zones?: number
  readonly nodesPerZone?: number
  readonly code?: string
  /** Nodes of the one placement group; by default all of them, in order. */
  readonly slots?: readonly string[]
  readonly down?: readonly string[]
  readonly readOnly?: readonly string[]
}

function cluster(shape: Shape = {}): ClusterView {
  const { zones = 3, nodesPerZone = 2, code = 'rs-4-2', down = [], readOnly = [] } = shape
  const byZone = nodesByZone({ zones, nodesPerZone, code })
  const names = Object.values(byZone).flat()
  const nodes = Object.entries(byZone).flatMap(([zone, ids]) => ids.map((id) => ({ id, zone, weight: 1 })))
  const group = { id: 65_536, slots: (shape.slots ?? names).map((node) => ({ node })) }
  return {
    map: create(ClusterMapSchema, {
      clusterId: 'c',
      epoch: 1n,
      zones: Object.keys(byZone).map((id) => ({ id })),
      nodes,
      pools: [{ id: 1, name: 'standard', code, storageClass: 'STANDARD', groups: [group] }],
    }),
    nodes: names.map((node) =>
      create(NodeLivenessSchema, {
        node,
        up: !down.includes(node),
        condition: readOnly.includes(node) ? NodeCondition.READ_ONLY : NodeCondition.WRITABLE,
        reason: readOnly.includes(node) ? 'the disk is full' : '',
        usedBytes: 1024n,
      }),
    ),
    repairBacklog: 0n,
    outboxBacklog: 0n,
  }
}

test('a whole cluster over three zones is healthy and can lose any of them, and write on', () => {
  const status = assessCluster(cluster())
  assert.equal(status.health, 'healthy')
  assert.deepEqual([status.problems, status.warnings], [[], []])
  const [pool] = status.pools
  assert.equal(pool?.overhead, 1.5)
  assert.deepEqual(
    pool.zoneLoss,
    ['zone-a', 'zone-b', 'zone-c'].map((zone) => ({
      zone,
      shardsLost: 2,
      readable: true,
      writable: true,
      survivesOneMoreNode: false,
    })),
  )
})

test('with a zone down it is degraded, serves on, and could lose no other zone', () => {
  const status = assessCluster(cluster({ down: ['zone-b-1', 'zone-b-2'] }))
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['zone-b-1 is down', 'zone-b-2 is down'])
  assert.deepEqual(status.warnings, [], 'the layout is as good as ever')
  const [pool] = status.pools
  assert.deepEqual([pool?.readable, pool?.writable], [true, true])
  assert.deepEqual(
    pool?.zoneLoss.map(({ readable, writable }) => [readable, writable]),
    [
      [false, false],
      [true, true],
      [false, false],
    ],
  )
})

test('with more lost than the code can, it says that objects cannot be read and written', () => {
  const { problems } = assessCluster(cluster({ down: ['zone-a-1', 'zone-b-1', 'zone-b-2', 'zone-c-1'] }))
  assert.ok(problems.includes('some objects of pool standard cannot be read now'))
  assert.ok(problems.includes('some objects of pool standard cannot be written now'))
})

test('a node that takes no writes is named with its reason', () => {
  const status = assessCluster(cluster({ readOnly: ['zone-a-1'] }))
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['zone-a-1 is read-only: the disk is full'])
  assert.equal(status.pools[0]?.readable, true)
})

test('a suspect node is named with its reason, and counts as one that takes writes', () => {
  const whole = cluster()
  const nodes = whole.nodes.map((node) =>
    node.node === 'zone-a-1'
      ? create(NodeLivenessSchema, { ...node, condition: NodeCondition.SUSPECT, reason: 'the disk is slow' })
      : node,
  )
  const status = assessCluster({ ...whole, nodes })
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['zone-a-1 is suspect: the disk is slow'])
  assert.deepEqual([status.pools[0]?.readable, status.pools[0]?.writable], [true, true])
})

test('shards that wait for repair make it degraded', () => {
  const status = assessCluster({ ...cluster(), repairBacklog: 3n })
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['3 objects wait for lost shards to be repaired'])
})

test('what the layout cannot survive is said although everything is up', () => {
  const laptop = cluster({ zones: 1, nodesPerZone: 1, slots: Array.from({ length: 6 }, () => 'zone-a-1') })
  assert.deepEqual(layoutWarnings(laptop.map), [
    'rs-4-2 cuts a stripe into 6 shards for 1 node: some nodes hold several',
    'the loss of a single node would make objects of pool standard unreadable',
  ])
  assert.equal(assessCluster(laptop).health, 'healthy')
  const rack = cluster({ zones: 1, nodesPerZone: 6 })
  assert.deepEqual(layoutWarnings(rack.map), [
    'the loss of a zone (zone-a) would make objects of pool standard unreadable',
  ])
})

test('a node that metadata has not heard of counts as down', () => {
  const view = cluster()
  const status = assessCluster({ ...view, nodes: view.nodes.slice(1) })
  assert.deepEqual(status.problems, ['zone-a-1 is down'])
})

test('the text shows every node and every loss', () => {
  const text = renderStatus(assessCluster(cluster({ down: ['zone-c-2'] })))
  assert.equal(
    text,
    `Cluster c is degraded

ZONE    NODE      STATE  USED   FREE  ADDRESS
zone-a  zone-a-1  up     1 KiB  0 B   in-process
        zone-a-2  up     1 KiB  0 B   in-process
zone-b  zone-b-1  up     1 KiB  0 B   in-process
        zone-b-2  up     1 KiB  0 B   in-process
zone-c  zone-c-1  up     1 KiB  0 B   in-process
        zone-c-2  down   -      -     -

POOL      CODE    OBJECTS   OVERHEAD  GROUPS  READ  WRITE
standard  rs-4-2  any size  1.5x      1       yes   yes

IF LOST  POOL      READ  WRITE  ONE MORE NODE
zone-a   standard  NO    yes    unreadable
zone-b   standard  NO    yes    unreadable
zone-c   standard  yes   yes    unreadable

Epoch 1; 5 of 6 nodes up; 0 to repair, 0 in the outbox
Problem: zone-c-2 is down
`,
  )
})

test('sizes have three digits', () => {
  const sizes: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [123.4 * 1024 ** 3, '123 GiB'],
    [12.34 * 1024 ** 4, '12.3 TiB'],
  ]
  for (const [bytes, text] of sizes) assert.equal(formatBytes(bytes), text)
})
