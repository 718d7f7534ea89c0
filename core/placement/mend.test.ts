import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { localCode, replicaCode, rsCode, type Code } from '../erasure/code.ts'
import { isReadable } from '../erasure/repair.ts'
import { acknowledge } from './acknowledge.ts'
import { mendStripe } from './mend.ts'
import type { Candidate } from './substitute.ts'

const node = (id: string): Candidate => ({ id, zone: id.slice(0, 1) })
const SIX = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

function mend(
  code: Code,
  slots: readonly string[],
  stored: readonly (string | undefined)[],
  live: readonly string[],
  unfit: (shard: number, id: string) => boolean = () => false,
) {
  const moves = mendStripe({
    code,
    slots,
    zones: slots.map((slot) => slot.slice(0, 1)),
    stored,
    candidates: (shard) => live.filter((id) => !unfit(shard, id)).map(node),
    liveNodes: live.length,
    seed: 's',
  })
  return moves && { moves: [...moves], after: stored.map((at, shard) => moves.get(shard) ?? at) }
}

test('3 + 2 + 1 of rs-4-2 over three nodes: one shard moves from the first to the last', () => {
  const stored = ['a1', 'a1', 'a1', 'b1', 'b1', 'c1']
  assert.equal(acknowledge(rsCode(4, 2), SIX, stored), 'refused')
  const { moves, after } = mend(rsCode(4, 2), SIX, stored, ['a1', 'b1', 'c1']) ?? {}
  assert.equal(moves?.length, 1)
  assert.equal(moves?.[0]?.[1], 'c1')
  assert.equal(acknowledge(rsCode(4, 2), SIX, after ?? []), 'degraded')
})

test('shards that nobody has are sent before any is moved, and no more than it takes', () => {
  const stored = ['a1', 'a2', undefined, 'b1', undefined, undefined]
  const { moves } = mend(rsCode(4, 2), SIX, stored, ['a1', 'a2', 'b1', 'b2', 'c1']) ?? {}
  assert.deepEqual(moves?.map(([shard]) => shard).toSorted(), [2, 4])
})

test('no copy joins another, and two copies on two nodes are enough', () => {
  const slots = ['a1', 'b1', 'c1']
  assert.deepEqual(mend(replicaCode(3), slots, ['a1', undefined, undefined], ['a1', 'b1'])?.moves, [
    [1, 'b1'],
  ])
  assert.equal(mend(replicaCode(3), slots, ['a1', undefined, undefined], ['a1']), undefined)
})

test('one node for all shards: what it did not take goes home', () => {
  const slots = SIX.map(() => 'a1')
  const stored = slots.with(3, undefined as never)
  assert.deepEqual(mend(rsCode(4, 2), slots, stored, ['a1'])?.moves, [[3, 'a1']])
  assert.equal(mend(rsCode(4, 2), slots, stored, []), undefined)
})

test('a shard is sent to no node that is not to have it', () => {
  const stored = ['a1', 'a1', 'a1', 'b1', 'b1', 'c1']
  assert.equal(
    mend(rsCode(4, 2), SIX, stored, ['a1', 'b1', 'c1'], (_, id) => id === 'c1'),
    undefined,
  )
  const { moves } = mend(rsCode(4, 2), SIX, stored, ['a1', 'b1', 'c1'], (shard) => shard < 2) ?? {}
  assert.deepEqual(moves, [[2, 'c1']])
})

const stripes = fc
  .constantFrom(rsCode(4, 2), rsCode(6, 3), rsCode(2, 1), rsCode(10, 4), replicaCode(2), replicaCode(3))
  .chain((code) =>
    fc.record({
      code: fc.constant(code),
      live: fc.uniqueArray(fc.constantFrom('a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2'), { minLength: 1 }),
      slots: fc.array(fc.constantFrom(...SIX), { minLength: code.total, maxLength: code.total }),
      places: fc.array(fc.option(fc.nat(7)), { minLength: code.total, maxLength: code.total }),
    }),
  )

test('whatever lies where: with nodes enough it is mended, and what is mended may be acknowledged', () => {
  fc.assert(
    fc.property(stripes, ({ code, live, slots, places }) => {
      const used = new Set<string>()
      const stored = places.map((place) => {
        const at = place === null ? undefined : live[place % live.length]
        // Two copies never come to one node.
        if (at === undefined || (code.kind === 'replica' && used.has(at))) return undefined
        used.add(at)
        return at
      })
      const mended = mend(code, slots, stored, live)
      if (mended !== undefined) assert.notEqual(acknowledge(code, slots, mended.after), 'refused')
      const enough = code.kind === 'replica' ? live.length >= 2 : live.length * code.m >= code.total
      if (enough) assert.ok(mended)
      if (acknowledge(code, slots, stored) !== 'refused') assert.deepEqual(mended?.moves, [])
    }),
  )
})

test('a locally repairable stripe whose shards were heaped on some nodes is mended', () => {
  const code = localCode({ k: 4, l: 2, r: 2 })
  const live = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2']
  fc.assert(
    fc.property(fc.array(fc.nat(2), { minLength: code.total, maxLength: code.total }), (places) => {
      const slots = places.map((_, shard) => live[shard % live.length] ?? '')
      const stored = places.map((place) => live[place])
      const mended = mend(code, slots, stored, live)
      assert.ok(mended)
      for (const lost of live) {
        const gone = [...mended.after.keys()].filter((shard) => mended.after[shard] === lost)
        assert.ok(isReadable(code, gone))
      }
    }),
  )
})
