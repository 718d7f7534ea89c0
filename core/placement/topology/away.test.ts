import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { TopologyChange } from './model.ts'
import {
  change,
  down,
  evenNodes,
  finish,
  finishedLines,
  loadOf,
  mapOf,
  spread,
  zoneShares,
} from './testing.ts'

const SIX = evenNodes(3, 2)

test('lost: the slots are filled from nothing, sources that are lost are forgotten, an up node is not given up', () => {
  const map = mapOf(evenNodes(3, 3), ['rs-4-2'])
  const lost: TopologyChange = { kind: 'change-node', id: 'a1', state: 'lost' }
  const { map: after } = change(map, lost)
  assert.equal(loadOf(after, 'a1'), 0)
  for (const line of finishedLines(after)) assert.equal(line.source, '')
  assert.equal(finishedLines(after).length, loadOf(map, 'a1'))
  const drained = change(map, { kind: 'change-node', id: 'a1', state: 'draining' }).map
  const then = change(drained, lost).map
  assert.deepEqual(
    finishedLines(then),
    finishedLines(drained).map((line) => ({ ...line, source: '', since: then.epoch })),
  )
  const up = new Map([['a1', { liveness: 'up' as const, writable: true, shards: 3 }]])
  assert.throws(() => change(map, lost, { facts: up, force: true }), /is up/)
  assert.throws(() => change(after, { kind: 'change-node', id: 'a1', state: 'draining' }), /is lost/)
  const unknown = new Map([['a1', { liveness: 'unknown' as const, writable: true, shards: 3 }]])
  assert.throws(() => change(map, lost, { facts: unknown }), /may be up/)
  assert.deepEqual(change(map, lost, { facts: unknown, force: true }).map, after)
})

test('a second copy of a replica on one node adds nothing, and is not made', () => {
  const map = mapOf(evenNodes(1, 3), ['replica-3'])
  const { map: after, moves, warnings } = change(map, { kind: 'change-node', id: 'a1', state: 'lost' })
  assert.deepEqual(moves, [])
  assert.equal(loadOf(after, 'a1'), 16)
  assert.ok(warnings.some((line) => line.includes('no node for 16 slots')))
})

test('a zone that is lost whole is waited for, and rebuilt on new nodes', () => {
  let map = mapOf(SIX, ['rs-4-2', 'replica-3'])
  map = change(map, { kind: 'change-zone', id: 'c', state: 'lost' }).map
  for (const id of ['a1', 'a2', 'b1', 'b2']) {
    assert.equal(loadOf(map, id), loadOf(mapOf(SIX, ['rs-4-2', 'replica-3']), id))
  }
  map = change(map, { kind: 'add-node', id: 'c3', zone: 'c', weight: 1 }).map
  // All that was lost, since a shard beside another is worth more than none; the next node takes one of each two.
  map = change(map, { kind: 'add-node', id: 'c4', zone: 'c', weight: 1 }).map
  assert.equal(loadOf(map, 'c1') + loadOf(map, 'c2'), 0)
  for (const shares of zoneShares(map)) assert.ok((shares['c'] ?? 0) >= 1)
  for (const { slots } of map.pools[0]?.groups ?? []) {
    assert.equal(new Set(slots.map(({ node }) => node)).size, 6)
  }
  map = finish(map)
  map = change(map, { kind: 'change-node', id: 'c1', remove: true }).map
  assert.equal(map.nodes.length, 7)
})

test('substitutes of nodes that are away are of their zone, no fuller than an even spread, and know where the shards are', () => {
  const map = mapOf(SIX, ['rs-4-2', 'replica-3'])
  const facts = down('a1')
  const { map: after, moves } = change(map, { kind: 'substitute', nodes: ['a1'] }, { facts })
  assert.ok(moves.length > 0 && moves.every(({ from, to }) => from === 'a1' && to === 'a2'))
  for (const line of finishedLines(after)) assert.equal(line.source, 'a1')
  assert.equal(loadOf(after, 'a1', 1), 0)
  // A dead zone moves nothing, and neither do groups of replicas whose zone has no other node.
  const zone = change(map, { kind: 'substitute', nodes: ['a1', 'a2'] }, { facts: down('a1', 'a2') })
  assert.equal(zone.map, map)
  // Down again before it was filled: the slot returns to its source, which is back.
  const again = change(after, { kind: 'substitute', nodes: ['a2'] }, { facts: down('a2') }).map
  for (const line of finishedLines(again)) assert.deepEqual([line.node, line.source], ['a1', 'a2'])
})

test('spread: a substituted node that is back takes one of each two shards that lie on one node, and nothing else moves', () => {
  const map = mapOf(SIX, ['rs-4-2', 'replica-3'])
  const ids = SIX.map(({ id }) => id)
  assert.equal(change(map, { kind: 'spread', nodes: ids }).map, map)
  const away = change(map, { kind: 'substitute', nodes: ['a1'] }, { facts: down('a1') }).map
  // While it is filled, nothing has to be brought but what was written meanwhile.
  const returned = change(away, { kind: 'spread', nodes: ids }).map
  assert.ok(finishedLines(returned).some(({ node, source }) => node === 'a1' && source === 'a2'))
  assert.deepEqual(spread(returned), spread(map))
  for (const [group, { slots }] of returned.pools[0]?.groups.entries() ?? []) {
    const before = map.pools[0]?.groups[group]?.slots
    assert.deepEqual(
      slots.map(({ node }) => node),
      before?.map(({ node }) => node),
    )
  }
  // Replicas were not doubled, and stay where they went.
  assert.equal(loadOf(returned, 'a1', 2), loadOf(away, 'a1', 2))
  // Afterwards it takes the other of two.
  const filled = finish(away)
  const back = change(filled, { kind: 'spread', nodes: ids }).map
  assert.deepEqual(spread(back), spread(map))
  assert.ok(finishedLines(back).every(({ node, source }) => node === 'a1' && source === 'a2'))
  assert.equal(change(filled, { kind: 'spread', nodes: ['b1'] }).map, filled)
})

test('where slots were chosen anew there is nothing to spread', () => {
  const nodes = fc
    .array(fc.record({ zone: fc.constantFrom('a', 'b', 'c', 'd'), weight: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 12,
    })
    .map((list) => list.map((node, index) => ({ id: `n${index}`, ...node })))
  fc.assert(
    fc.property(nodes, (list) => {
      const map = mapOf(list, ['rs-4-2', 'replica-3', 'rs-2-1'], 4)
      assert.equal(change(map, { kind: 'spread', nodes: list.map(({ id }) => id) }).map, map)
    }),
  )
})

test('a slot that still moves is drained when its move is finished, and goes on by itself', () => {
  const map = mapOf(evenNodes(1, 4), ['replica-2'])
  const first = change(map, { kind: 'change-node', id: 'a1', state: 'draining' }).map
  const [line] = finishedLines(first)
  assert.ok(line !== undefined)
  const second = change(first, { kind: 'change-node', id: line.node, state: 'draining' }).map
  assert.ok(finishedLines(second).some((other) => other.node === line.node && other.source === 'a1'))
  const third = finish(second)
  assert.equal(loadOf(third, line.node), 0)
  assert.ok(finishedLines(third).every(({ source }) => source === line.node))
})
