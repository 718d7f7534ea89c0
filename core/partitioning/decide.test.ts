import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { splitTriggers } from '../admission/s3-rates.ts'
import { comparePositions } from '../keyspace/partitions.ts'
import { decide, INITIAL_POLICY_STATE } from './decide.ts'
import { SimulatedPartitions, type Spot } from './testing/simulated-partitions.ts'
import {
  type NodeView,
  PARTITION_SETTINGS_DEFAULT,
  type PartitionReport,
  type PartitionView,
} from './view.ts'

const MINUTE = 60_000
const settings = { ...PARTITION_SETTINGS_DEFAULT, mergeColdMs: 10 * MINUTE }

const node = (id: string, engines: readonly string[] = ['e'], state: NodeView['state'] = 'up'): NodeView => ({
  id,
  state,
  engines: new Set(engines),
})
const whole: PartitionView = {
  id: 1,
  start: { bucket: '', key: '' },
  end: undefined,
  engine: 'e',
  owner: 'n1',
}
const spot = (key: string, writes: number, reads = 0, entries = 0): Spot => ({
  bucket: 'b',
  key,
  writes,
  reads,
  entries,
})
/** So many prefixes, each with ten keys that share a load. */
const prefixes = (count: number, writes: number, reads = 0): Spot[] =>
  Array.from({ length: count * 10 }, (_, index) =>
    spot(`p${String(Math.floor(index / 10)).padStart(3, '0')}/k${index % 10}`, writes / 10, reads / 10),
  )
/** Pieces of everything, cut at these keys, by number. */
function pieces(keys: readonly string[], more: (index: number) => Partial<PartitionView>): PartitionView[] {
  const starts = [whole.start, ...keys.map((key) => ({ bucket: 'b', key }))]
  return starts.map((start, index) => ({
    ...whole,
    id: index + 1,
    start,
    end: starts[index + 1],
    ...more(index),
  }))
}
function loads(cluster: SimulatedPartitions): Map<string, number> {
  const byNode = new Map(cluster.nodes.map(({ id }) => [id, 0]))
  for (const view of cluster.partitions) {
    const { writes } = cluster.ratesOf(view)
    byNode.set(view.owner ?? '', (byNode.get(view.owner ?? '') ?? 0) + writes)
  }
  return byNode
}

test('a hot partition splits on prefix boundaries until no part is hot, the parts are spread, and then there is peace', () => {
  const cluster = new SimulatedPartitions(
    ['n1', 'n2', 'n3', 'n4'].map((id) => node(id)),
    prefixes(8, 3000),
    settings,
    [whole],
  )
  cluster.run(5 * MINUTE)
  const split = cluster.partitions
  assert.equal(split.length, 8)
  for (const view of split.slice(1)) assert.match(view.start.key, /^p\d{3}\/$/)
  assert.deepEqual(new Set(loads(cluster).values()), new Set([6000]))
  const proposals = cluster.history.length
  cluster.run(120 * MINUTE, 10_000)
  assert.equal(cluster.history.length, proposals)
})

test('at a tenth of the scale a tenth of the load is cut in the same way, and no less', () => {
  const tenth = { ...settings, ...splitTriggers(0.1) }
  const hot = new SimulatedPartitions([node('n1'), node('n2')], prefixes(8, 300), tenth, [whole])
  hot.run(5 * MINUTE)
  assert.equal(hot.partitions.length, 8)
  const below = new SimulatedPartitions([node('n1')], prefixes(2, 174, 274), tenth, [whole])
  below.run(5 * MINUTE)
  assert.deepEqual(below.history, [])
})

