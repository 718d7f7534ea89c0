import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { relocatedTo, relocationsOf } from './relocation.ts'

test('runs are as long as they can be, by shard', () => {
  const slots = ['a', 'b']
  assert.deepEqual(relocationsOf(slots, []), [])
  assert.deepEqual(
    relocationsOf(slots, [
      ['a', 'b'],
      ['a', 'b'],
    ]),
    [],
  )
  assert.deepEqual(
    relocationsOf(slots, [
      ['a', 'x'],
      ['a', 'x'],
      ['y', undefined],
      ['a', 'x'],
    ]),
    [
      { shard: 0, firstStripe: 2, stripeCount: 1, node: 'y' },
      { shard: 1, firstStripe: 0, stripeCount: 2, node: 'x' },
      { shard: 1, firstStripe: 2, stripeCount: 1, node: '' },
      { shard: 1, firstStripe: 3, stripeCount: 1, node: 'x' },
    ],
  )
})

test('what was placed is found again, and no two neighbouring runs could be one', () => {
  const placed = fc.integer({ min: 1, max: 5 }).chain((width) =>
    fc.record({
      slots: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: width, maxLength: width }),
      stripes: fc.array(
        fc.array(fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }), {
          minLength: width,
          maxLength: width,
        }),
        { maxLength: 12 },
      ),
    }),
  )
  fc.assert(
    fc.property(placed, ({ slots, stripes }) => {
      const runs = relocationsOf(slots, stripes)
      for (const [stripe, nodes] of stripes.entries()) {
        for (const [shard, slot] of slots.entries()) {
          const found = relocatedTo(runs, shard, stripe)
          assert.equal(found ?? slot, nodes[shard] ?? '')
        }
      }
      for (const [i, run] of runs.entries()) {
        const next = runs[i + 1]
        if (next === undefined || next.shard !== run.shard) continue
        const end = run.firstStripe + run.stripeCount
        assert.ok(next.firstStripe > end || (next.firstStripe === end && next.node !== run.node))
      }
    }),
  )
})
