import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type TopologyChange, type TopologyMap, TopologyRefused } from './model.ts'
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

test('a node more: about 1/(n+1) of the slots of its zone move to it, and nothing else moves', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 9 }),
      fc.constantFrom('rs-4-2', 'replica-3', 'rs-8-4'),
      (n, code) => {
        const map = mapOf(evenNodes(3, n), [code], 128)
        const { map: after, moves } = change(map, { kind: 'add-node', id: 'a-new', zone: 'a', weight: 1 })
        const inZone = after.nodes
          .filter(({ zone }) => zone === 'a')
          .reduce((sum, { id }) => sum + loadOf(after, id), 0)
        assert.ok(moves.every(({ from, to }) => from.startsWith('a') && to === 'a-new'))
        assert.equal(loadOf(after, 'a-new'), moves.length)
        // Where the zone has fewer nodes than shards of a group, the new one takes those that lie doubled: its share as well.
        assert.ok(
          Math.abs(moves.length - inZone / (n + 1)) <= 1,
          `${moves.length} of ${inZone} moved to one of ${n + 1}`,
        )
        assert.deepEqual(zoneShares(after), zoneShares(map))
      },
    ),
  )
})

test('a node of another weight gets its share by weight', () => {
  const map = mapOf(evenNodes(3, 4), ['rs-4-2'], 128)
  const { moves } = change(map, { kind: 'add-node', id: 'a-new', zone: 'a', weight: 2 })
  // 256 slots of the zone over the weights 1, 1, 1, 1, 2; at most one of each group.
  assert.ok(Math.abs(moves.length - 256 / 3) <= 1, String(moves.length))
  const heavy = change(map, { kind: 'add-node', id: 'a-new', zone: 'a', weight: 1000 }).map
  assert.ok(loadOf(heavy, 'a-new') >= 127)
})

/** Of so many slots, by weight; a node has at most one of each of 64 groups, and what is beyond goes to the others. */
function shareOf(weight: number, others: readonly number[], slots: number): number {
  const all = others.reduce((sum, own) => sum + own, weight)
  const heaviest = Math.max(weight, ...others)
  if ((heaviest * slots) / all <= 64) return (weight * slots) / all
  if (heaviest === weight) return 64
  return shareOf(weight, others.toSpliced(others.indexOf(heaviest), 1), slots - 64)
}

test('whatever the weights: its share moves to a new node, no more, and nothing else', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 8 })
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 9 }), (list, weight) => {
      const nodes = ['a', 'b', 'c'].flatMap((zone) =>
        list.map((own, index) => ({ id: `${zone}${index + 1}`, zone, weight: own })),
      )
      const map = mapOf(nodes, ['rs-4-2', 'replica-3'], 64)
      const { map: after, moves } = change(map, { kind: 'add-node', id: 'a-new', zone: 'a', weight })
      assert.ok(moves.every(({ from, to }) => from.startsWith('a') && to === 'a-new'))
      assert.deepEqual(spread(after), spread(map))
      for (const [pool, slots] of [
        [1, 128],
        [2, 64],
      ] as const) {
        const share = shareOf(weight, list, slots)
        const got = loadOf(after, 'a-new', pool)
        assert.ok(Math.abs(got - share) < 2, `${got} slots, where ${share} are its share`)
      }
    }),
  )
})

test('a node in a new zone takes what the rule asks for there, one shard a group while it is alone', () => {
  const map = mapOf(evenNodes(2, 3), ['rs-4-2'], 32)
  const one = change(map, { kind: 'add-node', id: 'c1', zone: 'c', weight: 1 })
  assert.equal(one.moves.length, 32)
  assert.deepEqual(spread(one.map), spread(map))
  const two = change(one.map, { kind: 'add-node', id: 'c2', zone: 'c', weight: 1 })
  assert.equal(two.moves.length, 32)
  for (const shares of zoneShares(two.map)) assert.deepEqual(shares, { a: 2, b: 2, c: 2 })
  const three = change(two.map, { kind: 'add-node', id: 'c3', zone: 'c', weight: 1 })
  // Those that move already are left alone: all of the new zone's do.
  assert.equal(three.moves.length, 0)
  const settled = change(finish(two.map), { kind: 'add-node', id: 'c3', zone: 'c', weight: 1 })
  assert.ok(Math.abs(settled.moves.length - 64 / 3) <= 1)
})

