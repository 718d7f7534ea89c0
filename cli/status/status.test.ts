import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  ClusterMapSchema,
  MemberState,
  NodeCondition,
  NodeLivenessSchema,
  ScrubProgressSchema,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { GetRiskReplySchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { nodesByZone } from '../folder/cluster-file.ts'
import { assessCluster, layoutWarnings, type ClusterView } from './assess.ts'
import { formatBytes, formatSpan } from '../format.ts'
import { renderStatus } from './render.ts'

interface Shape {
  readonly zones?: number
  readonly nodesPerZone?: number
  readonly code?: string
  /** Nodes of the one placement group; by default all of them, in order. */
  readonly slots?: readonly string[]
  readonly down?: readonly string[]
  readonly readOnly?: readonly string[]
}

const NOW = 1_800_000_000_000

function assess(view: ClusterView) {
  return assessCluster(view, NOW)
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
    risk: undefined,
    askedMs: NOW,
  }
}

test('a whole cluster over three zones is healthy and can lose any of them, and write on', () => {
  const status = assess(cluster())
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
  const status = assess(cluster({ down: ['zone-b-1', 'zone-b-2'] }))
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
  const { problems } = assess(cluster({ down: ['zone-a-1', 'zone-b-1', 'zone-b-2', 'zone-c-1'] }))
  assert.ok(problems.includes('some objects of pool standard cannot be read now'))
  assert.ok(problems.includes('some objects of pool standard cannot be written now'))
})

test('a node that takes no writes is named with its reason', () => {
  const status = assess(cluster({ readOnly: ['zone-a-1'] }))
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
  const status = assess({ ...whole, nodes })
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['zone-a-1 is suspect: the disk is slow'])
  assert.deepEqual([status.pools[0]?.readable, status.pools[0]?.writable], [true, true])
})

test('shards that wait for repair make it degraded', () => {
  const status = assess({ ...cluster(), repairBacklog: 3n })
  assert.equal(status.health, 'degraded')
  assert.deepEqual(status.problems, ['3 objects wait for lost shards to be repaired'])
})

test('what the layout cannot survive is said although everything is up', () => {
  const laptop = cluster({ zones: 1, nodesPerZone: 1, slots: Array.from({ length: 6 }, () => 'zone-a-1') })
  assert.deepEqual(layoutWarnings(laptop.map), [
    'rs-4-2 cuts a stripe into 6 shards for 1 node: some nodes hold several',
    'the loss of a single node would make objects of pool standard unreadable',
  ])
  assert.equal(assess(laptop).health, 'healthy')
  const rack = cluster({ zones: 1, nodesPerZone: 6 })
  assert.deepEqual(layoutWarnings(rack.map), [
    'the loss of a zone (zone-a) would make objects of pool standard unreadable',
  ])
})

test('a node that metadata has not heard of counts as down', () => {
  const view = cluster()
  const status = assess({ ...view, nodes: view.nodes.slice(1) })
  assert.deepEqual(status.problems, ['zone-a-1 is down'])
})

