import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../../erasure/code.ts'
import { applyChange } from './change.ts'
import {
  type NodeFacts,
  type TopologyChange,
  type TopologyContext,
  type TopologyMap,
  TopologyRefused,
} from './model.ts'
import { membersOf } from './plan.ts'
import { finishedLines, mapOf } from './testing.ts'

/** Random clusters, and random changes in a row, with some nodes down: what must hold after each of them. */

const zone = fc.constantFrom('a', 'b', 'c', 'd')
const cluster = fc.record({
  nodes: fc
    .array(fc.record({ zone, weight: fc.integer({ min: 1, max: 4 }) }), { minLength: 1, maxLength: 12 })
    .map((list) => list.map((node, index) => ({ id: `n${index}`, ...node }))),
  codes: fc.subarray(['rs-4-2', 'replica-3', 'rs-2-1'], { minLength: 1 }),
})

/** A change by numbers, made to fit the map as it is by then. */
const step = fc.record({
  what: fc.constantFrom(
    'add',
    'drain',
    'drain',
    'activate',
    'lose',
    'weigh',
    'remove',
    'drain-zone',
    'activate-zone',
    'finish',
    'finish',
    'finish-some',
    'rebalance',
    'substitute',
    'spread',
    'recode',
    'remove-pool',
  ),
  pick: fc.nat(1000),
  zone,
  weight: fc.integer({ min: 1, max: 4 }),
  force: fc.boolean(),
  down: fc.array(fc.nat(1000), { maxLength: 2 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function changeOf(
  map: TopologyMap,
  { what, pick, zone: where, weight }: Step,
  index: number,
): TopologyChange {
  const id = map.nodes[pick % map.nodes.length]?.id ?? ''
  const lines = finishedLines(map)
  switch (what) {
    case 'add':
      return { kind: 'add-node', id: `m${index}`, zone: where, weight }
    case 'drain':
      return { kind: 'change-node', id, state: 'draining' }
    case 'activate':
      return { kind: 'change-node', id, state: 'active' }
    case 'lose':
      return { kind: 'change-node', id, state: 'lost' }
    case 'weigh':
      return { kind: 'change-node', id, weight }
    case 'remove':
      return { kind: 'change-node', id, remove: true }
    case 'drain-zone':
      return { kind: 'change-zone', id: where, state: 'draining' }
    case 'activate-zone':
      return { kind: 'change-zone', id: where, state: 'active' }
    case 'finish':
      return { kind: 'finish-slots', slots: lines }
    case 'finish-some':
      return { kind: 'finish-slots', slots: lines.filter((_, at) => (at + pick) % 3 === 0) }
    case 'rebalance':
      return { kind: 'rebalance' }
    case 'substitute':
      return { kind: 'substitute', nodes: [id] }
    case 'spread':
      return { kind: 'spread', nodes: map.nodes.map((node) => node.id) }
    case 'recode':
      return { kind: 'change-pool', name: 'pool-1', code: pick % 2 === 0 ? 'rs-2-2' : 'rs-4-2', groups: 0 }
    case 'remove-pool':
      return { kind: 'remove-pool', pool: map.pools[pick % map.pools.length]?.id ?? 0 }
  }
}

function contextFor(map: TopologyMap, { force, down, what, pick }: Step): TopologyContext {
  const facts = new Map<string, NodeFacts>(
    map.nodes.map(({ id }) => [id, { liveness: 'up', writable: true, shards: 0 }]),
  )
  const away = [...down, ...(what === 'lose' || what === 'substitute' ? [pick] : [])]
  for (const index of away) {
    const id = map.nodes[index % map.nodes.length]?.id ?? ''
    facts.set(id, { liveness: 'down', writable: true, shards: 0 })
  }
  return { force, facts, blobs: new Map(), silent: [] }
}

interface GroupState {
  readonly distinct: number
  readonly zones: readonly number[]
}

/** Spread of a group over nodes that are not lost, and shards by zone, the fullest first. */
function stateOf(map: TopologyMap, slots: readonly { node: string }[]): GroupState {
  const nodes = new Map(map.nodes.map((node) => [node.id, node]))
  const alive = slots.map(({ node }) => node).filter((node) => nodes.get(node)?.state !== 'lost')
  const zones = new Map<string, number>()
  for (const { node } of slots) {
    const name = nodes.get(node)?.zone ?? ''
    zones.set(name, (zones.get(name) ?? 0) + 1)
  }
  return { distinct: new Set(alive).size, zones: [...zones.values()].sort((a, b) => b - a) }
}

function assertSound(map: TopologyMap): void {
  const nodes = new Map(map.nodes.map((node) => [node.id, node]))
  for (const { code, groups } of map.pools) {
    for (const { slots } of groups) {
      assert.equal(slots.length, parseCode(code).total)
      for (const { node, source, filling } of slots) {
        assert.ok(nodes.has(node), `unknown node ${node}`)
        assert.ok(source === '' || nodes.has(source), `unknown source ${source}`)
        assert.notEqual(node, source)
        if (source !== '') assert.ok(filling)
        assert.notEqual(nodes.get(source)?.state, 'lost')
      }
    }
  }
}

/** What was in readers' reach stays there, unless its node is lost or away. */
function assertReach(before: TopologyMap, after: TopologyMap, gone: ReadonlySet<string>): void {
  const old = new Map(before.pools.flatMap(({ groups }) => groups.map((group) => [group.id, group])))
  for (const { groups } of after.pools) {
    for (const { id, slots } of groups) {
      const was = old.get(id)
      if (was === undefined) continue
      for (const [shard, slot] of slots.entries()) {
        const { node, source } = was.slots[shard] ?? slot
        if (slot.node === node) continue
        const reach = [slot.node, slot.source]
        for (const holder of [node, source]) {
          if (holder !== '' && !gone.has(holder)) {
            assert.ok(reach.includes(holder), `${id}/${shard}: ${holder}`)
          }
        }
      }
    }
  }
}

function withoutSources(map: TopologyMap): TopologyMap {
  const pools = map.pools.map((pool) => ({
    ...pool,
    groups: pool.groups.map((group) => ({
      ...group,
      slots: group.slots.map((slot) => ({ ...slot, source: '' })),
    })),
  }))
  return { ...map, pools }
}

test('whatever is done in a row: maps stay sound, groups no less spread, shards within reach, epochs in step', () => {
  fc.assert(
    fc.property(cluster, fc.array(step, { minLength: 1, maxLength: 14 }), ({ nodes, codes }, steps) => {
      let map = mapOf(nodes, codes, 6)
      for (const [index, one] of steps.entries()) {
        const change = changeOf(map, one, index)
        const context = contextFor(map, one)
        const kept = structuredClone(map)
        let result
        try {
          result = applyChange(map, change, context)
        } catch (error) {
          assert.ok(error instanceof TopologyRefused, String(error))
          assert.deepEqual(map, kept)
          continue
        }
        const { map: after, moves } = result
        assert.deepEqual(map, kept)
        assert.deepEqual(applyChange(map, change, context), result)
        if (after === map) {
          assert.deepEqual(moves, [])
          continue
        }
        assert.equal(after.epoch, map.epoch + 1)
        assert.notDeepEqual({ ...after, epoch: 0 }, { ...map, epoch: 0 })
        assertSound(after)
        const lost = new Set(after.nodes.filter(({ state }) => state === 'lost').map(({ id }) => id))
        const gone = new Set([...lost, ...(change.kind === 'substitute' ? change.nodes : [])])
        // What a slot that is full had as its source is not needed any more.
        const needed = change.kind === 'finish-slots' ? withoutSources(map) : map
        assertReach(needed, after, gone)
        if (change.kind === 'finish-slots') {
          assert.equal(applyChange(after, { ...change, slots: [] }, context).map, after)
        }
        const loses = change.kind === 'change-node' && change.state === 'lost'
        if (!one.force && !loses) {
          const were = new Map(map.pools.flatMap(({ groups }) => groups.map((group) => [group.id, group])))
          for (const { groups } of after.pools) {
            for (const group of groups) {
              const was = were.get(group.id)
              if (was === undefined) continue
              const [from, to] = [stateOf(map, was.slots), stateOf(after, group.slots)]
              // A node that is away takes its place in the count with it, for as long as it is.
              const away =
                change.kind === 'substitute' && was.slots.some(({ node }) => change.nodes.includes(node))
              if (!away) assert.ok(to.distinct >= from.distinct, `group ${group.id} on fewer nodes`)
              const even = Math.ceil(group.slots.length / Math.max(1, membersOf(after).openZones.size))
              const owed = was.slots.some(({ node }) => lost.has(node))
              if (!owed) {
                assert.ok(
                  (to.zones[0] ?? 0) <= Math.max(from.zones[0] ?? 0, even),
                  `group ${group.id}: a fuller zone`,
                )
              }
            }
          }
        }
        map = after
      }
    }),
    { numRuns: 200 },
  )
})
