import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { seeded } from '../chaos/seeded.ts'
import { isLinearizable } from './brute-force.ts'
import { checkKey } from './check.ts'
import { byKey, type Action, type Condition, type Operation, type Value } from './history.ts'
import { simulateRegister } from './simulated-register.ts'

const value = fc.constantFrom<Value>(undefined, 'a', 'b', 'c')
const name = fc.constantFrom('a', 'b', 'c')

const condition = fc.oneof(
  { weight: 4, arbitrary: value.map((one): Condition => ({ is: 'value', value: one })) },
  { weight: 1, arbitrary: fc.constant<Condition>({ is: 'present' }) },
  { weight: 1, arbitrary: name.map((than): Condition => ({ is: 'other', than })) },
  { weight: 1, arbitrary: name.map((one): Condition => ({ is: 'not', value: one })) },
)

const action = fc.oneof(
  value.map((one): Action => ({ kind: 'write', value: one })),
  fc
    .record({ value, when: condition })
    .map(({ value: one, when }): Action => ({ kind: 'write', value: one, when })),
  condition.map((seen): Action => ({ kind: 'observe', seen })),
)

/** Few values and short times, so that the same value is set twice and most operations overlap. */
const operation = fc
  .record({ action, invoked: fc.nat(12), lasts: fc.nat(6), lost: fc.nat(5) })
  .map(({ lasts, lost, invoked, ...rest }): Operation => ({
    key: 'key',
    client: '',
    invoked,
    responded: lost === 0 && rest.action.kind === 'write' ? Infinity : invoked + lasts,
    action: rest.action,
  }))

describe('the checker against the definition', () => {
  test('any history of a few operations, from any value', () => {
    let accepted = 0
    let refused = 0
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 7 }), value, (history, initial) => {
        const expected = isLinearizable(history, initial)
        assert.equal(checkKey(history, { initial }).linearizable, expected)
        if (expected) accepted++
        else refused++
      }),
      { numRuns: 2500 },
    )
    assert.ok(accepted > 400 && refused > 400, `${accepted} accepted, ${refused} refused`)
  })

  test('from an unknown value: from one at least', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), (history) => {
        const expected = [undefined, 'a', 'b', 'c', 'd'].some((initial) => isLinearizable(history, initial))
        assert.equal(checkKey(history, { initial: { any: true } }).linearizable, expected)
      }),
      { numRuns: 1500 },
    )
  })

  test('histories of a correct register, and those with one thing seen changed', () => {
    let refused = 0
    for (let seed = 0; seed < 600; seed++) {
      const chance = seeded(seed)
      const history = simulateRegister(chance, { clients: chance.between(1, 4), operations: 7, unknown: 0.2 })
      assert.equal(isLinearizable(history, undefined), true)
      const changed = withOneSightChanged(history, chance.between(0, 100))
      const expected = isLinearizable(changed, undefined)
      assert.equal(checkKey(changed).linearizable, expected, `seed ${seed}`)
      if (!expected) refused++
    }
    assert.ok(refused > 100, `${refused} refused`)
  })
})

describe('long histories', () => {
  test('of a correct register are accepted, however many clients it has', () => {
    for (const [seed, clients] of [1, 2, 5, 20, 20].entries()) {
      const history = simulateRegister(seeded(seed), { clients, operations: 2000, unknown: 0.03 })
      assert.deepEqual(checkKey(history), { linearizable: true }, `seed ${seed}, ${clients} clients`)
    }
  })

  test('with a stale read', () => {
    const history = simulateRegister(seeded(7), { clients: 8, operations: 1500, unknown: 0.03 })
    const done = (from: number): Operation | undefined =>
      history.find(
        ({ invoked, responded, action: { kind } }) =>
          invoked > from && kind === 'write' && responded < Infinity,
      )
    const old = history.find(
      ({ action: one, responded }) => one.kind === 'write' && one.value !== undefined && responded < Infinity,
    )
    const newer = done(old?.responded ?? 0)
    assert.ok(old !== undefined && newer !== undefined && old.action.kind === 'write')
    const stale = observation(newer.responded + 1, { is: 'value', value: old.action.value })
    assert.equal(checkKey([...history, stale]).linearizable, false)
  })

  const quiet = 1e6
  const lastSeen = (history: readonly Operation[]): Value => {
    const seen = history.findLast(({ client }) => client === 'last')?.action
    return seen?.kind === 'observe' && seen.seen.is === 'value' ? seen.seen.value : undefined
  }

  /** A history of many clients without unknown outcomes, that ends with an acknowledged write of `v`. */
  const written = (): Operation[] => [
    ...simulateRegister(seeded(3), { clients: 8, operations: 1000, unknown: 0 }),
    write(quiet, 'v'),
  ]

  test('with a lost write', () => {
    const before = simulateRegister(seeded(3), { clients: 8, operations: 1000, unknown: 0 })
    const lost = observation(quiet + 2, { is: 'value', value: lastSeen(before) })
    assert.equal(checkKey([...written(), lost]).linearizable, false)
  })

  test('with a deleted object that came back', () => {
    const gone = [...written(), write(quiet + 2, undefined)]
    assert.equal(
      checkKey([...gone, observation(quiet + 4, { is: 'value', value: undefined })]).linearizable,
      true,
    )
    assert.equal(checkKey([...gone, observation(quiet + 4, { is: 'value', value: 'v' })]).linearizable, false)
  })

  test('with a condition that did not hold and was met', () => {
    const created = write(quiet + 2, 'w', { is: 'value', value: undefined })
    assert.equal(checkKey([...written(), created]).linearizable, false)
    const replaced = write(quiet + 2, 'w', { is: 'value', value: 'u' })
    assert.equal(checkKey([...written(), replaced]).linearizable, false)
    const right = write(quiet + 2, 'w', { is: 'value', value: 'v' })
    assert.equal(checkKey([...written(), right]).linearizable, true)
  })

  test('with a condition that held and was refused', () => {
    assert.equal(checkKey([...written(), observation(quiet + 2, { is: 'present' })]).linearizable, true)
    assert.equal(
      checkKey([...written(), observation(quiet + 2, { is: 'other', than: 'v' })]).linearizable,
      false,
    )
    const gone = [...written(), write(quiet + 2, undefined)]
    assert.equal(checkKey([...gone, observation(quiet + 4, { is: 'present' })]).linearizable, false)
  })
})

