import assert from 'node:assert/strict'
import test from 'node:test'
import { seeded } from '../chaos/seeded.ts'
import { isLinearizable } from './brute-force.ts'
import { checkKey } from './check.ts'
import type { Action, Condition, Operation, Value } from './history.ts'
import { simulateRegister } from './simulated-register.ts'
import { explain, shortestWindow } from './window.ts'

test('a stale read in a long history: the write it missed, and the read', () => {
  const before = simulateRegister(seeded(1), { clients: 6, operations: 400, unknown: 0 })
  const missed = operation(10_000, { kind: 'write', value: 'new' })
  const stale = saw(10_020, 'old')
  const history = [
    ...before,
    operation(9990, { kind: 'write', value: 'old' }),
    missed,
    saw(10_010, 'new'),
    stale,
    // What comes after does not matter.
    saw(10_030, 'new'),
  ]
  const window = shortestWindow(history)
  assert.deepEqual(window.operations, [saw(10_010, 'new'), stale])
  assert.deepEqual([window.from, window.to], [10_010, 10_021])
  const text = explain(history, checkKey(history))
  assert.match(text, /^key: not linearizable\. Whatever it held before, no order of these 2 of its 40\d/)
  assert.match(text, / {9}0\.0 … 1\.0 +c +saw new\n {8}10\.0 … 11\.0 +c +saw old$/)
})

test('where only the start of the history refuses it, the window says so', () => {
  const history = [saw(0, 'never written')]
  const window = shortestWindow(history)
  assert.equal(window.initial, undefined)
  assert.deepEqual(window.operations, history)
  assert.match(explain(history, checkKey(history)), /With no object at the start, no order/)
})

test('the window of every refused history is refused by itself', () => {
  let refused = 0
  for (let seed = 0; seed < 400; seed++) {
    const chance = seeded(seed)
    const correct = simulateRegister(chance, { clients: 3, operations: 7, unknown: 0.1 })
    const history = correct.map((one) =>
      one.action.kind === 'observe' && chance.next() < 0.3
        ? { ...one, action: saw(0, [undefined, 'v1', 'v2'][chance.between(0, 2)]).action }
        : one,
    )
    if (checkKey(history).linearizable !== false) continue
    refused++
    const { operations, initial } = shortestWindow(history)
    const values: Value[] = typeof initial === 'object' ? [undefined, 'v1', 'v2', 'v3', 'x'] : [initial]
    assert.ok(!values.some((value) => isLinearizable(operations, value)), `seed ${seed}`)
    assert.ok(operations.length <= history.length)
  }
  assert.ok(refused > 50, `${refused} refused`)
})

function operation(invoked: number, action: Action): Operation {
  return { key: 'key', client: 'c', invoked, responded: invoked + 1, action }
}

function saw(invoked: number, value: Value): Operation {
  const seen: Condition = { is: 'value', value }
  return operation(invoked, { kind: 'observe', seen })
}