test('a rate that is reached in eight of the last ten seconds is a trigger, in seven it is not', () => {
  for (const hot of [7, 8, 10]) {
    const seconds = Array.from({ length: 20 }, (_, index) => (index >= 10 + hot ? 0 : 3500))
    const report: PartitionReport = {
      rates: { writes: seconds, reads: seconds },
      split: { at: { bucket: 'b', key: 'm' }, boundary: 'key', share: 0.5 },
      entries: undefined,
      bytes: undefined,
    }
    const common = { partitions: [whole], nodes: [node('n1')], reports: new Map([[1, report]]), settings }
    const free = { ...common, busy: new Set<number>() }
    const first = decide({ ...free, nowMs: 0 }, INITIAL_POLICY_STATE)
    assert.deepEqual(first.proposals, [])
    const early = decide({ ...free, nowMs: settings.settleMs - 1 }, first.state)
    assert.deepEqual(early.proposals, [])
    const later = decide({ ...free, nowMs: settings.settleMs }, early.state)
    assert.equal(later.proposals.length, hot >= 8 ? 1 : 0)
    const busy = decide({ ...common, busy: new Set([1]), nowMs: settings.settleMs }, early.state)
    assert.deepEqual(busy.proposals, [])
  }
})

test('a rate below the trigger splits nothing; the trigger does', () => {
  const below = new SimulatedPartitions([node('n1')], prefixes(2, 1749, 2749), settings, [whole])
  below.run(5 * MINUTE)
  assert.deepEqual(below.history, [])
  const writes = new SimulatedPartitions([node('n1')], prefixes(2, 1750), settings, [whole])
  writes.run(MINUTE)
  const reads = new SimulatedPartitions([node('n1')], prefixes(2, 0, 2750), settings, [whole])
  reads.run(MINUTE)
  assert.deepEqual(
    [writes, reads].map(({ history }) => history.map(({ proposal }) => proposal)),
    ['writes', 'reads'].map((trigger) => [
      { kind: 'split', partition: 1, at: { bucket: 'b', key: 'p001/' }, trigger },
    ]),
  )
})

test('one hot key is told, and not split; nor does its partition travel to and fro', () => {
  const nodes = ['n1', 'n2'].map((id) => node(id))
  const cluster = new SimulatedPartitions(nodes, [spot('hot', 9000), spot('other', 10)], settings, [whole])
  const { obstacles } = cluster.run(30 * MINUTE)
  assert.deepEqual(obstacles, [{ partition: 1, reason: 'single-key' }])
  assert.deepEqual(cluster.history, [])
})

test('what is large splits, though cold, and is not merged again', () => {
  const spots = ['a', 'b', 'c', 'd'].map((key) => spot(`${key}/`, 0, 0, settings.entries * 0.4))
  const cluster = new SimulatedPartitions([node('n1')], spots, settings, [whole])
  cluster.run(180 * MINUTE, 10_000)
  assert.deepEqual(
    cluster.history.map(({ proposal }) => proposal),
    [{ kind: 'split', partition: 1, at: undefined, trigger: 'size' }],
  )
  const one = new SimulatedPartitions([node('n1')], [spot('a', 0, 0, settings.entries)], settings, [whole])
  assert.deepEqual(one.run(5 * MINUTE).obstacles, [{ partition: 1, reason: 'indivisible' }])
})

test('when the load is gone, neighbours merge again, though they lie on several nodes, and not before their time', () => {
  const nodes = ['n1', 'n2', 'n3'].map((id) => node(id))
  const cluster = new SimulatedPartitions(nodes, prefixes(8, 3000), settings, [whole])
  cluster.run(5 * MINUTE)
  assert.equal(cluster.partitions.length, 8)
  cluster.spots = []
  const begun = cluster.nowMs
  cluster.run(2 * 60 * MINUTE, 10_000)
  assert.equal(cluster.partitions.length, 1)
  const merges = cluster.history.filter(({ proposal }) => proposal.kind === 'merge')
  assert.equal(merges.length, 7)
  for (const { atMs } of merges) assert.ok(atMs - begun >= settings.mergeColdMs)
  const proposals = cluster.history.length
  cluster.run(2 * 60 * MINUTE, 10_000)
  assert.equal(cluster.history.length, proposals)
})

test('neighbours on two engines never merge', () => {
  const nodes = [node('n1', ['e', 'f'])]
  const two = pieces(['m'], (index) => ({ engine: index === 0 ? 'e' : 'f' }))
  const cluster = new SimulatedPartitions(nodes, [], settings, two)
  cluster.run(60 * MINUTE, 10_000)
  assert.deepEqual(cluster.history, [])
})