test('doubled-up slots are the first that a new node takes, also from other zones where the rule allows', () => {
  const laptop = mapOf(evenNodes(1, 1), ['rs-4-2'])
  const two = change(laptop, { kind: 'add-node', id: 'a2', zone: 'a', weight: 1 }).map
  for (const { slots } of two.pools[0]?.groups ?? []) {
    assert.equal(slots.filter(({ node }) => node === 'a2').length, 3)
  }
  const replicas = mapOf(evenNodes(2, 1), ['replica-3'])
  const three = change(replicas, { kind: 'add-node', id: 'b2', zone: 'b', weight: 1 })
  assert.deepEqual(
    spread(three.map),
    Array.from({ length: 16 }, () => 3),
  )
  assert.equal(three.moves.length, 16)
})

test('drain: all slots of the node go to others of its zone, with the node as their source', () => {
  const map = mapOf(evenNodes(3, 3), ['rs-4-2', 'replica-3'], 64)
  const { map: after, moves } = change(map, { kind: 'change-node', id: 'b2', state: 'draining' })
  assert.equal(after.epoch, map.epoch + 1)
  assert.equal(moves.length, loadOf(map, 'b2'))
  assert.equal(loadOf(after, 'b2'), 0)
  assert.deepEqual(spread(after), spread(map))
  assert.deepEqual(zoneShares(after), zoneShares(map))
  for (const line of finishedLines(after)) assert.equal(line.source, 'b2')
  const done = finish(after)
  assert.equal(finishedLines(done).length, 0)
  assert.throws(() => change(after, { kind: 'change-node', id: 'b2', remove: true }), /slots still name/)
  const holding = new Map([['b2', { liveness: 'up' as const, writable: true, shards: 3 }]])
  assert.throws(
    () => change(done, { kind: 'change-node', id: 'b2', remove: true }, { facts: holding }),
    /3 live shards/,
  )
  assert.throws(() => change(done, { kind: 'change-node', id: 'b2', remove: true }), /has not said/)
  const empty = new Map([['b2', { liveness: 'up' as const, writable: true, shards: 0 }]])
  const removed = change(done, { kind: 'change-node', id: 'b2', remove: true }, { facts: empty }).map
  assert.ok(!removed.nodes.some(({ id }) => id === 'b2'))
})

test('drain is refused where redundancy would fall, with the pools and what would help, and can be forced', () => {
  const map = mapOf(SIX, ['rs-4-2', 'replica-3'])
  const drain: TopologyChange = { kind: 'change-node', id: 'a1', state: 'draining' }
  assert.throws(
    () => change(map, drain),
    (error) => {
      assert.ok(error instanceof TopologyRefused)
      assert.match(error.message, /^pool pool-1 has no other node for 16 slots.*Add a node to zone a/)
      assert.doesNotMatch(error.message, /pool-2/)
      return true
    },
  )
  const forced = change(map, drain, { force: true })
  assert.equal(loadOf(forced.map, 'a1'), 0)
  assert.ok(
    forced.warnings.some((line) => line.includes('on fewer nodes')),
    forced.warnings.join(),
  )
  // Other nodes of the zone do not help while they are down.
  const nine = mapOf(evenNodes(3, 3), ['rs-4-2'])
  assert.throws(() => change(nine, drain, { facts: down('a2', 'a3') }), /no other node/)
  // The last node of a zone: two zones of three shards each would be left.
  const last = mapOf([...evenNodes(2, 3), { id: 'c1', zone: 'c', weight: 1 }], ['rs-4-2'])
  assert.throws(() => change(last, { kind: 'change-zone', id: 'c', state: 'draining' }), /loss of zone/)
})

