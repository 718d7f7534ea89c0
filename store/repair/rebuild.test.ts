/** Whatever is lost within the code's bounds is made again, byte for byte, with the fewest reads and no other writes. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { parseCode, type Code } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { isReadable, localGroup } from '../../core/erasure/repair.ts'
import { SHARD_GET_TIMEOUT_MS } from '../../core/limits.ts'
import { ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { createRepairScene, keyOf, type RepairScene } from '../testing/repair-scene.ts'

const MIB = 1024 * 1024
const CODES = ['rs-4-2', 'rs-8-4', 'rs-2-2', 'replica-3', 'lrc-6-3-3'] as const

const losses = fc.record({
  code: fc.constantFrom(...CODES),
  size: fc.constantFrom(1, 5000, 40_000, 300_000, 8 * MIB - 3),
  /** Order in which shards are lost, wanted, and found elsewhere. */
  order: fc.array(fc.nat(1_000_000), { minLength: 12, maxLength: 12 }),
  lost: fc.nat(4),
  wanted: fc.nat(4),
  copies: fc.nat(4),
  stripe: fc.nat(20),
})

/** The fewest shards there can be to read. */
function readsFor(
  code: Code,
  wanted: readonly number[],
  copies: readonly number[],
  lost: readonly number[],
): number {
  if (code.kind === 'replica') return 1
  const rest = wanted.filter((shard) => !copies.includes(shard))
  if (rest.length === 0) return copies.length
  if (code.kind === 'rs') return Math.max(code.k, copies.length)
  // By trying: all sets of so many besides the copies, the smallest first.
  const others = Array.from({ length: code.total }, (_, shard) => shard).filter(
    (shard) => !lost.includes(shard),
  )
  for (let count = 0; count <= others.length; count++) {
    for (const set of subsetsOf(others, count)) {
      if (makes(code, rest, [...copies, ...set])) return copies.length + count
    }
  }
  return assert.fail('lost for good')
}

/** By the rest of the groups of what is wanted, or by as much as makes the whole stripe. */
function makes(code: Code, wanted: readonly number[], there: readonly number[]): boolean {
  const away = Array.from({ length: code.total }, (_, shard) => shard).filter(
    (shard) => !there.includes(shard),
  )
  const byGroup = wanted.every((shard) =>
    localGroup(code, shard)?.every((member) => member === shard || there.includes(member)),
  )
  return byGroup || isReadable(code, away)
}

function* subsetsOf(items: readonly number[], count: number): Generator<number[]> {
  if (count === 0) {
    yield []
    return
  }
  for (const [i, item] of items.entries()) {
    for (const rest of subsetsOf(items.slice(i + 1), count - 1)) yield [item, ...rest]
  }
}

test('any loss within the bounds is made again byte for byte, with the fewest reads, and nothing else is written', async () => {
  const scenes = new Map<string, RepairScene>()
  await fc.assert(
    fc.asyncProperty(losses, async ({ code: name, size, order, stripe: turn, ...counts }) => {
      const code = parseCode(name)
      const at = `${name}/${size}`
      const scene = scenes.get(at) ?? (await createRepairScene(name, size))
      scenes.set(at, scene)
      const stripe = turn % stripeCount(code, size)
      const shuffled = Array.from({ length: code.total }, (_, shard) => shard).sort(
        (a, b) => (order[a] ?? 0) - (order[b] ?? 0) || a - b,
      )
      const lost = shuffled.slice(0, Math.min(code.m, 1 + counts.lost))
      const wanted = lost.slice(0, Math.min(lost.length, 1 + counts.wanted))
      const copies = wanted.slice(0, counts.copies)
      for (const shard of lost) scene.lose(stripe, shard)
      for (const shard of copies) scene.keepElsewhere(stripe, shard)
      const before = scene.counters()
      const repair = await scene.rebuild(stripe, wanted)
      const after = scene.counters()
      const { shardBytes } = scene.stripe(stripe)

      assert.deepEqual([...repair.failed], [])
      assert.deepEqual(new Set(repair.stored), new Set(wanted))
      for (const shard of wanted) scene.assertIntact(stripe, shard)
      const reads = readsFor(code, wanted, copies, lost)
      assert.equal(repair.bytesRead, reads * shardBytes)
      assert.equal(repair.bytesReadBack, wanted.length * shardBytes)
      assert.equal(after.bytesRead - before.bytesRead, repair.bytesRead + repair.bytesReadBack)
      assert.equal(after.puts - before.puts, wanted.length)
      assert.equal(repair.bytesWritten, wanted.length * shardBytes)
      assert.equal(scene.paid, repair.bytesRead + repair.bytesWritten + repair.bytesReadBack)
      assert.deepEqual(repair.damagedSources, [])
      scene.restore()
    }),
    { numRuns: 150 },
  )
  for (const scene of scenes.values()) await scene.end()
})