test('what a dead node served is given to the living at once, evenly, and only to those that reach its engine', () => {
  const keys = Array.from({ length: 11 }, (_, index) => `p${String(index * 2 + 1).padStart(3, '0')}/`)
  const twelve = pieces(keys, (index) => ({
    owner: `n${(index % 3) + 1}`,
    engine: index % 3 === 2 && index > 6 ? 'f' : 'e',
  }))
  const nodes = [node('n1', ['e', 'f']), node('n2'), node('n3', ['e', 'f']), node('n4', ['e', 'f'])]
  const cluster = new SimulatedPartitions(nodes, prefixes(24, 400), settings, twelve)
  cluster.run(MINUTE / 2)
  cluster.nodes = nodes.map((one) => (one.id === 'n3' ? { ...one, state: 'down' } : one))
  cluster.run(2000)
  const counts = (): number[] =>
    ['n1', 'n2', 'n3', 'n4'].map((id) => cluster.partitions.filter(({ owner }) => owner === id).length)
  assert.deepEqual(counts(), [4, 4, 0, 4])
  cluster.nodes = nodes.map((one) => ({ ...one, state: one.id === 'n2' ? 'up' : 'down' }))
  const { obstacles } = cluster.run(2000)
  const stranded = cluster.partitions.filter(({ engine }) => engine === 'f').map(({ id }) => id)
  assert.deepEqual(
    obstacles.map(({ partition, reason }) => [partition, reason]).sort(([a], [b]) => Number(a) - Number(b)),
    stranded.map((id) => [id, 'no-node']),
  )
  assert.equal(counts()[1], 12 - stranded.length)
})

test('a node that leaves is emptied, a few at a time; one that is new gets its share', () => {
  const keys = Array.from({ length: 9 }, (_, index) => `p${String(index + 1).padStart(3, '0')}/`)
  const nodes = [node('n1'), node('n2')]
  const cluster = new SimulatedPartitions(
    nodes,
    prefixes(10, 1000),
    settings,
    pieces(keys, () => ({})),
  )
  cluster.run(10 * MINUTE)
  const counts = (): number[] =>
    ['n1', 'n2', 'n3'].map((id) => cluster.partitions.filter(({ owner }) => owner === id).length)
  assert.deepEqual(counts(), [5, 5, 0])
  cluster.nodes = [node('n1', ['e'], 'leaving'), node('n2'), node('n3')]
  const before = cluster.history.length
  cluster.run(2000)
  assert.equal(cluster.history.length - before, 2)
  cluster.run(10 * MINUTE)
  assert.deepEqual(counts(), [0, 5, 5])
})

test('idle partitions are spread by number', () => {
  const keys = ['b', 'c', 'd', 'e', 'f', 'g', 'h']
  // Warm enough not to merge.
  const warm = ['a', ...keys].map((key) => spot(`${key}x`, 200))
  const cluster = new SimulatedPartitions(
    ['n1', 'n2', 'n3', 'n4'].map((id) => node(id)),
    warm,
    settings,
    pieces(keys, () => ({})),
  )
  cluster.run(10 * MINUTE)
  assert.deepEqual(
    ['n1', 'n2', 'n3', 'n4'].map((id) => cluster.partitions.filter(({ owner }) => owner === id).length),
    [2, 2, 2, 2],
  )
})

const spots = fc.array(
  fc.record({
    bucket: fc.constantFrom('a', 'b'),
    key: fc.stringMatching(/^[a-d]\/[a-d][a-d]$/),
    writes: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
    reads: fc.integer({ min: 0, max: 3000 }),
    entries: fc.integer({ min: 0, max: Math.floor(settings.entries / 3) }),
  }),
  { minLength: 1, maxLength: 24 },
)
const nodes = fc
  .array(fc.subarray(['e', 'f'], { minLength: 1 }), { minLength: 1, maxLength: 4 })
  .map((all) => all.map((engines, index) => node(`n${index + 1}`, index === 0 ? ['e', 'f'] : engines)))