test('a zone is drained where the others can take its share', () => {
  const map = mapOf(evenNodes(4, 3), ['rs-4-2', 'replica-3'], 32)
  const { map: after } = change(map, { kind: 'change-zone', id: 'd', state: 'draining' })
  for (const id of ['d1', 'd2', 'd3']) assert.equal(loadOf(after, id), 0)
  for (const shares of zoneShares(after)) {
    assert.ok([1, 2].includes(shares['a'] ?? 0) && shares['d'] === undefined)
  }
  assert.throws(() => change(after, { kind: 'add-node', id: 'd4', zone: 'd', weight: 1 }), /being drained/)
  assert.throws(() => change(after, { kind: 'change-zone', id: 'd', remove: true }), /d1, d2, d3/)
  const back = change(after, { kind: 'change-zone', id: 'd', state: 'active' }).map
  assert.deepEqual(
    back.pools.map(({ groups }) => groups.map(({ slots }) => slots.map(({ node }) => node))),
    map.pools.map(({ groups }) => groups.map(({ slots }) => slots.map(({ node }) => node))),
  )
})

test('a drain that is called off brings the slots back, with those that took them as sources', () => {
  const map = mapOf(evenNodes(3, 3), ['rs-4-2'])
  const drained = change(map, { kind: 'change-node', id: 'a1', state: 'draining' }).map
  const back = change(drained, { kind: 'change-node', id: 'a1', state: 'active' }).map
  for (const [pool, { groups }] of back.pools.entries()) {
    for (const [group, { slots }] of groups.entries()) {
      for (const [shard, slot] of slots.entries()) {
        const was = map.pools[pool]?.groups[group]?.slots[shard]
        const away = drained.pools[pool]?.groups[group]?.slots[shard]
        assert.ok(was !== undefined && away !== undefined)
        assert.equal(slot.node, was.node)
        const { since } = slot
        if (was.node === 'a1') assert.deepEqual(slot, { node: 'a1', source: away.node, filling: true, since })
      }
    }
  }
})

test('lines that do not fit the map finish nothing, and finishing twice changes nothing', () => {
  const map = mapOf(evenNodes(3, 3), ['rs-4-2'])
  const drained = change(map, { kind: 'change-node', id: 'a1', state: 'draining' }).map
  const lines = finishedLines(drained)
  const wrong = lines.map((line) => ({ ...line, node: 'b1' }))
  assert.equal(change(drained, { kind: 'finish-slots', slots: wrong }).map, drained)
  const done = change(drained, { kind: 'finish-slots', slots: lines }).map
  assert.equal(change(done, { kind: 'finish-slots', slots: lines }).map, done)
})

test('weights: slots follow, and as few as that takes', () => {
  const map = mapOf(evenNodes(3, 4), ['rs-4-2'], 128)
  const more = change(map, { kind: 'change-node', id: 'a1', weight: 2 })
  assert.ok(more.moves.every(({ to }) => to === 'a1'))
  assert.ok(Math.abs(loadOf(more.map, 'a1') - (256 * 2) / 5) <= 1, String(loadOf(more.map, 'a1')))
  const less = change(map, { kind: 'change-node', id: 'a1', weight: 0.5 })
  assert.ok(less.moves.every(({ from }) => from === 'a1'))
  assert.ok(Math.abs(loadOf(less.map, 'a1') - (256 * 0.5) / 3.5) <= 1, String(loadOf(less.map, 'a1')))
})

test('rebalance evens out what random placement left, and a second one has nothing to do', () => {
  const nodes = evenNodes(3, 4).map((node, index) => ({ ...node, weight: 1 + (index % 3) }))
  const map = mapOf(nodes, ['rs-4-2', 'replica-3'], 128)
  const { map: after, moves } = change(map, { kind: 'rebalance' })
  assert.ok(moves.length > 0)
  assert.deepEqual(zoneShares(after), zoneShares(map))
  assert.equal(change(finish(after), { kind: 'rebalance' }).moves.length, 0)
})

test('a locally repairable code whose groups are not the zones is taken with a warning', () => {
  const map = mapOf(evenNodes(3, 4), ['rs-4-2'])
  const to = (code: string) =>
    change(map, { kind: 'change-pool', name: 'pool-1', code, groups: 0 }).warnings.filter((warning) =>
      warning.includes('local groups'),
    )
  assert.deepEqual(to('lrc-6-3-3'), [])
  assert.deepEqual(to('lrc-6-2-2'), [
    'lrc-6-2-2 has 2 local groups for 3 zones: a lost shard is not rebuilt within its zone alone',
  ])
})

