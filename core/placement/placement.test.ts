import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../erasure/code.ts'
import { localGroup } from '../erasure/repair.ts'
import { groupId, groupOf } from './group.ts'
import { chooseSlots, type PlacementNode } from './rendezvous.ts'
import { zoneLoss } from './zone-loss.ts'

const nodesOf = fc
  .array(fc.record({ zone: fc.constantFrom('a', 'b', 'c', 'd'), weight: fc.integer({ min: 1, max: 9 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((list) => list.map((node, index) => ({ id: `node-${index}`, ...node })))
const group = fc.integer({ min: 65_536, max: 200_000 })
const shards = fc.integer({ min: 1, max: 14 })

function zonesOf(slots: readonly string[], nodes: readonly PlacementNode[]): string[] {
  return slots.map((id) => nodes.find((node) => node.id === id)?.zone ?? '')
}

function countBy(list: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

test('zone rule: as even as can be, rotating, and distinct nodes while a zone has enough', () => {
  fc.assert(
    fc.property(group, shards, nodesOf, (id, count, nodes) => {
      const slots = chooseSlots(id, count, nodes)
      assert.equal(slots.length, count)
      const zones = [...new Set(nodes.map(({ zone }) => zone))]
      const chosen = zonesOf(slots, nodes)
      const perZone = zones.map((zone) => countBy(chosen).get(zone) ?? 0)
      assert.ok(Math.max(...perZone) - Math.min(...perZone) <= 1)
      const first = chosen.slice(0, zones.length)
      assert.equal(new Set(first).size, first.length)
      for (const zone of zones) {
        const here = slots.filter((_, index) => chosen[index] === zone)
        const members = nodes.filter((node) => node.zone === zone).length
        assert.equal(new Set(here).size, Math.min(here.length, members))
        const repeats = [...countBy(here).values()]
        assert.ok(Math.max(0, ...repeats) <= Math.ceil(here.length / members))
      }
    }),
  )
})

test('rs-4-2 over three zones: two a zone, on different nodes', () => {
  const nodes = ['a', 'b', 'c'].flatMap((zone) => [1, 2].map((n) => ({ id: `${zone}${n}`, zone, weight: 1 })))
  for (let id = 0; id < 500; id++) {
    const slots = chooseSlots(id, 6, nodes)
    assert.equal(new Set(slots).size, 6)
    assert.deepEqual([...countBy(zonesOf(slots, nodes)).values()], [2, 2, 2])
  }
})

test('a zone with a node to spare takes the odd shard, before one that would have to use a node twice', () => {
  const nodes = ['a-1', 'b-1', 'b-2'].map((id) => ({ id, zone: id.slice(0, 1), weight: 1 }))
  for (let id = 0; id < 64; id++) {
    assert.deepEqual(chooseSlots(id, 3, nodes).toSorted(), ['a-1', 'b-1', 'b-2'])
  }
})

test('the order in which nodes are given does not matter', () => {
  fc.assert(
    fc.property(group, shards, nodesOf, (id, count, nodes) => {
      assert.deepEqual(chooseSlots(id, count, nodes.toReversed()), chooseSlots(id, count, nodes))
    }),
  )
})

test('a node that leaves changes only its own shards', () => {
  const nodes = ['a', 'b', 'c'].flatMap((zone) =>
    [1, 2, 3, 4].map((n) => ({ id: `${zone}${n}`, zone, weight: n })),
  )
  fc.assert(
    fc.property(group, fc.nat(nodes.length - 1), (id, index) => {
      const gone = nodes[index]
      const before = new Set(chooseSlots(id, 6, nodes))
      const after = new Set(
        chooseSlots(
          id,
          6,
          nodes.filter((node) => node !== gone),
        ),
      )
      const lost = [...before].filter((node) => !after.has(node))
      // The zones' weights change with it, but six shards over three zones are two each whatever the weights.
      assert.deepEqual(lost, before.has(gone?.id ?? '') ? [gone?.id] : [])
      assert.equal(after.size, before.size)
    }),
  )
})

test('shards follow the weights', () => {
  const weights = [1, 2, 3, 4]
  const nodes = weights.map((weight, index) => ({ id: `n${index}`, zone: 'a', weight }))
  const groups = 20_000
  const counts = new Map<string, number>()
  for (let id = 0; id < groups; id++) {
    for (const node of chooseSlots(id, 1, nodes)) counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  for (const [index, weight] of weights.entries()) {
    const share = (counts.get(`n${index}`) ?? 0) / groups
    assert.ok(Math.abs(share - weight / 10) < 0.012, `weight ${weight} got ${share}`)
  }
  // The zones too: which one gets the odd shard follows what it holds.
  const two = [
    { id: 'x', zone: 'x', weight: 3 },
    { id: 'y', zone: 'y', weight: 1 },
  ]
  let heavy = 0
  for (let id = 0; id < groups; id++) {
    if (chooseSlots(id, 3, two).filter((node) => node === 'x').length === 2) heavy++
  }
  assert.ok(Math.abs(heavy / groups - 0.75) < 0.012)
})

test('no nodes, no groups', () => {
  assert.throws(() => chooseSlots(1, 6, []), RangeError)
})

test('blobs spread evenly over the groups by their random bits alone', () => {
  const counts = Array.from({ length: 128 }, () => 0)
  const blobs = 128 * 500
  for (let index = 0; index < blobs; index++) {
    // As unlucky as ids can be: counters where random bits should be.
    const blob = `0193f0000000${(index % 256).toString(16).padStart(8, '0')}${index.toString(16).padStart(12, '0')}`
    const at = groupOf(blob, 128)
    assert.ok(Number.isInteger(at) && at >= 0 && at < 128)
    counts[at] = (counts[at] ?? 0) + 1
  }
  // Five standard deviations of a fair throw.
  for (const count of counts) assert.ok(Math.abs(count - 500) < 5 * Math.sqrt(500), `a group got ${count}`)
  const id = '0193f0000000aabbccddeeff00112233'
  assert.equal(groupOf(id, 128), groupOf(`0193ffffffff${id.slice(12)}`, 128))
})

test('group ids tell the pool and the index', () => {
  assert.equal(groupId(1, 0), 1 << 16)
  assert.equal(groupId(3, 127), (3 << 16) | 127)
})

const six = ['a', 'b', 'c'].flatMap((zone) => [1, 2].map((n) => ({ id: `${zone}${n}`, zone, up: true })))

test('zone loss: rs-4-2 over three zones survives any zone and nothing more', () => {
  const pool = { m: 2, groups: [['a1', 'b1', 'c1', 'a2', 'b2', 'c2']] }
  for (const loss of zoneLoss(pool, six)) {
    assert.deepEqual(loss, { zone: loss.zone, shardsLostMax: 2, survives: true, survivesOneMoreNode: false })
  }
})

test('zone loss: what is down already counts, and so does a node that holds two shards', () => {
  const pool = { m: 2, groups: [['a1', 'b1', 'c1', 'a2', 'b2', 'c2']] }
  const down = six.map((node) => (node.id === 'b1' ? { ...node, up: false } : node))
  assert.deepEqual(
    zoneLoss(pool, down).map(({ zone, shardsLostMax, survives }) => [zone, shardsLostMax, survives]),
    [
      ['a', 3, false],
      ['b', 2, true],
      ['c', 3, false],
    ],
  )
  const laptop = { m: 2, groups: [['one', 'one', 'one', 'one', 'one', 'one']] }
  assert.deepEqual(zoneLoss(laptop, [{ id: 'one', zone: 'z', up: true }]), [
    { zone: 'z', shardsLostMax: 6, survives: false, survivesOneMoreNode: false },
  ])
  const replicas = { m: 2, groups: [['a1', 'b1', 'c1']] }
  assert.deepEqual(zoneLoss(replicas, six)[0], {
    zone: 'a',
    shardsLostMax: 1,
    survives: true,
    survivesOneMoreNode: true,
  })
})

test('zone loss agrees with counting, for any layout', () => {
  fc.assert(
    fc.property(nodesOf, shards, fc.nat(4), (nodes, count, m) => {
      const states = nodes.map((node, index) => ({ ...node, up: index % 4 !== 1 }))
      const groups = [1, 2, 3].map((id) => chooseSlots(id, count, nodes))
      for (const loss of zoneLoss({ m, groups }, states)) {
        const gone = new Set(states.filter((node) => !node.up || node.zone === loss.zone).map(({ id }) => id))
        const lost = groups.map((slots) => slots.filter((id) => gone.has(id)).length)
        assert.equal(loss.shardsLostMax, Math.max(...lost))
        assert.equal(
          loss.survives,
          lost.every((number) => number <= m),
        )
        const more = states.every((node) =>
          groups.every((slots) => slots.filter((id) => gone.has(id) || id === node.id).length <= m),
        )
        assert.equal(loss.survivesOneMoreNode, more)
      }
    }),
  )
})

test('local groups lie in one zone each, while zones are as many and have nodes for their share, whatever the weights', () => {
  fc.assert(
    fc.property(
      group,
      fc
        .constantFrom('lrc-4-3-2', 'lrc-6-3-3', 'lrc-8-3-4', 'lrc-6-2-2', 'lrc-9-4-3', 'lrc-12-3-6')
        .map(parseCode),
      fc.array(
        fc.record({
          spare: fc.nat(3),
          weights: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 11 }),
        }),
        {
          minLength: 4,
          maxLength: 4,
        },
      ),
      (id, code, shapes) => {
        const l = code.local?.l ?? assert.fail()
        const share = code.total / l
        const nodes = shapes.slice(0, l).flatMap(({ spare, weights }, zone) =>
          Array.from({ length: share + spare }, (_, i) => ({
            id: `${zone}-${i}`,
            zone: `zone-${zone}`,
            weight: weights[i] ?? 1,
          })),
        )
        const slots = chooseSlots(id, code.total, nodes)
        const zones = zonesOf(slots, nodes)
        for (let shard = 0; shard < code.total; shard++) {
          const members = localGroup(code, shard) ?? assert.fail()
          assert.deepEqual(new Set(members.map((member) => zones[member])), new Set([zones[shard]]))
        }
        assert.equal(new Set(slots).size, code.total)
      },
    ),
  )
})

test('zone loss of a locally repairable code: which shards are lost is what counts', () => {
  const code = parseCode('lrc-6-3-3')
  const nodes = ['a', 'b', 'c'].flatMap((zone) =>
    [1, 2, 3, 4].map((n) => ({ id: `${zone}${n}`, zone, up: true })),
  )
  const slots = [1, 2, 3, 4].flatMap((n) => ['a', 'b', 'c'].map((zone) => `${zone}${n}`))
  const pool = { m: code.m, code, groups: [slots] }
  for (const loss of zoneLoss(pool, nodes)) {
    assert.deepEqual(loss, { zone: loss.zone, shardsLostMax: 4, survives: true, survivesOneMoreNode: true })
  }
  // Six are lost in both cases: one of each zone that is left, or two of one.
  const down = (...ids: string[]) => nodes.map((node) => ({ ...node, up: !ids.includes(node.id) }))
  const lossOfA = (ids: string[]) => zoneLoss(pool, down(...ids)).find(({ zone }) => zone === 'a')
  assert.deepEqual(lossOfA(['b1', 'c1']), {
    zone: 'a',
    shardsLostMax: 6,
    survives: true,
    survivesOneMoreNode: false,
  })
  assert.equal(lossOfA(['b1', 'b2'])?.survives, false)
})