test('the text shows every node and every loss', () => {
  const text = renderStatus(assess(cluster({ down: ['zone-c-2'] })))
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

/** A ledger of one pool of rs-4-2 with these counts. */
function ledger(
  spare: Readonly<Record<number, number>>,
  more: MessageInitShape<typeof GetRiskReplySchema> = {},
) {
  const lines = Object.entries(spare).map(([key, blobs]) => ({ spare: Number(key), blobs: BigInt(blobs) }))
  const blobs = lines.reduce((sum, line) => sum + line.blobs, 0n)
  const zones = [
    { zone: 'zone-a', unreadable: 1200n, lost: 34n },
    { zone: 'zone-b', unreadable: 0n, lost: 0n },
  ]
  return create(GetRiskReplySchema, {
    pools: [{ pool: 1, name: 'standard', code: 'rs-4-2', blobs, spare: lines, zones }],
    ...more,
  })
}

test('blobs that lack shards make it degraded when something explains it, and are noted otherwise', () => {
  const risk = ledger({ 2: 90, 1: 7, 0: 3 })
  const down = assess({ ...cluster({ down: ['zone-a-1'] }), risk })
  assert.deepEqual(down.problems, [
    'zone-a-1 is down',
    '10 blobs of pool standard with fewer shards than rs-4-2 makes',
  ])
  const whole = assess({ ...cluster(), risk })
  assert.equal(whole.health, 'healthy')
  assert.deepEqual(whole.notes, [
    '10 blobs of pool standard with fewer shards than rs-4-2 makes: writes under way, or shards that nobody has missed yet',
  ])
})

test('what cannot be read is counted by the ledger, and supposed without it', () => {
  const down = ['zone-a-1', 'zone-b-1', 'zone-c-1']
  const empty = assess({ ...cluster({ down }), risk: ledger({}) })
  assert.ok(!empty.problems.some((problem) => problem.includes('cannot be read')), 'there is nothing to read')
  const some = assess({ ...cluster({ down }), risk: ledger({ '-1': 5 }) })
  assert.ok(some.problems.includes('5 blobs of pool standard cannot be read now'))
  const untold = assess({ ...cluster({ down }), risk: ledger({}, { silent: ['zone-a-1'] }) })
  assert.ok(untold.problems.includes('some objects of pool standard cannot be read now'))
  assert.deepEqual(untold.notes, ['what zone-a-1 may hold is not counted: not heard since metadata started'])
})

/** The one group with its slot on zone-c-1 moving there. */
function moving(source: string): ClusterView {
  const view = cluster()
  for (const slot of view.map.pools[0]?.groups[0]?.slots ?? []) {
    if (slot.node !== 'zone-c-1') continue
    slot.source = source
    slot.filling = true
  }
  return view
}

test('a move between nodes is no problem; a slot that is rebuilt from nothing counts as lost until it is full', () => {
  const moved = assess(moving('zone-c-2'))
  assert.equal(moved.health, 'healthy')
  assert.deepEqual(moved.moves, [{ from: 'zone-c-2', to: 'zone-c-1', slots: 1 }])
  const filling = moved.zones.flatMap(({ nodes }) => nodes).filter(({ slotsFilling }) => slotsFilling > 0)
  assert.deepEqual(
    filling.map(({ node, slots }) => [node, slots]),
    [['zone-c-1', 1]],
  )
  assert.match(renderStatus(moved), /\nMoves: 1 slot filling: zone-c-1 1 of 1 \(zone-c-2\)\n/)
  const rebuilt = assess({ ...moving(''), risk: ledger({ 2: 1, 1: 4 }) })
  assert.equal(rebuilt.health, 'degraded')
  assert.deepEqual(
    rebuilt.pools[0]?.zoneLoss.map(({ readable }) => readable),
    [false, false, true],
  )
  assert.match(renderStatus(rebuilt), /zone-c-1 1 of 1 \(rebuilt\)/)
})

test('a node that drains, is lost, suspect or holds damage says so', () => {
  const view = cluster()
  const [first, second, third] = view.map.nodes
  assert.ok(first !== undefined && second !== undefined && third !== undefined)
  first.state = MemberState.DRAINING
  second.state = MemberState.LOST
  const nodes = view.nodes.map((node) =>
    node.node === third.id
      ? create(NodeLivenessSchema, {
          ...node,
          condition: NodeCondition.SUSPECT,
          reason: 'slow',
          damagedShards: 2n,
        })
      : node,
  )
  const status = assess({ ...view, nodes })
  assert.deepEqual(status.problems, [
    'zone-a-2 is lost, and 1 slot found no other node yet',
    'zone-b-1 is suspect: slow',
    '2 damaged shards on zone-b-1 to be repaired',
  ])
  const text = renderStatus(status)
  assert.match(text, /zone-a-1 +up, draining/)
  assert.match(text, /zone-a-2 +lost +- /)
})

test('the text has the ledger, the repair and the scrub', () => {
  const scrub = create(ScrubProgressSchema, {
    cycle: 2n,
    bytesDone: 1n,
    bytesTotal: 8n,
    lastCompletedMs: BigInt(NOW),
    found: 1n,
  })
  const view = cluster({ down: ['zone-a-1'] })
  const nodes = view.nodes.map((node) => create(NodeLivenessSchema, { ...node, scrub }))
  const work = [{ kind: 'repair', itemsWaiting: 1234n, bytesPerSecond: 2_097_152n, now: 'group 65537' }]
  const risk = ledger(
    { 2: 1200, 1: 30, 0: 4 },
    { work, repairBytesWaiting: 10_485_760n, repairSecondsLeft: 65n },
  )
  const text = renderStatus(assessCluster({ ...view, nodes, risk }, NOW + 35_000))
  assert.equal(
    text.slice(text.indexOf('BLOBS')),
    `BLOBS     ALL    SPARE 2  SPARE 1  SPARE 0  UNREADABLE
standard  1,234  1,200    30       4        0

IF LOST  POOL      UNREADABLE  LOST  WRITE  ONE MORE NODE
zone-a   standard  1,200       34    yes    unreadable
zone-b   standard  0           0     yes    unreadable
zone-c   standard  0           0     yes    unreadable

Epoch 1; 5 of 6 nodes up; 0 to repair, 0 in the outbox
Repair: 10 MiB waiting, 2 MiB/s, about 1 min 5 s left
Work: repair, 1,234 waiting; group 65537
Scrub: at least 12.5 % of this cycle; all complete by 2027-01-15T08:00:00.000Z; 6 found damaged ever
Problem: zone-a-1 is down
Problem: 34 blobs of pool standard with fewer shards than rs-4-2 makes
`,
  )
  assert.match(text, /^Cluster c was degraded, 35 s ago\n/)
})

test('spans have two units', () => {
  const spans: [number, string][] = [
    [0, '0 s'],
    [59.6, '1 min'],
    [65, '1 min 5 s'],
    [7230, '2 h'],
    [90_061, '1 d 1 h'],
  ]
  for (const [seconds, text] of spans) assert.equal(formatSpan(seconds), text)
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
