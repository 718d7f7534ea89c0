import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { ClusterMapSchema, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
  ChangeClusterReplySchema,
  FailureCode,
  GetClusterReplySchema,
  GetRiskReplySchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { CommandError } from '../failure.ts'
import { nodeNames, readClusterFile, writeClusterFile, type ClusterFile } from '../folder/cluster-file.ts'
import { dataPaths } from '../folder/paths.ts'
import { topologyStep } from '../start/follow-topology.ts'
import { assessCluster, type ClusterStatus } from '../status/assess.ts'
import type { NodeStatus } from '../status/nodes.ts'
import type { World } from '../world.ts'
import { changeCluster, renderChange } from './change.ts'
import { estimateMoves } from './estimate.ts'
import { follow } from './follow.ts'
import { addLocalNode, refuseLocalNode, removeLocalNode, runMode } from './local-node.ts'
import { progressOf, renderProgress } from './progress.ts'
import { lossText, renderNodes, renderPools, renderZones } from './render.ts'

interface Look {
  /** Node, source (absent: does not move) of each slot. */
  readonly slots: readonly (readonly [string, string?])[]
  readonly shards?: Readonly<Record<string, number>>
  readonly down?: readonly string[]
  readonly risk?: MessageInitShape<typeof GetRiskReplySchema>
}

function reply({ slots, shards = {}, down = [] }: Look) {
  const ids = ['a-1', 'a-2', 'b-1']
  return create(GetClusterReplySchema, {
    map: create(ClusterMapSchema, {
      clusterId: 'c',
      epoch: 3n,
      zones: [{ id: 'a' }, { id: 'b' }],
      nodes: ids.map((id) => ({ id, zone: id.charAt(0), weight: 1 })),
      pools: [
        {
          id: 1,
          name: 'standard',
          code: `replica-${Math.max(1, slots.length)}`,
          groups:
            slots.length === 0
              ? []
              : [
                  {
                    id: 65_536,
                    slots: slots.map(([node, source]) => ({
                      node,
                      source: source ?? '',
                      filling: source !== undefined,
                    })),
                  },
                ],
        },
      ],
    }),
    nodes: ids.map((node) =>
      create(NodeLivenessSchema, {
        node,
        up: !down.includes(node),
        shards: BigInt(shards[node] ?? 0),
        liveBytes: BigInt((shards[node] ?? 0) * 1000),
      }),
    ),
  })
}

function statusOf(look: Look): ClusterStatus {
  const { map, nodes } = reply(look)
  assert.ok(map !== undefined)
  const risk = create(GetRiskReplySchema, look.risk ?? {})
  return assessCluster({ map, nodes, repairBacklog: 0n, outboxBacklog: 0n, risk, askedMs: 0 }, 0)
}

function nodesOf(status: ClusterStatus): NodeStatus[] {
  return status.zones.flatMap(({ nodes }) => nodes)
}

test('moves are estimated by what the slots of a node hold', () => {
  const slots = [['a-1'], ['a-1'], ['b-1'], ['b-1']] as const
  const nodes = nodesOf(statusOf({ slots, shards: { 'a-1': 8, 'b-1': 2 } }))
  const arrivals = estimateMoves(
    [
      { from: 'a-1', to: 'a-2' },
      { from: 'b-1', to: 'a-2' },
      { from: 'a-1', to: 'a-2' },
      { from: '', to: 'b-1' },
    ],
    nodes,
  )
  assert.deepEqual(arrivals, [
    {
      to: 'a-2',
      slots: 3,
      bytes: 9000,
      from: [
        { node: 'a-1', slots: 2 },
        { node: 'b-1', slots: 1 },
      ],
    },
    { to: 'b-1', slots: 1, bytes: 2500, from: [{ node: '', slots: 1 }] },
  ])
})

test('no slot is left out of an estimate, whatever moves', () => {
  const nodes = nodesOf(statusOf({ slots: [['a-1'], ['b-1']], shards: { 'a-1': 1 } }))
  const node = fc.constantFrom('', 'a-1', 'a-2', 'b-1', 'unheard-of')
  fc.assert(
    fc.property(fc.array(fc.record({ from: node, to: node })), (moves) => {
      const arrivals = estimateMoves(moves, nodes)
      const sum = (counts: readonly { slots: number }[]) => counts.reduce((all, { slots }) => all + slots, 0)
      assert.equal(sum(arrivals), moves.length)
      for (const arrival of arrivals) {
        assert.equal(sum(arrival.from), arrival.slots)
        assert.ok(arrival.bytes >= 0 && Number.isFinite(arrival.bytes))
      }
    }),
  )
})

/** Metadata that answers looks in turn, the last for ever, and one change. */
function metadata(looks: readonly Look[], change?: () => unknown): MetadataApi & { asked: unknown[] } {
  const asked: unknown[] = []
  let index = 0
  return {
    asked,
    async call(operation, request) {
      asked.push([operation, request])
      await Promise.resolve()
      const look = looks[Math.min(index, looks.length - 1)]
      assert.ok(look !== undefined)
      const answer =
        operation === 'getCluster'
          ? reply(look)
          : operation === 'getRisk'
            ? create(GetRiskReplySchema, looks[Math.min(index++, looks.length - 1)]?.risk ?? {})
            : change?.()
      return answer as never
    },
  }
}

test('a change says what moves, and a dry run says it of what would', async () => {
  const nodes = nodesOf(statusOf({ slots: [['a-1'], ['b-1']], shards: { 'a-1': 8 } }))
  const api = metadata([{ slots: [] }], () =>
    create(ChangeClusterReplySchema, {
      map: { epoch: 4n },
      moves: [{ group: 65_536, shard: 0, from: 'a-1', to: 'a-2' }],
      warnings: ['it is tight'],
    }),
  )
  const change = { case: 'addNode', value: { id: 'a-2', zone: 'a' } } as const
  const done = await changeCluster(api, change, { dryRun: false, force: true }, nodes)
  assert.deepEqual(api.asked, [['changeCluster', { change, dryRun: false, force: true }]])
  assert.deepEqual([done.epoch, done.slots, done.bytes], [4, 1, 8000])
  assert.equal(
    renderChange('a-2 is a node of a', done, true),
    `a-2 is a node of a.
1 slot moves, about 7.81 KiB:
  TO   SLOTS  BYTES     FROM
  a-2  1      7.81 KiB  a-1 1
Warning: it is tight
`,
  )
  const none = { ...done, slots: 0, arrivals: [], warnings: [] }
  const planned = renderChange('a-2 is a node of a', { ...none, dryRun: true }, true)
  assert.equal(planned, 'Nothing was changed. Without --dry-run: a-2 is a node of a.\nNo slot would move.\n')
  assert.equal(renderChange('a is a zone of the cluster', none, false), 'a is a zone of the cluster.\n')
})

test('a refusal is told with its reason and what to do', async () => {
  const api = metadata([{ slots: [] }], () => {
    throw new MetadataError(FailureCode.TOPOLOGY_REFUSED, '3 slots still name storage node a-1')
  })
  const change = { case: 'changeNode', value: { id: 'a-1', remove: true } } as const
  await assert.rejects(
    changeCluster(api, change, { dryRun: false, force: false }, [], ['Drain it.']),
    (error) => {
      assert.ok(error instanceof CommandError)
      assert.equal(error.message, 'refused: 3 slots still name storage node a-1')
      assert.deepEqual(error.hints, ['Drain it.'])
      return true
    },
  )
})

test('a drain is done when neither slots nor shards are left there', () => {
  const drain = { kind: 'leaving', nodes: ['a-1'] } as const
  const before = statusOf({ slots: [['a-1'], ['a-2', 'a-1']], shards: { 'a-1': 40 } })
  const first = progressOf(before, drain, undefined, 0)
  assert.deepEqual(
    [first.slotsLeft, first.shardsLeft, first.done, first.secondsLeft],
    [2, 40, false, undefined],
  )
  const earlier = { atMs: 0, slotsLeft: 2, shardsLeft: 40 }
  const later = progressOf(
    statusOf({ slots: [['a-2'], ['a-2', 'a-1']], shards: { 'a-1': 10 } }),
    drain,
    earlier,
    30_000,
  )
  assert.equal(later.secondsLeft, 10)
  assert.equal(renderProgress(later), '1 slot left, 10 shards there, about 10 s left')
  assert.equal(
    progressOf(statusOf({ slots: [['a-2']], shards: { 'a-1': 1 } }), drain, earlier, 40_000).done,
    false,
  )
  assert.equal(progressOf(statusOf({ slots: [['a-2']] }), drain, earlier, 50_000).done, true)
  const silent = statusOf({ slots: [['a-2']], shards: { 'a-1': 9 }, down: ['a-1'] })
  assert.equal(progressOf(silent, drain, earlier, 50_000).done, true, 'what is down cannot be cleared away')
})

test('a node that is added is done when its slots are full, a rebalance when nothing moves', () => {
  const look = statusOf({
    slots: [
      ['a-2', 'a-1'],
      ['a-2', ''],
      ['b-1', 'a-1'],
    ],
  })
  assert.equal(progressOf(look, { kind: 'coming', node: 'a-2' }, undefined, 0).slotsLeft, 2)
  assert.equal(progressOf(look, { kind: 'all' }, undefined, 0).slotsLeft, 3)
  assert.ok(progressOf(statusOf({ slots: [['a-2']] }), { kind: 'all' }, undefined, 0).done)
})

function listener() {
  const clock = new SimulatedClock()
  let said = ''
  return { clock, said: () => said, world: { clock, err: (text: string) => void (said += text) } }
}

test('following says each step once, and ends with the last', async () => {
  const { clock, said, world } = listener()
  const moving: Look = {
    slots: [
      ['a-2', 'a-1'],
      ['a-2', 'a-1'],
    ],
    shards: { 'a-1': 2 },
  }
  const half: Look = { slots: [['a-2'], ['a-2', 'a-1']], shards: { 'a-1': 1 } }
  const api = metadata([moving, moving, half, { slots: [['a-2'], ['a-2']] }])
  const done = follow(api, { kind: 'leaving', nodes: ['a-1'] }, world, new AbortController().signal)
  assert.equal(await clock.drive(done), true)
  assert.equal(said(), '2 slots left, 2 shards there\n1 slot left, 1 shard there, about 4 s left\ndone\n')
})

test('following says that metadata does not answer, once, and goes on when it does', async () => {
  const { clock, said, world } = listener()
  const moving = metadata([{ slots: [['a-2', 'a-1']] }, { slots: [['a-2']] }])
  let calls = 0
  const api: MetadataApi = {
    async call(operation, request) {
      if (calls++ < 3) throw new CommandError('metadata cannot be reached')
      return await moving.call(operation, request)
    },
  }
  const drain = { kind: 'leaving', nodes: ['a-1'] } as const
  assert.equal(await clock.drive(follow(api, drain, world, new AbortController().signal)), true)
  assert.match(said(), /^Metadata does not answer; waiting for it\..*\n1 slot left\ndone\n$/)
})

test('following ends when it is told to, and when nothing can go on', async () => {
  const { clock, said, world } = listener()
  const stop = new AbortController()
  clock.after(5000, () => {
    stop.abort()
  })
  const moving: Look = { slots: [['a-2', 'a-1']] }
  const drain = { kind: 'leaving', nodes: ['a-1'] } as const
  assert.equal(await clock.drive(follow(metadata([moving]), drain, world, stop.signal)), false)
  assert.match(said(), /goes on in the background/)
  const stuck = follow(metadata([{ slots: [['a-1']] }]), drain, world, new AbortController().signal)
  await assert.rejects(clock.drive(stuck), { message: '1 slot of a-1 found no other node' })
})

test('what giving up a node means is said before it is asked', () => {
  const pools = [
    { pool: 1, name: 'standard', code: 'replica-2', blobs: 9n, spare: [{ spare: -1, blobs: 2n }] },
  ]
  const plan = { dryRun: true, epoch: 4, slots: 1, bytes: 2048, arrivals: [], warnings: ['it is tight'] }
  const risky = lossText(
    'a-1',
    statusOf({ slots: [['a-1']], down: ['a-1'], risk: { pools, silent: ['b-1'] } }),
    plan,
  )
  assert.equal(
    risky,
    `a-1 would be given up: nothing is read from it any more, also if it came back.
1 slot would be rebuilt from other nodes, about 2 KiB.
2 blobs of pool standard cannot be read without what is down now: those that need a-1 would be lost.
Not counted is what b-1 may hold.
Warning: it is tight
`,
  )
  const safe = lossText('a-1', statusOf({ slots: [], risk: { pools: [] } }), plan)
  assert.match(safe, /every blob can be read without it: none would be lost/)
})

test('the lists have a line for each', () => {
  const status = statusOf({ slots: [['a-1'], ['a-2', 'a-1']], shards: { 'a-1': 8 }, down: ['b-1'] })
  assert.match(renderNodes(status), /^a-1 +a +up +1 +1 +0 +1 +8 +7\.81 KiB/m)
  assert.match(renderNodes(status), /^b-1 +b +down/m)
  assert.match(renderZones(status), /^a +active +2 of 2 +7\.81 KiB +0 +0$/m)
  assert.match(renderPools(status), /^standard +1 +replica-2 +active/m)
})

test('a node is started when map and file have it, and stopped when neither has', () => {
  const file = { zones: { a: ['a-1', 'a-2', 'a-3'] } }
  const known = (node: string) => ['a-1', 'a-4', 'a-5'].includes(node)
  assert.deepEqual(topologyStep(file, new Set(['a-1', 'a-2', 'a-5']), ['a-1', 'a-4', 'a-5'], known), {
    start: [{ zone: 'a', node: 'a-2' }],
    stop: ['a-4'],
  })
})

const file: ClusterFile = {
  format: 2,
  clusterId: '0'.repeat(32),
  made: { zones: 1, nodesPerZone: 1, code: 'replica-1' },
  zones: { 'zone-a': ['zone-a-1'] },
  ports: { metadata: 20_000, admin: 20_001, nodes: { 'zone-a-1': 20_002 } },
}

async function localCluster(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-topology-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const paths = dataPaths(folder)
  await writeClusterFile(paths.cluster, file)
  const world: World = {
    environment: {},
    workingDirectory: folder,
    clock: systemClock,
    random: systemRandom,
    out: () => undefined,
    err: () => undefined,
  }
  return { paths, world }
}

test('a node of this machine gets a port and a configuration, once, and loses both', async (t) => {
  const { paths, world } = await localCluster(t)
  await Promise.all([
    addLocalNode(paths, 'zone-a', 'zone-a-2', world),
    addLocalNode(paths, 'zone-b', 'zone-b-1', world),
  ])
  const grown = await readClusterFile(paths.cluster)
  assert.ok(grown !== undefined)
  assert.deepEqual(nodeNames(grown).sort(), ['zone-a-1', 'zone-a-2', 'zone-b-1'])
  const again = await addLocalNode(paths, 'zone-a', 'zone-a-2', world)
  assert.equal(again.config.port, grown.ports.nodes['zone-a-2'])
  const written: unknown = JSON.parse(await readFile(again.configFile, 'utf8'))
  assert.deepEqual(written, { ...again.config, pidFile: paths.pid('storage-node-zone-a-2') })
  await removeLocalNode(paths, 'zone-a-2', world)
  await removeLocalNode(paths, 'zone-b-1', world)
  assert.deepEqual(await readClusterFile(paths.cluster), file)
  await assert.rejects(readFile(again.configFile), { code: 'ENOENT' })
})

test('a new node does not take over the folder of an earlier one', async (t) => {
  const { paths } = await localCluster(t)
  await refuseLocalNode(paths, file, 'zone-a-2')
  await mkdir(paths.node('zone-a-2'), { recursive: true })
  await refuseLocalNode(paths, file, 'zone-a-2')
  await writeFile(join(paths.node('zone-a-2'), 'segment'), '')
  await assert.rejects(refuseLocalNode(paths, file, 'zone-a-2'), /holds what an earlier zone-a-2 left/)
})

test('how a cluster runs is told by who is alive', async (t) => {
  const { paths } = await localCluster(t)
  await mkdir(paths.run)
  assert.equal(await runMode(paths), 'stopped')
  await writeFile(paths.pid('ashlar'), `${process.pid}\n`)
  assert.equal(await runMode(paths), 'one-process')
  await writeFile(paths.pid('metadata'), `${process.pid}\n`)
  assert.equal(await runMode(paths), 'separate')
})