test('one lost shard of rs-4-2 costs four reads, a copy one, and those of its zone come first', async () => {
  const scene = await createRepairScene('rs-4-2', 4 * MIB)
  scene.lose(0, 1)
  const computed = await scene.rebuild(0, [1])
  assert.equal(computed.bytesRead, 4 * MIB)
  // Two shards a zone: one other is in the zone of the target.
  assert.equal(computed.bytesReadAcrossZones, 3 * MIB)
  scene.lose(0, 1)
  const neighbour = scene.keepElsewhere(0, 1)
  const copied = await scene.rebuild(0, [1])
  assert.equal(copied.bytesRead, MIB)
  assert.ok(scene.harness.shards.node(neighbour).has(scene.address(0, 1)), 'the copy is left where it was')
  await scene.end()
})

test('one lost shard of a locally repairable code is made of its group, out of one zone', async () => {
  const scene = await createRepairScene('lrc-6-3-3', 6 * MIB)
  for (const shard of [0, 4, 7, 11]) {
    scene.lose(0, shard)
    const { stored, bytesRead, bytesReadAcrossZones } = await scene.rebuild(0, [shard])
    assert.deepEqual([...stored], [shard])
    assert.deepEqual([bytesRead, bytesReadAcrossZones], [3 * MIB, 0])
    scene.assertIntact(0, shard)
  }
  // One of the group fails on the way: what was read of it serves on.
  scene.lose(0, 0)
  const [, member = 0] = localGroup(parseCode('lrc-6-3-3'), 0) ?? []
  scene.harness.shards.node(scene.nodeOf(member)).damage(scene.address(0, member))
  const around = await scene.rebuild(0, [0])
  assert.deepEqual([...around.stored], [0])
  assert.equal(around.bytesRead, 6 * MIB)
  scene.assertIntact(0, 0)
  await scene.end()
})

test('a source that is damaged, or gone, is replaced by the next and told of', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  scene.lose(0, 0)
  const [damaged, gone] = [scene.nodeOf(1), scene.nodeOf(2)]
  scene.harness.shards.node(damaged).damage(scene.address(0, 1))
  scene.harness.shards.node(gone).shards.delete(keyOf(scene.address(0, 2)))
  // Six shards less one lost, one damaged, one gone: three.
  const hopeless = await scene.rebuild(0, [0], { pretend: [2] })
  assert.deepEqual([...hopeless.stored], [])
  assert.match(String(hopeless.failed.get(0)), /unreadable|cannot be made/)
  assert.deepEqual(
    hopeless.damagedSources.toSorted((a, b) => a.shard - b.shard),
    [
      { shard: 1, node: damaged, code: 'corrupt' },
      { shard: 2, node: gone, code: 'not-found' },
    ],
  )
  assert.equal(hopeless.bytesWritten, 0)
  await scene.end()
})

test('a source whose bytes come damaged was read for nothing; the others are read once', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  scene.lose(0, 0)
  const damaged = scene.nodeOf(1)
  scene.harness.shards.afflict([damaged], { kind: 'corrupt' })
  const { shardBytes } = scene.stripe(0)
  const repaired = await scene.rebuild(0, [0])
  assert.deepEqual([...repaired.stored], [0])
  assert.equal(repaired.bytesRead, 5 * shardBytes, 'one more than four')
  assert.deepEqual(repaired.damagedSources, [{ shard: 1, node: damaged, code: 'corrupt' }])
  scene.assertIntact(0, 0)
  await scene.end()
})

