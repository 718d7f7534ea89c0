import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { replicaCode, rsCode, type Code } from '../erasure/code.ts'
import { acknowledge } from './acknowledge.ts'
import { chooseSubstitute, type Candidate } from './substitute.ts'

const node = (id: string): Candidate => ({ id, zone: id.slice(0, 1) })

/** Places a whole stripe when only `live` take shards. */
function place(code: Code, slots: readonly string[], live: readonly string[], seed = 's') {
  const stored: (string | undefined)[] = slots.map((slot) => (live.includes(slot) ? slot : undefined))
  const loads = new Map<string, number>()
  const add = (id: string) => loads.set(id, (loads.get(id) ?? 0) + 1)
  for (const id of stored) if (id !== undefined) add(id)
  for (const [shard, slot] of slots.entries()) {
    if (stored[shard] !== undefined) continue
    const chosen = chooseSubstitute({
      code,
      zone: slot.slice(0, 1),
      candidates: live.map(node),
      loads,
      liveNodes: live.length,
      seed,
    })
    stored[shard] = chosen
    if (chosen !== undefined) add(chosen)
  }
  return stored
}

const SIX = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

test('one node down: the other node of its zone takes its shard', () => {
  assert.deepEqual(place(rsCode(4, 2), SIX, ['a1', 'a2', 'b1', 'b2', 'c2']), [
    'a1',
    'a2',
    'b1',
    'b2',
    'c2',
    'c2',
  ])
})

test('one zone down: its two shards go to two nodes, and the write may be acknowledged', () => {
  const live = ['a1', 'a2', 'b1', 'b2']
  const stored = place(rsCode(4, 2), SIX, live)
  assert.equal(new Set(stored.slice(4)).size, 2)
  assert.equal(acknowledge(rsCode(4, 2), SIX, stored), 'degraded')
})

test('a copy never joins another copy of the same stripe', () => {
  assert.deepEqual(place(replicaCode(3), ['a1', 'b1', 'c1'], ['a1', 'b1']), ['a1', 'b1', undefined])
  assert.deepEqual(place(replicaCode(3), ['a1', 'b1', 'c1'], ['a1', 'b1', 'c2']), ['a1', 'b1', 'c2'])
})

test('the last node of a zone is not heaped upon while others are free', () => {
  const slots = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4']
  const stored = place(rsCode(5, 3), slots, ['a1', 'b1', 'b2', 'b3', 'b4'])
  const counts = Map.groupBy(stored, (id) => id)
  assert.ok(
    [...counts.values()].every((shards) => shards.length <= 2),
    String(stored),
  )
})

test('nobody is chosen from nobody', () => {
  const question = { code: rsCode(4, 2), zone: 'a', candidates: [], loads: new Map(), liveNodes: 0, seed: '' }
  assert.equal(chooseSubstitute(question), undefined)
})

test('equal candidates share the load of different blobs', () => {
  const chosen = new Map<string, number>()
  for (let i = 0; i < 300; i++) {
    const last = place(replicaCode(1), ['z1'], ['a1', 'b1', 'c1'], `blob-${i}`)[0] ?? ''
    chosen.set(last, (chosen.get(last) ?? 0) + 1)
  }
  assert.equal(chosen.size, 3)
  for (const count of chosen.values()) assert.ok(count > 50, `${count} of 300`)
})

test('whenever an even spread over the live nodes could be acknowledged, so can the chosen one', () => {
  const shape = fc.record({
    zones: fc.integer({ min: 1, max: 4 }),
    perZone: fc.integer({ min: 1, max: 4 }),
    k: fc.integer({ min: 1, max: 8 }),
    m: fc.integer({ min: 1, max: 4 }),
    down: fc.array(fc.nat(15), { maxLength: 6 }),
  })
  fc.assert(
    fc.property(shape, ({ zones, perZone, k, m, down }) => {
      const all = Array.from(
        { length: zones * perZone },
        (_, i) => `${'abcd'.charAt(i % zones)}${Math.floor(i / zones)}`,
      )
      const live = all.filter((_, i) => !down.includes(i))
      const code = rsCode(k, m)
      const slots = Array.from({ length: code.total }, (_, i) => all[i % all.length] ?? '')
      if (live.length === 0 || live.length === all.length) return
      const stored = place(code, slots, live)
      const most = Math.ceil(code.total / live.length)
      if (most <= m) assert.notEqual(acknowledge(code, slots, stored), 'refused', String(stored))
    }),
    { numRuns: 1000 },
  )
})
