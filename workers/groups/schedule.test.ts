import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GROUP_AGEING_MS, GROUP_RETRY_MS_MAX, SLOT_SETTLE_MS } from '../../core/limits.ts'
import { ClusterMapSchema, NodeCondition, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { clusterMap } from '../../store/testing/cluster-map.ts'
import { WorkView } from '../cluster/view.ts'
import { finishedSlots } from './finish.ts'
import { GroupSchedule, type DuePass } from './schedule.ts'

const DAY = 24 * 60 * 60 * 1000
const NOW = 1_800_000_000_000

interface Look {
  readonly down?: readonly string[]
  readonly full?: readonly string[]
  /** When the processes of all nodes began. */
  readonly startedMs?: bigint
  readonly edit?: (map: ReturnType<typeof mapOf>) => void
}

const mapOf = () => create(ClusterMapSchema, clusterMap({ groups: 2, small: '' }))

function viewOf({ down = [], full = [], startedMs = 1n, edit = () => undefined }: Look = {}): WorkView {
  const map = mapOf()
  edit(map)
  const liveness = map.nodes.map(({ id }) =>
    create(NodeLivenessSchema, {
      node: id,
      up: !down.includes(id),
      condition: full.includes(id) ? NodeCondition.READ_ONLY : NodeCondition.WRITABLE,
      startedMs,
    }),
  )
  return new WorkView(map, liveness)
}

const all = (): boolean => true
const ids = (passes: readonly DuePass[]): number[] =>
  passes.map(({ group }) => group.id).sort((a, b) => a - b)

/** A schedule of two groups that have had their first pass. */
function settled(): GroupSchedule {
  const schedule = new GroupSchedule(7 * DAY)
  schedule.look(viewOf(), 0, NOW)
  const due = schedule.due(0, all)
  assert.deepEqual(ids(due), [131_072, 131_073])
  for (const pass of due) schedule.passed(pass, 'none', 1)
  assert.deepEqual(schedule.due(1, all), [])
  return schedule
}

test('every group once at the start, then none while nothing changes; all when a node comes back', () => {
  const schedule = settled()
  schedule.look(viewOf({ down: ['a1'] }), 1000, NOW)
  assert.deepEqual(schedule.due(1000, all), [], 'nothing can be done while it is away')
  schedule.look(viewOf(), 2000, NOW)
  assert.equal(schedule.due(2000, all).length, 2)
  assert.equal(schedule.due(2000, ({ id }) => id % 2 === 0).length, 1)
})

test('all are due when a node was started again, though its lease never ended', () => {
  const schedule = settled()
  schedule.look(viewOf({ startedMs: 2n }), 1000, NOW)
  assert.equal(schedule.due(1000, all).length, 2)
})

test('all when a full node takes writes again', () => {
  const schedule = settled()
  schedule.look(viewOf({ full: ['a1'] }), 1000, NOW)
  assert.deepEqual(schedule.due(1000, all), [])
  schedule.look(viewOf(), 2000, NOW)
  assert.equal(schedule.due(2000, all).length, 2)
})

test('a group whose slots are others is due; the one with the least to spare comes first', () => {
  const schedule = settled()
  const edit: Look['edit'] = (map) => {
    for (const group of map.pools[0]?.groups ?? []) {
      for (const [shard, slot] of group.slots.entries()) {
        if (shard > (group.id === 131_073 ? 1 : 0)) continue
        slot.filling = true
        slot.node = 'a2'
      }
    }
  }
  schedule.look(viewOf({ edit }), 10, NOW)
  const due = schedule.due(10, all)
  assert.deepEqual(
    due.map(({ group, spare }) => [group.id, spare]),
    [
      [131_073, 0],
      [131_072, 1],
    ],
  )
})

test('what a pass leaves decides when the next is made', () => {
  const schedule = settled()
  schedule.look(viewOf({ down: ['a1'] }), 10, NOW)
  schedule.look(viewOf(), 20, NOW)
  const [pass] = schedule.due(20, ({ id }) => id === 131_072)
  assert.ok(pass !== undefined)
  const dueAt = (nowMs: number): boolean => schedule.due(nowMs, ({ id }) => id === 131_072).length > 0
  schedule.passed(pass, 'now', 30)
  assert.ok(dueAt(30))
  schedule.passed(pass, 'settle', 40)
  assert.ok(!dueAt(39 + SLOT_SETTLE_MS) && dueAt(40 + SLOT_SETTLE_MS))
  schedule.passed(pass, 'ageing', 50)
  assert.ok(!dueAt(49 + GROUP_AGEING_MS) && dueAt(50 + GROUP_AGEING_MS))
  let at = 100
  let pause = 0
  for (let i = 0; i < 12; i++) {
    schedule.passed(pass, 'later', at)
    let wait = 0
    while (!dueAt(at + wait)) wait += 1000
    assert.ok(wait >= pause && wait <= GROUP_RETRY_MS_MAX + 1000)
    pause = wait
    at += wait
  }
  // A node that comes back ends the pause.
  schedule.passed(pass, 'later', at)
  schedule.look(viewOf({ down: ['b1'] }), at + 1, NOW)
  assert.ok(!dueAt(at + 1))
  schedule.look(viewOf(), at + 2, NOW)
  assert.ok(dueAt(at + 2))
  schedule.passed(pass, 'none', at + 3)
  assert.ok(dueAt(at + 3), 'the pass had begun before the node was back')
})

test('passes that follow each other at once end', () => {
  const schedule = new GroupSchedule(7 * DAY)
  schedule.look(viewOf(), 0, NOW)
  let passes = 0
  for (;;) {
    const [pass] = schedule.due(passes, ({ id }) => id === 131_072)
    if (pass === undefined) break
    schedule.passed(pass, 'now', passes)
    passes++
    assert.ok(passes < 100)
  }
})

test('a clock that was a year ahead for a moment puts off no deep pass', () => {
  const schedule = settled()
  schedule.look(viewOf(), 10, NOW + 365 * DAY)
  const early = schedule.due(10, all)
  assert.equal(early.length, 2)
  for (const pass of early) schedule.passed(pass, 'none', 11)
  schedule.look(viewOf(), 20, NOW)
  assert.deepEqual(schedule.due(20, all), [])
  schedule.look(viewOf(), 30, NOW + 7 * DAY)
  assert.ok(schedule.due(30, all).every(({ deep }) => deep))
  assert.equal(schedule.due(30, all).length, 2)
})

test('each group has its deep pass once in its time, each at another, whoever counts', () => {
  const one = settled()
  const other = settled()
  const seen = new Map<number, number[]>()
  for (let hour = 0; hour < 21 * 24; hour++) {
    for (const schedule of [one, other]) schedule.look(viewOf(), 10 + hour, NOW + hour * 3_600_000)
    const due = one.due(10 + hour, all)
    assert.deepEqual(ids(other.due(10 + hour, all)), ids(due))
    for (const pass of due) {
      assert.ok(pass.deep)
      seen.set(pass.group.id, [...(seen.get(pass.group.id) ?? []), hour])
      for (const schedule of [one, other]) schedule.passed(pass, 'none', 10 + hour)
    }
  }
  assert.equal(seen.size, 2)
  const hours = [...seen.values()]
  for (const [first = 0, second = 0, third = 0, ...more] of hours) {
    assert.deepEqual([second - first, third - second, more], [168, 168, []])
  }
  assert.notEqual(hours[0]?.[0], hours[1]?.[0])
})

test('a move ends when its node was listed and lacked nothing, and not while too many that may hold blobs are away', () => {
  const edit: Look['edit'] = (map) => {
    const slot = map.pools[0]?.groups[0]?.slots[0]
    if (slot === undefined) return
    slot.source = slot.node
    slot.node = 'b2'
    slot.filling = true
  }
  const view = viewOf({ edit })
  const group = view.groups.get(131_072)
  assert.ok(group !== undefined)
  const finished = (listed: readonly string[], lacking: readonly number[] = []): number[] =>
    finishedSlots(view, group, new Set(listed), new Set(lacking)).map(({ shard }) => shard)
  const nodes = [...view.nodes.keys()]
  const without = (...away: string[]): string[] => nodes.filter((id) => !away.includes(id))
  assert.deepEqual(finished(nodes), [0])
  assert.deepEqual(finished(nodes, [0]), [])
  assert.deepEqual(finished(nodes, [1, 2]), [0])
  assert.deepEqual(finished(without('b2')), [], 'its own node')
  assert.deepEqual(finished(without('a1', 'a2')), [0], 'as many as the code can lose')
  assert.deepEqual(finished(without('a1', 'a2', 'c1')), [])
})
