import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter, meanOf, settled, sumOf } from './counter.ts'

function counterAt(): { counter: Counter; at(ms: number): void } {
  let nowMs = 500
  const counter = new Counter(() => nowMs)
  counter.begin()
  return { counter, at: (ms) => (nowMs = 500 + ms) }
}

test('what happens is of the second in which it happens, and only seconds that are over count', () => {
  const { counter, at } = counterAt()
  counter.count('writes', 'done')
  at(999)
  counter.count('writes', 'done')
  counter.count('reads', 'refused')
  at(1000)
  counter.count('writes', 'refused')
  at(3500)
  counter.count('writes', 'done')
  const { seconds } = counter
  assert.deepEqual(
    seconds.map(({ writes, reads }) => [writes.done, writes.refused, reads.refused]),
    [
      [2, 0, 1],
      [0, 1, 0],
      [0, 0, 0],
    ],
  )
  assert.equal(sumOf(seconds, 'refused'), 2)
  assert.equal(sumOf(seconds, 'refused', ['reads']), 1)
  assert.equal(meanOf(seconds, 'done', ['writes']), 2 / 3)
  assert.equal(meanOf([], 'done'), 0)
})

test('a second in which nobody asked for the partitions has those of the second before', () => {
  const { counter, at } = counterAt()
  at(1100)
  counter.partitions(2)
  at(1600)
  counter.partitions(3)
  at(3200)
  counter.partitions(2)
  at(5000)
  assert.deepEqual(
    counter.seconds.map(({ partitions }) => partitions),
    [1, 3, 3, 2, 2],
  )
})

test('after the end nothing is counted in the seconds before it', () => {
  const { counter, at } = counterAt()
  at(1900)
  counter.count('reads', 'done')
  at(2000)
  counter.end()
  at(9000)
  counter.count('reads', 'done')
  assert.equal(counter.elapsedMs, 2000)
  assert.equal(sumOf(counter.seconds, 'done'), 1)
})

test('seconds in which the map changed belong to neither number of partitions', () => {
  const { counter, at } = counterAt()
  for (const [second, partitions] of [1, 1, 1, 1, 2, 2, 2].entries()) {
    at(second * 1000)
    counter.partitions(partitions)
    for (let count = 0; count <= second; count++) counter.count('writes', 'done')
  }
  at(7000)
  const doneOf = (partitions: number) => settled(counter.seconds, partitions).map(({ writes }) => writes.done)
  assert.deepEqual([doneOf(1), doneOf(2), doneOf(3)], [[2, 3], [6], []])
})
