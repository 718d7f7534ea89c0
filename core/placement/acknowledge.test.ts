import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode, replicaCode, rsCode } from '../erasure/code.ts'
import { acknowledge } from './acknowledge.ts'

const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

test('a whole stripe on its slots is healthy, on however few nodes', () => {
  const code = rsCode(4, 2)
  assert.equal(acknowledge(code, NODES, NODES), 'healthy')
  const laptop = Array.from({ length: 6 }, () => 'n1')
  assert.equal(acknowledge(code, laptop, laptop), 'healthy')
  assert.equal(acknowledge(parseCode('replica-1'), ['n1'], ['n1']), 'healthy')
  assert.equal(acknowledge(parseCode('rs-2-0'), ['n1', 'n2'], ['n1', 'n2']), 'healthy')
})

test('rs-4-2 over three zones of two, one zone down: two each on four nodes may be acknowledged', () => {
  const code = rsCode(4, 2)
  assert.equal(acknowledge(code, NODES, ['a1', 'a2', 'b1', 'b2', 'a1', 'b1']), 'degraded')
  assert.equal(acknowledge(code, NODES, ['a1', 'a2', 'b1', 'b2', 'a1', 'a1']), 'refused', 'three on one node')
  assert.equal(acknowledge(code, NODES, ['a1', 'a2', 'b1', 'b2', undefined, undefined]), 'refused', 'bare k')
  assert.equal(
    acknowledge(code, NODES, ['a1', 'a2', 'b1', 'b2', 'c1', undefined]),
    'degraded',
    'k + 1 on five',
  )
  assert.equal(
    acknowledge(code, NODES, ['a1', 'a2', 'b1', 'b2', 'b2', undefined]),
    'refused',
    'k + 1, two on b2',
  )
})

test('replica-3: two copies on two nodes suffice, two on one do not', () => {
  const code = replicaCode(3)
  const slots = ['a1', 'b1', 'c1']
  assert.equal(acknowledge(code, slots, ['a1', 'b1', undefined]), 'degraded')
  assert.equal(acknowledge(code, slots, ['a1', 'b1', 'c2']), 'degraded')
  assert.equal(acknowledge(code, slots, ['a1', 'a1', undefined]), 'refused')
  assert.equal(acknowledge(code, slots, ['a1', undefined, undefined]), 'refused')
  assert.equal(acknowledge(code, slots, [undefined, undefined, undefined]), 'refused')
})

test('a code without parity is never acknowledged off its slots', () => {
  assert.equal(acknowledge(parseCode('rs-2-0'), ['a', 'b'], ['a', 'c']), 'refused')
  assert.equal(acknowledge(parseCode('replica-1'), ['a'], ['b']), 'refused')
})

test('lists of another length are refused loudly', () => {
  assert.throws(() => acknowledge(rsCode(4, 2), NODES, ['a1']), RangeError)
  assert.throws(() => acknowledge(rsCode(4, 2), ['a1'], NODES), RangeError)
})

/** A code, its slots and what was stored, over few or many nodes. */
const situation = fc
  .record({
    k: fc.integer({ min: 1, max: 12 }),
    m: fc.integer({ min: 0, max: 6 }),
    nodes: fc.integer({ min: 1, max: 12 }),
    replica: fc.boolean(),
  })
  .chain(({ k, m, nodes, replica }) => {
    const code = replica ? replicaCode(m + 1) : rsCode(k, m)
    const node = fc.nat(nodes - 1).map((n) => `n${n}`)
    const length = { minLength: code.total, maxLength: code.total }
    return fc.record({
      code: fc.constant(code),
      slots: fc.array(node, length),
      stored: fc.array(fc.option(node, { nil: undefined, freq: 6 }), length),
      loyal: fc.array(fc.boolean(), length),
    })
  })
  // Most shards on their slots, as in life.
  .map(({ code, slots, stored, loyal }) => ({
    code,
    slots,
    stored: stored.map((node, i) => (loyal[i] === true ? slots[i] : node)),
  }))

test('degraded means: after the loss of any one node, k shards are left; refused means that some loss breaks it', () => {
  fc.assert(
    fc.property(situation, ({ code, slots, stored }) => {
      const verdict = acknowledge(code, slots, stored)
      const asPlaced = stored.every((node, i) => node === slots[i])
      assert.equal(verdict === 'healthy', asPlaced)
      if (asPlaced) return
      // From the definition: no loss at all must leave more than k, every single loss at least k.
      const left = (lost: string | undefined) => stored.filter((n) => n !== undefined && n !== lost).length
      const survives = left(undefined) > code.k && stored.every((lost) => left(lost) >= code.k)
      assert.equal(verdict, survives ? 'degraded' : 'refused')
    }),
    { numRuns: 2000 },
  )
})

test('lrc-6-3-3 over three zones of four, one zone down: what is left of the others will do, and not one node less', () => {
  const code = parseCode('lrc-6-3-3')
  const slots = [1, 2, 3, 4].flatMap((n) => ['a', 'b', 'c'].map((zone) => `${zone}${n}`))
  const without = (...lost: string[]) => slots.map((node) => (lost.includes(node) ? undefined : node))
  assert.equal(acknowledge(code, slots, without('a1', 'a2', 'a3', 'a4')), 'degraded')
  assert.equal(acknowledge(code, slots, without('a1', 'a2', 'a3', 'a4', 'b1')), 'refused', 'b2 could be next')
  assert.equal(acknowledge(code, slots, without('a1', 'b1', 'c1')), 'degraded')
  assert.equal(acknowledge(code, slots, without('a1', 'a2', 'b1', 'b2')), 'degraded')
  assert.equal(acknowledge(code, slots, without('a1', 'a2', 'b1', 'b2', 'c1', 'c2')), 'refused', 'bare k')
  const doubled = slots.with(0, 'b1').with(3, 'c1').with(6, 'b2').with(9, 'c2')
  assert.equal(acknowledge(code, slots, doubled), 'degraded')
  assert.equal(
    acknowledge(
      code,
      slots,
      doubled.map((node) => (node === 'c4' ? 'b1' : node)),
    ),
    'degraded',
  )
  const heaped = slots.map((node) => (node.startsWith('c') || node === 'a1' || node === 'a2' ? 'c1' : node))
  assert.equal(acknowledge(code, slots, heaped), 'refused', 'six on one node')
})

test('for codes of one kind of parity the rule is that of numbers: more than k shards, and k left without any node', () => {
  const byNumbers = (
    code: Code,
    slots: readonly string[],
    stored: readonly (string | undefined)[],
  ): string => {
    if (stored.every((node, i) => node === slots[i])) return 'healthy'
    const counts = new Map<string, number>()
    for (const node of stored) if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1)
    const count = stored.filter((node) => node !== undefined).length
    const most = Math.max(0, ...counts.values())
    return count >= code.k + 1 && count - most >= code.k ? 'degraded' : 'refused'
  }
  fc.assert(
    fc.property(situation, ({ code, slots, stored }) => {
      assert.equal(acknowledge(code, slots, stored), byNumbers(code, slots, stored))
    }),
    { numRuns: 2000 },
  )
})