describe('outcomes that nobody knows', () => {
  const put = write(0, 'old')

  test('an unknown write may take effect late, and once', () => {
    const unknown = { ...write(2, 'late'), responded: Infinity }
    const see = (at: number, one: Value): Operation => observation(at, { is: 'value', value: one })
    assert.equal(checkKey([put, unknown, see(4, 'old'), see(6, 'late')]).linearizable, true)
    assert.equal(checkKey([put, unknown, see(4, 'old'), see(6, 'old')]).linearizable, true)
    const back = [put, unknown, see(4, 'late'), write(6, 'new'), see(8, 'late')]
    assert.equal(checkKey(back).linearizable, false)
    // Sent twice, both without an answer: then it may.
    assert.equal(checkKey([...back, { ...write(3, 'late'), responded: Infinity }]).linearizable, true)
  })

  test('hundreds of them on one key, in a history that is wrong only at its end', () => {
    const lost = Array.from({ length: 300 }, (_, n) => ({
      ...write(2 + n, n % 3 === 0 ? undefined : `lost ${n}`),
      responded: Infinity,
    }))
    const reads = Array.from({ length: 300 }, (_, n) =>
      observation(2.5 + n, n % 5 === 0 ? { is: 'present' } : { is: 'value', value: undefined }),
    )
    const history = [put, ...lost, ...reads]
    assert.equal(checkKey(history).linearizable, true)
    assert.equal(checkKey([...history, write(900, 'new', { is: 'value', value: 'old' })]).linearizable, false)
  })

  test('what would take too long is left undecided, and said to be', () => {
    const writes = Array.from({ length: 18 }, (_, n) => ({ ...write(0, `w${n}`), responded: 10 }))
    const chain = writes.map((_, n) => ({
      ...write(0, `x${n}`, { is: 'value', value: `w${n}` }),
      responded: 10,
    }))
    const all = [...writes, ...chain, observation(20, { is: 'value', value: undefined })]
    assert.equal(checkKey(all, { configurationsMax: 1000 }).linearizable, 'undecided')
  })
})

test('keys are told apart, and sorted by time', () => {
  const a = { ...write(5, 'a'), key: 'a' }
  const later = { ...write(9, 'b'), key: 'a' }
  const b = { ...write(1, 'a'), key: 'b' }
  assert.deepEqual(
    [...byKey([later, a, b])],
    [
      ['b', [b]],
      ['a', [a, later]],
    ],
  )
})

function write(invoked: number, one: Value, when?: Condition): Operation {
  const does: Action = { kind: 'write', value: one, ...(when !== undefined && { when }) }
  return { key: 'key', client: 'c', invoked, responded: invoked + 1, action: does }
}

function observation(invoked: number, seen: Condition): Operation {
  return { key: 'key', client: 'c', invoked, responded: invoked + 1, action: { kind: 'observe', seen } }
}

/** One of the operations that observe a value observes another. */
function withOneSightChanged(history: readonly Operation[], n: number): Operation[] {
  const values = ['v1', 'v2', 'v3', undefined]
  const chosen = history.filter(({ action: { kind } }) => kind === 'observe')
  const target = chosen[n % chosen.length]
  return history.map((one): Operation =>
    one === target
      ? { ...one, action: { kind: 'observe', seen: { is: 'value', value: values[n % values.length] } } }
      : one,
  )
}
