import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode } from '../erasure/code.ts'
import { shardsToSpare } from '../erasure/repair.ts'
import { applyChange } from '../placement/topology/change.ts'
import type { TopologyMap } from '../placement/topology/model.ts'
import { contextOf, down, evenNodes, finishedLines, mapOf } from '../placement/topology/testing.ts'
import type { InventoryLine } from './inventory.ts'
import { type PoolRisk, poolRisks, type SpareLines } from './ledger.ts'

const BLOBS = 5

/** One shard of stripe 0 as it lies on a disk. */
interface Copy {
  readonly node: string
  readonly group: number
  readonly shard: number
  readonly blob: number
}

/** Every slot's node has its shards of the blobs of each group, but for some. */
function place(map: TopologyMap, without: (copy: Copy) => boolean = () => false): Copy[] {
  return map.pools.flatMap(({ groups }) =>
    groups.flatMap(({ id: group, slots }) =>
      slots.flatMap(({ node }, shard) =>
        Array.from({ length: BLOBS }, (_, blob) => ({ node, group, shard, blob })).filter(
          (copy) => !without(copy),
        ),
      ),
    ),
  )
}

function inventoriesOf(copies: readonly Copy[]): Map<string, InventoryLine[]> {
  const byNode = Map.groupBy(copies, ({ node }) => node)
  return new Map(
    [...byNode].map(([node, held]): [string, InventoryLine[]] => {
      const lines = Map.groupBy(held, ({ group, shard }) => `${group}/${shard}`)
      return [
        node,
        [...lines.values()].map((same) => ({
          group: same[0]?.group ?? 0,
          shard: same[0]?.shard ?? 0,
          blobs: same.length,
        })),
      ]
    }),
  )
}

/** Blobs of a pool by what they have to spare when only these nodes are there. */
function truth(
  map: TopologyMap,
  code: Code,
  pool: number,
  copies: readonly Copy[],
  nodes: ReadonlySet<string>,
) {
  const lines = new Map<number, number>()
  const there = new Set(
    copies.filter(({ node }) => nodes.has(node)).map(({ group, shard, blob }) => `${group}/${shard}/${blob}`),
  )
  for (const { id } of map.pools.find((other) => other.id === pool)?.groups ?? []) {
    for (let blob = 0; blob < BLOBS; blob++) {
      const lacks = Array.from({ length: code.total }, (_, shard) => shard).filter(
        (shard) => !there.has(`${id}/${shard}/${blob}`),
      )
      const spare = shardsToSpare(code, lacks)
      lines.set(spare, (lines.get(spare) ?? 0) + 1)
    }
  }
  return [...lines].sort(([a], [b]) => a - b)
}

function below(lines: SpareLines, spare: number): number {
  return lines.reduce((sum, [line, blobs]) => sum + (line < spare ? blobs : 0), 0)
}

interface Scene {
  readonly map: TopologyMap
  readonly copies: readonly Copy[]
  readonly up: ReadonlySet<string>
}

/** Compares every figure with what is found blob by blob. */
function compare(
  { map, copies, up }: Scene,
  same: (ledger: SpareLines, real: SpareLines, code: Code) => void,
): PoolRisk[] {
  const risks = poolRisks({ map, up, inventories: inventoriesOf(copies) })
  const kept = map.nodes.filter(({ state }) => state !== 'lost')
  for (const { pool, blobs, spare, zones } of risks) {
    const code = parseCode(pool.code)
    assert.equal(blobs, pool.groups.length * BLOBS)
    const present = kept.filter(({ id }) => up.has(id)).map(({ id }) => id)
    same(spare, truth(map, code, pool.id, copies, new Set(present)), code)
    for (const { zone, spare: without, unreadable, lost } of zones) {
      const elsewhere = kept.filter((node) => node.zone !== zone).map(({ id }) => id)
      const now = truth(map, code, pool.id, copies, new Set(elsewhere.filter((id) => up.has(id))))
      same(without, now, code)
      assert.equal(unreadable, below(without, 0))
      assert.ok(lost <= unreadable && lost >= below(truth(map, code, pool.id, copies, new Set(elsewhere)), 0))
    }
  }
  return risks
}

const exactly = (ledger: SpareLines, real: SpareLines): void => {
  assert.deepEqual(ledger, real)
}

const scene = fc.record({
  zones: fc.integer({ min: 1, max: 4 }),
  nodes: fc.integer({ min: 1, max: 3 }),
  down: fc.uniqueArray(fc.nat(11), { maxLength: 3 }),
  lost: fc.uniqueArray(fc.nat(11), { maxLength: 1 }),
  damage: fc.array(
    fc.record({ group: fc.nat(3), shard: fc.integer({ min: 1, max: 5 }), blob: fc.nat(BLOBS - 1) }),
    {
      maxLength: 6,
    },
  ),
})

