import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode } from './code.ts'
import { generatorMatrix } from './generator.ts'
import { multiply } from './gf256.ts'
import { parityRows, planRecovery, type RecoveryPlan } from './matrix.ts'
import { sourcesFor } from './repair.ts'
import { schedule, type Schedule } from './schedule.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

function encoding(code: Code): Schedule {
  const parity = upTo(code.total).slice(code.k)
  return schedule(code, { sources: upTo(code.k), rows: parityRows(code) }, parity)
}

function restoring(code: Code, lost: readonly number[]): Schedule {
  const available = upTo(code.total).filter((shard) => !lost.includes(shard))
  return schedule(code, planRecovery(code, available, lost), lost)
}

/** Each target as coefficients of the sources, which is what the plan says it is. */
function assertSame(made: Schedule, plan: RecoveryPlan, wanted: readonly number[]): void {
  assert.deepEqual(new Set(made.sources), new Set(plan.sources))
  const known = new Map<number, readonly number[]>()
  for (const source of made.sources) {
    const unit = plan.sources.map((other) => (other === source ? 1 : 0))
    known.set(source, unit)
  }
  const combine = (terms: readonly (readonly [number, number])[]): number[] =>
    plan.sources.map((_, at) =>
      terms.reduce((sum, [shard, factor]) => {
        const vector = known.get(shard) ?? assert.fail(`shard ${shard} is used before it is known`)
        return sum ^ multiply(factor, vector[at] ?? 0)
      }, 0),
    )
  const rows = made.multiplied.map(
    ({ shard, row }) => [shard, combine(made.sources.map((source, j) => [source, row[j] ?? 0]))] as const,
  )
  for (const [shard, row] of rows) known.set(shard, row)
  const sums = made.sums.map(({ shard, of }) => [shard, combine(of.map((other) => [other, 1]))] as const)
  const computed = [...rows, ...sums].toSorted(([a], [b]) => a - b)
  assert.deepEqual(
    computed,
    wanted.map((shard, i) => [shard, plan.rows[i]] as const).toSorted(([a], [b]) => a - b),
  )
}

test('local parities are summed from data and global parities', () => {
  const code = parseCode('lrc-6-3-3')
  const made = encoding(code)
  assert.deepEqual(made.sources, [0, 3, 1, 4, 2, 5])
  assert.deepEqual(
    made.multiplied.map(({ shard }) => shard),
    [6, 7, 8],
  )
  assert.deepEqual(made.sums, [
    { shard: 9, of: [0, 3, 6] },
    { shard: 10, of: [1, 4, 7] },
    { shard: 11, of: [2, 5, 8] },
  ])
})

test('one lost shard of a group is a sum, of a whole lost group one is', () => {
  const code = parseCode('lrc-6-3-3')
  assert.deepEqual(restoring(code, [4]), {
    sources: [1, 7, 10],
    multiplied: [],
    sums: [{ shard: 4, of: [1, 7, 10] }],
  })
  const zone = restoring(code, [0, 3, 6, 9])
  assert.deepEqual(
    zone.multiplied.map(({ shard }) => shard),
    [0, 3, 6],
  )
  assert.deepEqual(zone.sums, [{ shard: 9, of: [0, 3, 6] }])
})

test('codes without local groups have no sums, and keep the order of their shards', () => {
  for (const name of ['rs-4-2', 'rs-5-3', 'replica-3']) {
    const code = parseCode(name)
    const { sources, multiplied, sums } = encoding(code)
    assert.deepEqual(sources, upTo(code.k))
    assert.deepEqual(
      multiplied.map(({ row }) => row),
      parityRows(code),
    )
    assert.deepEqual(sums, [])
  }
})

test('a schedule computes what its plan says, of shards that are known by then', () => {
  fc.assert(
    fc.property(
      fc
        .constantFrom('lrc-2-2-2', 'lrc-4-3-2', 'lrc-5-1-2', 'lrc-6-3-3', 'lrc-8-3-4', 'lrc-2-3-10', 'rs-5-3')
        .map(parseCode),
      fc.infiniteStream(fc.nat(2)),
      (code, dice) => {
        const lost = upTo(code.total).filter(() => dice.next().value === 0)
        const wanted = lost.filter(() => dice.next().value !== 0)
        const available = upTo(code.total).filter((shard) => !lost.includes(shard))
        if (wanted.length === 0 || sourcesFor(code, wanted, available) === undefined) return
        const plan = planRecovery(code, available, wanted)
        assertSame(schedule(code, plan, wanted), plan, wanted)
      },
    ),
    { numRuns: 1000 },
  )
  for (const name of ['lrc-6-3-3', 'lrc-16-4-4', 'lrc-2-3-10']) {
    const code = parseCode(name)
    const plan = { sources: upTo(code.k), rows: generatorMatrix(code).slice(code.k) }
    assertSame(encoding(code), plan, upTo(code.total).slice(code.k))
  }
})