test('a copy that turns out damaged is computed instead, and a copy elsewhere serves before that', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  scene.lose(0, 3)
  const copy = scene.keepElsewhere(0, 3)
  scene.harness.shards.node(copy).damage(scene.address(0, 3))
  const { shardBytes } = scene.stripe(0)
  const computed = await scene.rebuild(0, [3])
  assert.deepEqual([...computed.stored], [3])
  assert.equal(computed.bytesRead, 4 * shardBytes)
  assert.deepEqual(computed.damagedSources, [{ shard: 3, node: copy, code: 'corrupt' }])
  scene.assertIntact(0, 3)
  await scene.end()
})

test('a source that dies on the way is replaced in time, and is no damage', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  scene.lose(0, 0)
  scene.harness.shards.afflict([scene.nodeOf(1)], { kind: 'hang' })
  const began = scene.harness.clock.monotonicMs()
  const repair = await scene.rebuild(0, [0])
  assert.deepEqual([...repair.stored], [0])
  assert.deepEqual(repair.damagedSources, [])
  assert.ok(scene.harness.clock.monotonicMs() - began <= SHARD_GET_TIMEOUT_MS + 100)
  scene.assertIntact(0, 0)
  await scene.end()
})

test('a target that says "stored" and gives back something else has not stored', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  for (const shard of [0, 5]) scene.lose(0, shard)
  const liar = scene.harness.shards.node(scene.nodeOf(0))
  const put = liar.put.bind(liar)
  // Well-formed, but not what was sent.
  liar.put = async (request, signal) => {
    const data = request.data.map((byte) => byte ^ 1)
    await put({ ...request, data, checksums: crc32cBlocks(data) }, signal)
  }
  const repair = await scene.rebuild(0, [0, 5])
  assert.deepEqual([...repair.stored], [5])
  assert.match(String(repair.failed.get(0)), /block 0 differs/)
  assert.equal(scene.counters().puts, 2)
  await scene.end()
})

test('a target that loses the shard, rots it at once, or refuses it has not stored', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  for (const [fault, expected] of [
    [{ kind: 'fail', code: 'read-only' }, /as ordered/],
    [{ kind: 'fail-after', code: 'unavailable' }, /the answer was lost/],
    [{ kind: 'hang' }, /no answer/],
  ] as const) {
    scene.lose(0, 2)
    const target = scene.harness.shards.node(scene.nodeOf(2))
    target.fault = () => fault
    const repair = await scene.rebuild(0, [2])
    assert.deepEqual([...repair.stored], [])
    assert.match(String(repair.failed.get(2)), expected)
    scene.restore()
    await scene.harness.clock.pass(30_000)
  }
  scene.lose(0, 2)
  const target = scene.harness.shards.node(scene.nodeOf(2))
  target.fault = (operation) => (operation === 'get' ? { kind: 'corrupt' } : undefined)
  const rotten = await scene.rebuild(0, [2])
  assert.deepEqual([...rotten.stored], [])
  target.fault = (operation) => (operation === 'get' ? { kind: 'fail', code: 'not-found' } : undefined)
  const forgotten = await scene.rebuild(0, [2])
  assert.deepEqual([...forgotten.stored], [])
  assert.equal(forgotten.failed.size, 1)
  await scene.end()
})

test('when a node knows a newer map, the shard goes where that map still has the node in its slot', async () => {
  const scene = await createRepairScene('rs-4-2', 300_000)
  const { metadata, shards } = scene.harness
  scene.lose(0, 1)
  for (const node of shards.nodes.values()) node.epoch = 2
  metadata.map = create(ClusterMapSchema, { ...scene.shape(2) })
  const stays = await scene.rebuild(0, [1])
  assert.deepEqual([...stays.stored], [1])
  scene.assertIntact(0, 1)

  scene.lose(0, 1)
  const moved = scene.shape(3)
  const from = scene.nodeOf(1)
  for (const pool of moved.pools ?? []) {
    for (const { slots = [] } of pool.groups ?? []) {
      for (const slot of slots) if (slot.node === from) slot.node = 'elsewhere'
    }
  }
  metadata.map = create(ClusterMapSchema, moved)
  for (const node of shards.nodes.values()) node.epoch = 3
  const puts = scene.counters().puts
  const gone = await scene.rebuild(0, [1], { target: from })
  assert.deepEqual([...gone.stored], [])
  assert.match(String(gone.failed.get(1)), /knows epoch 3/)
  assert.ok(!shards.node(from).has(scene.address(0, 1)))
  assert.equal(scene.counters().puts, puts + 1, 'asked once, refused')
  await scene.end()
})