function sceneOf({
  zones,
  nodes,
  down: away,
  lost,
}: {
  zones: number
  nodes: number
  down: number[]
  lost: number[]
}) {
  const map = mapOf(evenNodes(zones, nodes), ['rs-4-2', 'replica-3'], 4)
  const pick = (index: number): string => map.nodes[index % map.nodes.length]?.id ?? ''
  const gone = new Set(map.nodes.length > 6 ? lost.map(pick) : [])
  const marked = {
    ...map,
    nodes: map.nodes.map((node) => ({ ...node, state: gone.has(node.id) ? ('lost' as const) : node.state })),
  }
  const off = new Set([...away.map(pick), ...gone])
  return { map: marked, up: new Set(map.nodes.map(({ id }) => id).filter((id) => !off.has(id))) }
}

test('nodes that are down or lost, one or many: every figure is the truth', () => {
  fc.assert(
    fc.property(scene, (given) => {
      const { map, up } = sceneOf(given)
      compare({ map, up, copies: place(map) }, exactly)
    }),
  )
})

/** Whether all blobs can be counted: of each group there is one shard that nodes which are not given up hold of every blob. */
function allAreCounted(map: TopologyMap, copies: readonly Copy[]): boolean {
  const lost = new Set(map.nodes.filter(({ state }) => state === 'lost').map(({ id }) => id))
  return map.pools.every(({ groups }) =>
    groups.every(({ id, slots }) => {
      const held = copies.filter(({ group, node }) => group === id && !lost.has(node))
      return slots.some((_, shard) => held.filter((copy) => copy.shard === shard).length === BLOBS)
    }),
  )
}

test('with damage here and there, never optimistic of the blobs that are counted', () => {
  fc.assert(
    fc.property(scene, (given) => {
      const { map, up } = sceneOf(given)
      const copies = place(map, ({ group, shard, blob }) =>
        given.damage.some((one) => one.group === group % 4 && one.shard === shard && one.blob === blob),
      )
      fc.pre(allAreCounted(map, copies))
      compare({ map, up, copies }, (ledger, real, code) => {
        for (let spare = -code.total; spare <= code.m; spare++) {
          assert.ok(
            below(ledger, spare) >= below(real, spare),
            `${JSON.stringify(ledger)} of ${JSON.stringify(real)}`,
          )
        }
      })
    }),
  )
})

test('a slot that moves has copies on both sides, which count once; old copies that are not cleared away yet change nothing', () => {
  const before = mapOf(evenNodes(3, 3), ['rs-4-2'], 8)
  const old = place(before)
  const map = applyChange(before, { kind: 'change-node', id: 'a1', state: 'draining' }, contextOf()).map
  const up = new Set(map.nodes.map(({ id }) => id))
  // Two blobs of five have been brought, and one was written meanwhile.
  const moving = new Set(finishedLines(map).map(({ group, shard }) => `${group}/${shard}`))
  const half = [
    ...old.filter((copy) => copy.node !== 'a1' || copy.blob !== 0),
    ...place(map).filter(({ group, shard, blob }) => moving.has(`${group}/${shard}`) && blob < 3),
  ]
  compare({ map, up, copies: half }, exactly)
  const done = applyChange(map, { kind: 'finish-slots', slots: finishedLines(map) }, contextOf()).map
  compare(
    {
      map: done,
      up,
      copies: [
        ...old,
        ...place(done).filter(
          (copy) =>
            !old.some((o) => o.node === copy.node && o.group === copy.group && o.shard === copy.shard),
        ),
      ],
    },
    exactly,
  )
})

test('a zone that went for good and is rebuilt: what is filled already counts, exactly', () => {
  let map = mapOf(evenNodes(3, 2), ['rs-4-2'], 8)
  const survivors = place(map).filter(({ node }) => !node.startsWith('c'))
  map = applyChange(
    map,
    { kind: 'change-zone', id: 'c', state: 'lost' },
    contextOf({ facts: down('c1', 'c2') }),
  ).map
  for (const id of ['c3', 'c4']) {
    map = applyChange(map, { kind: 'add-node', id, zone: 'c', weight: 1 }, contextOf()).map
  }
  const up = new Set(map.nodes.filter(({ state }) => state !== 'lost').map(({ id }) => id))
  const slots = new Set(finishedLines(map).map(({ group, shard }) => `${group}/${shard}`))
  for (let filled = 0; filled <= BLOBS; filled++) {
    const brought = place(map).filter(
      ({ group, shard, blob }) => slots.has(`${group}/${shard}`) && blob < filled,
    )
    const [risk] = compare({ map, up, copies: [...survivors, ...brought] }, exactly)
    assert.equal(risk?.zones[0]?.unreadable, (BLOBS - filled) * 8)
  }
})

test('substitutes of a degraded write count for the shard, wherever they lie', () => {
  const map = mapOf(evenNodes(3, 2), ['rs-4-2'], 4)
  const copies = place(map).map((copy) =>
    copy.node === 'b1' && copy.blob > 2 ? { ...copy, node: 'b2' } : copy,
  )
  compare({ map, up: new Set(map.nodes.map(({ id }) => id)), copies }, exactly)
})