test('a pool with another code takes the place of the old one, which retires and goes when it is empty', () => {
  const map = mapOf(evenNodes(3, 4), ['rs-4-2'])
  const to = (code: string): TopologyChange => ({ kind: 'change-pool', name: 'pool-1', code, groups: 0 })
  const { map: after } = change(map, to('rs-8-4'))
  assert.deepEqual(
    after.pools.map(({ id, name, code, state }) => [id, name, code, state]),
    [
      [1, 'pool-1', 'rs-4-2', 'retiring'],
      [2, 'pool-1', 'rs-8-4', 'active'],
    ],
  )
  assert.ok(after.pools[1]?.groups.every(({ slots }) => new Set(slots.map(({ node }) => node)).size === 12))
  assert.throws(() => change(map, to('rs-4-2')), /already/)
  assert.throws(() => change(map, to('rs-4-x')), /erasure code/)
  assert.throws(
    () => change(map, { kind: 'change-pool', name: 'x', code: 'rs-8-4', groups: 0 }),
    /no active pool/,
  )
  assert.throws(() => change(mapOf(SIX, ['rs-4-2']), to('rs-8-1')), /single node/)
  assert.throws(() => change(after, { kind: 'remove-pool', pool: 2 }), /in use/)
  assert.throws(
    () => change(after, { kind: 'remove-pool', pool: 1 }, { blobs: new Map([[1, 7]]) }),
    /7 blobs/,
  )
  const removed = change(after, { kind: 'remove-pool', pool: 1 }).map
  // An id is never given twice.
  const twice = change(change(removed, to('rs-4-2')).map, { kind: 'remove-pool', pool: 2 }).map
  assert.deepEqual(
    change(twice, to('rs-8-4')).map.pools.map(({ id }) => id),
    [3, 4],
  )
})

test('local groups that lie in one zone stay there: nodes are added and drained inside, and a further zone gets none of them', () => {
  const map = mapOf(evenNodes(3, 5), ['lrc-6-3-3'])
  const zones = (of: TopologyMap) => {
    const byId = new Map(of.nodes.map(({ id, zone }) => [id, zone]))
    return of.pools[0]?.groups.map(({ slots }) => slots.map(({ node }) => byId.get(node)))
  }
  const more = change(map, { kind: 'add-node', id: 'a6', zone: 'a', weight: 1 })
  assert.ok(Math.abs(more.moves.length - (16 * 4) / 6) <= 1)
  const drained = change(finish(more.map), { kind: 'change-node', id: 'b1', state: 'draining' })
  assert.equal(loadOf(drained.map, 'b1'), 0)
  const further = change(finish(drained.map), { kind: 'add-node', id: 'd1', zone: 'd', weight: 1 })
  assert.deepEqual(further.moves, [])
  const balanced = change(further.map, { kind: 'rebalance' })
  for (const { map: after } of [more, drained, further, balanced]) assert.deepEqual(zones(after), zones(map))
  // A zone with no more nodes than a group has shards in it cannot do without one, though others have room.
  const full = change(mapOf(evenNodes(3, 4), ['lrc-6-3-3']), {
    kind: 'add-node',
    id: 'd1',
    zone: 'd',
    weight: 1,
  }).map
  assert.throws(() => change(full, { kind: 'change-node', id: 'a1', state: 'draining' }), /no other node/)
})

test('what was seen of a move ends no later move between the same nodes', () => {
  const map = mapOf(evenNodes(3, 3), ['rs-4-2'])
  const drain = (of: TopologyMap) => change(of, { kind: 'change-node', id: 'a1', state: 'draining' }).map
  const back = (of: TopologyMap) => change(of, { kind: 'change-node', id: 'a1', state: 'active' }).map
  const once = drain(map)
  const seen = finishedLines(once)
  assert.ok(seen.length > 0)
  const again = drain(finish(back(once)))
  const bare = (lines: ReturnType<typeof finishedLines>) => lines.map(({ since: _, ...line }) => line)
  assert.deepEqual(bare(finishedLines(again)), bare(seen), 'the slots look the same')
  assert.equal(change(again, { kind: 'finish-slots', slots: seen }).map, again)
  assert.deepEqual(finishedLines(finish(again)), [])
})