test('under a load that stays, the proposals end: nothing is hot that can be helped, no node much busier, nothing flaps', () => {
  fc.assert(
    fc.property(spots, nodes, fc.constantFrom(0, 0.05), fc.boolean(), (load, all, noise, forgets) => {
      const two = pieces(['b/'], (index) => ({ engine: index === 0 ? 'e' : 'f' }))
      const cluster = new SimulatedPartitions(all, load, { ...settings, mergeColdMs: 2 * MINUTE }, two)
      cluster.noise = noise
      cluster.run(15 * MINUTE, 5000)
      if (forgets) cluster.forget()
      cluster.run(15 * MINUTE, 10_000)
      const settled = cluster.history.length
      const { obstacles } = cluster.run(15 * MINUTE, 10_000)
      const late = cluster.history.slice(settled).map(({ proposal }) => proposal)
      // What lies within the noise of a trigger, or of a difference that is evened out, reaches it sooner or later: once.
      if (noise === 0) assert.deepEqual(late, [])
      const names = late.map((one) => `${one.kind} ${one.kind === 'merge' ? one.left : one.partition}`)
      assert.equal(new Set(names).size, names.length, names.join(', '))

      const helpless = new Set(obstacles.map(({ partition }) => partition))
      for (const view of cluster.partitions) {
        const { writes, reads } = cluster.ratesOf(view)
        const hot =
          writes > settings.writesPerSecond * (1 + noise) || reads > settings.readsPerSecond * (1 + noise)
        assert.ok(!hot || helpless.has(view.id), `partition ${view.id} is hot: ${writes}, ${reads}`)
        assert.ok(all.find(({ id }) => id === view.owner)?.engines.has(view.engine))
      }
      assertOrdered(cluster.partitions)
      if (late.length === 0) assertBalanced(cluster, noise)
      assertNoFlapping(cluster)
    }),
    { numRuns: 30 },
  )
})

function assertOrdered(partitions: readonly PartitionView[]): void {
  for (const [index, view] of partitions.entries()) {
    const next = partitions[index + 1]
    if (next === undefined) assert.equal(view.end, undefined)
    else assert.ok(view.end !== undefined && comparePositions(view.end, next.start) === 0)
  }
}

/** No partition could move to another node and bring the two much closer. */
function assertBalanced(cluster: SimulatedPartitions, noise: number): void {
  const weightOf = (view: PartitionView): number => {
    const { writes, reads } = cluster.ratesOf(view)
    return 0.05 + writes / settings.writesPerSecond + reads / settings.readsPerSecond
  }
  const loadOf = (id: string): number =>
    cluster.partitions.reduce((sum, view) => sum + (view.owner === id ? weightOf(view) : 0), 0)
  for (const view of cluster.partitions) {
    const load = loadOf(view.owner ?? '')
    for (const { id, engines } of cluster.nodes) {
      if (id === view.owner || !engines.has(view.engine)) continue
      const difference = load - loadOf(id)
      const much = difference > load * (0.11 + noise) && difference - weightOf(view) > 0.05 + noise * load
      assert.ok(!much, `partition ${view.id} should move from ${String(view.owner)} to ${id}`)
    }
  }
}

/** No range is merged that was split within the time for it, and no partition is moved for balance twice within its rest. */
function assertNoFlapping(cluster: SimulatedPartitions): void {
  const { history } = cluster
  const changed = new Map<number, number>()
  const moved = new Map<number, number>()
  for (const { atMs, proposal } of history) {
    if (proposal.kind === 'split') changed.set(proposal.partition, atMs)
    if (proposal.kind === 'merge') {
      const since = Math.max(changed.get(proposal.left) ?? 0, changed.get(proposal.right) ?? 0)
      assert.ok(atMs - since >= cluster.settings.mergeColdMs)
    }
    if (proposal.kind === 'move' && proposal.reason === 'balance') {
      const last = moved.get(proposal.partition)
      assert.ok(last === undefined || atMs - last >= settings.restMs)
      moved.set(proposal.partition, atMs)
    }
  }
}