test('a signal ends it at once, and a shard or stripe that cannot be is refused', async () => {
  const scene = await createRepairScene('rs-4-2', 4 * MIB)
  scene.lose(0, 1)
  scene.harness.shards.afflict([scene.nodeOf(1)], { kind: 'slow', ms: 3000 })
  const controller = new AbortController()
  scene.harness.clock.after(500, () => {
    controller.abort()
  })
  const began = scene.harness.clock.monotonicMs()
  await assert.rejects(scene.rebuild(0, [1], { signal: controller.signal }), { name: 'AbortError' })
  assert.equal(scene.harness.clock.monotonicMs() - began, 500)
  await assert.rejects(scene.rebuild(0, [1], { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await assert.rejects(scene.rebuild(7, [1]), RangeError)
  await assert.rejects(scene.rebuild(0, [6]), RangeError)
  await scene.end()
})

test("repairs wait for each other's memory, and are told to come again when none comes free", async () => {
  const scene = await createRepairScene('rs-4-2', 4 * MIB, { repairMemoryBytes: 7 * MIB })
  const nodes = [...scene.harness.shards.nodes.keys()]
  scene.lose(0, 1)
  scene.harness.shards.afflict(nodes, { kind: 'slow', ms: 1000 })
  const both = await Promise.all([scene.rebuild(0, [1]), scene.rebuild(0, [1])])
  assert.deepEqual(
    both.map(({ stored }) => [...stored]),
    [[1], [1]],
  )
  scene.harness.shards.afflict(nodes, undefined)
  const target = scene.harness.shards.node(scene.nodeOf(1))
  target.fault = (operation) => (operation === 'put' ? { kind: 'slow', ms: 20_000 } : undefined)
  const outcomes = await Promise.allSettled([scene.rebuild(0, [1]), scene.rebuild(0, [1])])
  assert.deepEqual(
    outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'done' : String(outcome.reason).slice(0, 40),
    ),
    ['done', 'StoreError: no stripe memory came free i'],
  )
  await scene.end()
})

test('whatever befalls the nodes: what counts as stored is right, the rest failed, and memory comes back', async () => {
  const faults = fc.constantFrom(
    undefined,
    undefined,
    { kind: 'corrupt' } as const,
    { kind: 'hang' } as const,
    { kind: 'slow', ms: 2000 } as const,
    { kind: 'fail', code: 'not-found' } as const,
    { kind: 'fail', code: 'unavailable' } as const,
    { kind: 'fail-after', code: 'unavailable' } as const,
  )
  const scene = await createRepairScene('rs-4-2', 9 * MIB)
  await fc.assert(
    fc.asyncProperty(
      fc.array(faults, { minLength: 6, maxLength: 6 }),
      fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1, maxLength: 2 }),
      fc.option(fc.nat(9000), { nil: undefined }),
      async (ailments, wanted, abortAfterMs) => {
        for (const shard of wanted) scene.lose(0, shard)
        for (const [shard, fault] of ailments.entries()) {
          scene.harness.shards.node(scene.nodeOf(shard)).fault = () => fault
        }
        const controller = new AbortController()
        if (abortAfterMs !== undefined) scene.harness.clock.after(abortAfterMs, () => controller.abort())
        const puts = scene.counters().puts
        try {
          const repair = await scene.rebuild(0, wanted, { signal: controller.signal })
          assert.equal(repair.stored.size + repair.failed.size, wanted.length)
          for (const shard of repair.stored) {
            assert.ok(wanted.includes(shard) && !repair.failed.has(shard))
            scene.assertIntact(0, shard)
          }
        } catch (error) {
          assert.ok(abortAfterMs !== undefined && error instanceof Error && error.name === 'AbortError')
        }
        assert.ok(scene.counters().puts - puts <= wanted.length)
        scene.restore()
        await scene.harness.assertIdle()
      },
    ),
    { numRuns: 150 },
  )
  await scene.end()
})
