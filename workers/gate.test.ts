import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from './gate.ts'

const { signal } = new AbortController()

test('so many at once, the most urgent of those that wait first, then in order of arrival', async () => {
  const gate = new Gate(2)
  const order: string[] = []
  const ends: (() => void)[] = []
  const begin = (name: string, urgency: number): Promise<void> =>
    gate.run(urgency, signal, async () => {
      order.push(name)
      const { promise, resolve } = Promise.withResolvers<undefined>()
      ends.push(() => {
        resolve(undefined)
      })
      await promise
    })
  const all = [begin('a', 5), begin('b', 5), begin('c', 2), begin('d', 0), begin('e', 2)]
  await Promise.resolve()
  assert.deepEqual(order, ['a', 'b'])
  for (let i = 0; i < all.length; i++) {
    while (ends.length === 0) await new Promise(setImmediate)
    ends.shift()?.()
  }
  await Promise.all(all)
  assert.deepEqual(order, ['a', 'b', 'd', 'c', 'e'])
})

test('whoever gives up waiting takes no place, and a failure gives its place back', async () => {
  const gate = new Gate(1)
  const held = Promise.withResolvers<undefined>()
  const first = gate.run(0, signal, () => held.promise)
  const leaving = new AbortController()
  const second = gate.run(0, leaving.signal, async () => 'second')
  leaving.abort(new Error('gone'))
  await assert.rejects(second, { message: 'gone' })
  held.reject(new Error('failed'))
  await assert.rejects(first, { message: 'failed' })
  assert.equal(await gate.run(0, signal, async () => 'third'), 'third')
})
