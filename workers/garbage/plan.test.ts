import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GARBAGE_RETRY_MS_MAX, GARBAGE_RETRY_MS_MIN, GARBAGE_TASKS_LEFT_MAX } from '../../core/limits.ts'
import { GarbageTaskSchema, OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { LeftTasks } from './left.ts'
import { deletesOf, dueOf, type GarbageView } from './plan.ts'

const recordOf = (sequence: number, createdMs: number) =>
  create(OutboxRecordSchema, { sequence: BigInt(sequence), createdMs: BigInt(createdMs) })

test('what is due is what stands before the first that is too young, to the millisecond', () => {
  const records = [recordOf(1, 1000), recordOf(2, 1200), recordOf(3, 1100)]
  const sequences = (nowMs: number) => {
    const { records: due, waitMs } = dueOf(records, nowMs, 500)
    return [due.map(({ sequence }) => Number(sequence)), waitMs]
  }
  assert.deepEqual(sequences(1499), [[], 1])
  assert.deepEqual(sequences(1500), [[1], 200])
  assert.deepEqual(sequences(1699), [[1], 1])
  assert.deepEqual(sequences(1700), [[1, 2, 3], undefined])
  assert.deepEqual(dueOf([], 0, 500), { records: [] })
})

const view: GarbageView = {
  nodes: new Map(['a', 'b', 'c', 'd', 'e', 'down'].map((node) => [node, { up: node !== 'down' }])),
  groups: new Map([
    [
      1,
      {
        slots: [
          { node: 'a', source: '' },
          { node: 'b', source: 'c' },
          { node: 'down', source: '' },
        ],
      },
    ],
  ]),
}

test('a blob is deleted wherever it may be and somebody answers, once a node', () => {
  const relocation = { shard: 2, firstStripe: 0, stripeCount: 1 }
  const blobs = [
    { id: 'x', group: 1 },
    { id: 'y', group: 1, relocations: ['d', 'd', '', 'gone'].map((node) => ({ ...relocation, node })) },
    { id: 'z', group: 7 },
  ]
  const deletes = deletesOf(view, create(GarbageTaskSchema, { blobs }))
  assert.deepEqual(
    deletes.map(({ blob, node }) => `${blob} ${node}`),
    ['x a', 'x b', 'x c', 'y a', 'y b', 'y c', 'y d', 'z a', 'z b', 'z c', 'z d', 'z e'],
  )
  assert.deepEqual(
    deletes.map(({ group }) => group),
    [1, 1, 1, 1, 1, 1, 1, 7, 7, 7, 7, 7],
  )
})

test('a task that fails again and again rests longer each time; one that was put off does not', () => {
  const left = new LeftTasks()
  let now = 0
  let pauseMs = GARBAGE_RETRY_MS_MIN
  for (let times = 0; times < 20; times++) {
    left.keep(1n, new Set(['a']), true, now)
    assert.ok(left.rests(1n, now + pauseMs - 1) && !left.rests(1n, now + pauseMs))
    now += pauseMs
    pauseMs = Math.min(GARBAGE_RETRY_MS_MAX, pauseMs * 2)
  }
  left.keep(2n, new Set(['a']), false, now)
  left.keep(2n, new Set(['a']), false, now)
  assert.ok(!left.rests(2n, now + GARBAGE_RETRY_MS_MIN))
  assert.ok(left.isDone(2n, 'b') && !left.isDone(2n, 'a') && !left.isDone(3n, 'a'))
  left.done(2n)
  assert.ok(!left.isDone(2n, 'b'))
})

test('no more tasks are remembered than there may be', () => {
  const left = new LeftTasks()
  for (let count = 0; count <= GARBAGE_TASKS_LEFT_MAX; count++) {
    left.keep(BigInt(count), new Set(['a']), true, 0)
  }
  assert.equal(left.size, GARBAGE_TASKS_LEFT_MAX)
  assert.ok(!left.rests(BigInt(GARBAGE_TASKS_LEFT_MAX), 0))
  left.keep(0n, new Set(['b']), true, 0)
  assert.ok(left.isDone(0n, 'a'))
})
