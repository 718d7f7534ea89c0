import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { REPAIR_QUEUE_MAX, REPAIR_RETRY_MS_MAX } from '../../core/limits.ts'
import { ClusterMapSchema, NodeCondition, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { clusterMap } from '../../store/testing/cluster-map.ts'
import { WorkView } from '../cluster/view.ts'
import { isHopeless, RepairQueue, type RepairNeed } from './queue.ts'

/** Slots of every group's shard 0 … 5, some order of a1 … c2. */
const GROUP = 2 * 65_536

function viewOf(...down: string[]): WorkView {
  const map = create(ClusterMapSchema, clusterMap({ small: '', groups: 1 }))
  const liveness = map.nodes.map(({ id }) =>
    create(NodeLivenessSchema, { node: id, up: !down.includes(id), condition: NodeCondition.WRITABLE }),
  )
  return new WorkView(map, liveness)
}

function slotOf(shard: number): string {
  return viewOf().groups.get(GROUP)?.slots[shard]?.node ?? ''
}

function task(sequence: number, blob: string, away: readonly number[], sinceMs = sequence): RepairNeed {
  const place = { bucket: 'b', key: blob, version: '', part: 0, annotation: '', blob }
  const relocations = away.map((shard) => ({ shard, firstStripe: 0, stripeCount: 1, node: '' }))
  return {
    group: GROUP,
    blob,
    size: 10,
    sinceMs,
    task: { outbox: 1n, sequence: BigInt(sequence), place, relocations },
  }
}

test('the least redundant first, by relocations, damage and nodes that are down together; then the oldest', () => {
  const queue = new RepairQueue()
  queue.add(task(1, 'one-owed', [0]))
  queue.add(task(2, 'two-owed', [0, 1]))
  queue.add(task(3, 'one-owed-older', [0], 0))
  queue.add({
    group: GROUP,
    blob: 'one-owed',
    sinceMs: 9,
    damaged: { node: slotOf(3), shard: 3 },
  })
  queue.add({ group: GROUP, blob: 'damaged', sinceMs: 9, damaged: { node: slotOf(3), shard: 3 } })
  const order = (view: WorkView): string[] => {
    const taken = queue.take(view, 0, 10)
    for (const item of taken) queue.postpone(item, 0)
    queue.hasten()
    return taken.map(({ blob }) => blob)
  }
  assert.deepEqual(order(viewOf()), ['one-owed', 'two-owed', 'one-owed-older', 'damaged'])
  // Shard 3 is lost to all now, so that its damage makes no difference.
  assert.deepEqual(order(viewOf(slotOf(3))), ['two-owed', 'one-owed-older', 'one-owed', 'damaged'])
})

test('needs of one blob are one item, which all of its tasks wait for', () => {
  const queue = new RepairQueue()
  queue.add(task(1, 'blob', [0]))
  queue.add(task(7, 'blob', [0, 1]))
  const [item] = queue.take(viewOf(), 0, 10)
  assert.ok(item !== undefined)
  assert.deepEqual([...item.sequences], [[1n, new Set([1n, 7n])]])
  assert.equal(queue.size, 1)
  assert.deepEqual(queue.take(viewOf(), 0, 10), [], 'it is being repaired')
  queue.remove(item)
  assert.equal(queue.size, 0)
})

test('what could not be done rests, longer each time up to a bound, and holds up nobody', () => {
  const queue = new RepairQueue()
  queue.add(task(1, 'stubborn', [0, 1]))
  queue.add(task(2, 'other', [0]))
  let at = 0
  let pause = 0
  for (let i = 0; i < 10; i++) {
    const taken = queue.take(viewOf(), at, 10)
    assert.deepEqual(
      taken.map(({ blob }) => blob),
      ['stubborn', 'other'],
    )
    for (const item of taken) queue.postpone(item, at)
    assert.deepEqual(queue.take(viewOf(), at, 10), [])
    const wait = (taken[0]?.retryAtMs ?? 0) - at
    assert.ok(wait >= pause && wait <= REPAIR_RETRY_MS_MAX)
    pause = wait
    at += wait
  }
  assert.equal(pause, REPAIR_RETRY_MS_MAX)
  queue.hasten()
  assert.equal(queue.take(viewOf(), 0, 10).length, 2)
})

test('it holds so many and no more', () => {
  const queue = new RepairQueue()
  for (let i = 0; i < REPAIR_QUEUE_MAX; i++) assert.ok(queue.add(task(i, `blob${i}`, [0])))
  assert.ok(queue.full)
  assert.ok(!queue.add(task(0, 'one-more', [0])))
  assert.ok(queue.add(task(REPAIR_QUEUE_MAX, 'blob0', [0])), 'of a blob that it has, more is noted')
})

test('when it is full, it forgets what could not be done, and has room for others', () => {
  const queue = new RepairQueue()
  for (let i = 0; i < REPAIR_QUEUE_MAX; i++) queue.add(task(i, `blob${i}`, [0]))
  const [first, second] = queue.take(viewOf(), 0, 2)
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(queue.postpone(first, 0), false)
  assert.equal(queue.postpone(second, 0), true, 'there is room')
  assert.equal(queue.room, 1)
  assert.ok(queue.add(task(0, 'one-more', [0])))
})

test('a task is hopeless while every shard that it lacks belongs on nodes that are away', () => {
  const [first, second] = [slotOf(0), slotOf(1)]
  const { task: two } = task(1, 'blob', [0, 1])
  const relocations = two?.relocations ?? []
  assert.ok(isHopeless(relocations, GROUP, viewOf(first, second)))
  assert.ok(!isHopeless(relocations, GROUP, viewOf(first)))
  assert.ok(!isHopeless([], GROUP, viewOf(first)), 'asked for by a reader: there is something to find')
})
