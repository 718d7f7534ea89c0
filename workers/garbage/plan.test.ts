import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  GARBAGE_EVERYWHERE_NODES_MAX,
  GARBAGE_MOTION_MS,
  GARBAGE_RETRY_MS_MAX,
  GARBAGE_RETRY_MS_MIN,
  GARBAGE_TASKS_LEFT_MAX,
} from '../../core/limits.ts'
import { GarbageTaskSchema, OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { LeftTasks } from './left.ts'
import { deletesOf, dueOf, type GarbageView, MapMotion } from './plan.ts'

const recordOf = (sequence: number, createdMs: number) =>
  create(OutboxRecordSchema, { sequence: BigInt(sequence), createdMs: BigInt(createdMs) })

test('what is due is what stands before the last whose grace is over, to the millisecond', () => {
  const records = [recordOf(1, 1000), recordOf(2, 1200), recordOf(3, 1100), recordOf(4, 1200)]
  const dueAt = (nowMs: number) => {
    const { records: due, waitMs, through } = dueOf(records, nowMs, 500)
    return [due.map(({ sequence }) => Number(sequence)), waitMs, through]
  }
  assert.deepEqual(dueAt(1499), [[], 1, undefined])
  assert.deepEqual(dueAt(1500), [[1], 200, 1n])
  assert.deepEqual(dueAt(1599), [[1], 101, 1n])
  assert.deepEqual(dueAt(1600), [[1, 2, 3], 100, 3n], 'the second is older than the third')
  assert.deepEqual(dueAt(1700), [[1, 2, 3, 4], undefined, 4n])
  assert.deepEqual(dueOf([], 0, 500), { records: [] })
})

test('what was queued while the clock was ahead holds up nobody, and goes with what comes after it', () => {
  const ahead = [recordOf(1, 1e9), recordOf(2, 1e9 + 1)]
  const none: readonly unknown[] = []
  assert.deepEqual(dueOf(ahead, 1000, 500), { records: none, through: 2n })
  const more = [...ahead, recordOf(3, 900)]
  assert.deepEqual(dueOf(more, 1000, 500), { records: none, through: 2n, waitMs: 400 })
  assert.deepEqual(dueOf(more, 1400, 500), { records: more, through: 3n })
})

const view: GarbageView = {
  epoch: 3,
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
  const deletes = deletesOf(view, create(GarbageTaskSchema, { blobs }), false)
  assert.deepEqual(
    deletes.map(({ blob, node }) => `${blob} ${node}`),
    ['x a', 'x b', 'x c', 'y a', 'y b', 'y c', 'y d', 'z a', 'z b', 'z c', 'z d', 'z e'],
  )
  assert.ok(
    deletes.every(({ named }) => named),
    'none is done before all of these are',
  )
  assert.deepEqual(
    deletes.map(({ group }) => group),
    [1, 1, 1, 1, 1, 1, 1, 7, 7, 7, 7, 7],
  )
  const [x = assert.fail()] = blobs
  const everywhere = deletesOf(view, create(GarbageTaskSchema, { blobs: [x] }), true)
  assert.equal(everywhere.map(({ node, named }) => (named ? node.toUpperCase() : node)).join(''), 'ABCde')
})

test('all nodes are asked where they are few, and for a while after the map has changed', () => {
  const motion = new MapMotion()
  const many = GARBAGE_EVERYWHERE_NODES_MAX + 1
  const over = 500 + GARBAGE_MOTION_MS
  motion.look({ epoch: 3 }, 0)
  assert.ok(motion.everywhere(many, over - 1, 500), 'what was before is not known')
  assert.ok(!motion.everywhere(many, over, 500))
  assert.ok(motion.everywhere(many - 1, over, 500))
  motion.look({ epoch: 3 }, over)
  assert.ok(!motion.everywhere(many, over, 500))
  motion.look({ epoch: 4 }, over)
  assert.ok(motion.everywhere(many, 2 * over - 1, 500))
  assert.ok(!motion.everywhere(many, 2 * over, 500))
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
