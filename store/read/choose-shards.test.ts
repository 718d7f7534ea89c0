import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../../core/erasure/code.ts'
import { TooFewShardsError, planRecovery } from '../../core/erasure/matrix.ts'
import { chooseShards, type Likelihood } from './choose-shards.ts'

const LOCAL = parseCode('lrc-6-3-3')

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

function ask(
  wanted: readonly number[],
  likely: Partial<Record<Likelihood, readonly number[]>> = {},
  got: readonly number[] = [],
): readonly number[] | undefined {
  const likelihood = (shard: number): Likelihood =>
    (['coming', 'unlikely', 'lost'] as const).find((one) => likely[one]?.includes(shard)) ?? 'likely'
  const others = upTo(LOCAL.total).filter((shard) => !got.includes(shard))
  return chooseShards({ code: LOCAL, wanted, got, others, likelihood })
}

test('one data shard alone is made of its group; beside a whole stripe, of what is read anyway and one more', () => {
  assert.deepEqual(ask([1]), [4, 7, 10])
  assert.deepEqual(ask([1], { coming: [0, 2, 3, 4, 5] }), [0, 2, 3, 4, 5, 6])
  assert.deepEqual(ask([1], { coming: [4] }), [4, 7, 10])
})

test('shards that are less likely to come are not counted on while others would do', () => {
  assert.deepEqual(ask([1], { unlikely: [7] }), [0, 2, 3, 4, 5, 6])
  assert.deepEqual(ask([1], { unlikely: [7, 0, 2, 3, 5, 6] }), [4, 10, 7])
  assert.deepEqual(ask([1], { lost: [7], unlikely: [0, 2, 3, 5, 6] }), [4, 8, 9, 10, 11, 0])
})

test('what failed is chosen round, and in the end the wanted shards themselves are asked for', () => {
  const without = (failed: readonly number[]): readonly number[] | undefined =>
    chooseShards({
      code: LOCAL,
      wanted: [1],
      got: [4],
      others: upTo(12).filter((shard) => shard !== 4 && !failed.includes(shard)),
      likelihood: () => 'likely',
    })
  assert.deepEqual(without([7]), [4, 0, 2, 3, 5, 6])
  assert.deepEqual(without([7, 0, 2, 3, 5, 6, 8]), [1])
  assert.equal(without([7, 0, 2, 3, 5, 6, 8, 1]), undefined)
})

test('of any code: what is chosen is offered, suffices, and something is chosen whenever something would', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('rs-4-2', 'rs-6-3', 'rs-2-0', 'lrc-6-3-3', 'lrc-4-3-2', 'lrc-6-2-2').map(parseCode),
      fc.array(fc.constantFrom('got', 'coming', 'likely', 'unlikely', 'lost', 'failed', 'wanted'), {
        minLength: 12,
        maxLength: 12,
      }),
      (code, drawn) => {
        // Data only is ever wanted of a read.
        const states = upTo(code.total).map((shard) =>
          drawn[shard] === 'wanted' && shard >= code.k ? 'likely' : (drawn[shard] ?? 'failed'),
        )
        const where = (...such: string[]) =>
          upTo(code.total).filter((shard) => such.includes(states[shard] ?? ''))
        const wanted = where('wanted')
        const likelihood = (shard: number): Likelihood => {
          const state = states[shard]
          return state === 'coming' || state === 'likely' || state === 'unlikely' ? state : 'lost'
        }
        const others = where('coming', 'likely', 'unlikely', 'lost', 'wanted')
        const chosen = chooseShards({ code, wanted, got: where('got'), others, likelihood })
        // Asking for the wanted themselves is always a way.
        assert.ok(chosen !== undefined)
        assert.ok(chosen.every((shard) => others.includes(shard) || states[shard] === 'got'))
        const had = [...new Set([...where('got'), ...chosen])]
        const left = wanted.filter((shard) => !had.includes(shard))
        if (left.length > 0) planRecovery(code, had, left)
        else return
        // Not one that is lost, if those that are not would do.
        const good = where('got', 'coming', 'likely')
        try {
          planRecovery(code, good, wanted)
          assert.ok(chosen.every((shard) => good.includes(shard)))
        } catch (error) {
          assert.ok(error instanceof TooFewShardsError)
        }
      },
    ),
    { numRuns: 1000 },
  )
})
