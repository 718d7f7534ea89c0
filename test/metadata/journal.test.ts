/** The copy of the metadata on storage nodes: what is shipped, what is left of it, and what comes back. */

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { objectKey } from '../../core/keyspace/keys.ts'
import {
  JOURNAL_COPIES,
  JOURNAL_PUT_TIMEOUT_MS,
  JOURNAL_REBASE_MS,
  JOURNAL_SHIP_MS,
  JOURNAL_WAITING_BYTES_MAX,
} from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import { readJournalBlob } from '../../metadata/journal/blob-id.ts'
import { NothingToRecoverError } from '../../metadata/journal/recover.ts'
import { until } from '../contract/metadata-requests.ts'
import { world } from '../contract/metadata-service.ts'
import { Nodes, Scene } from './journal-scene.ts'

test('each second the commits since are in three zones, and all of them come back', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  for (let n = 0; n < 10; n++) await scene.write()
  assert.ok(Number(scene.journal.state().waitingBytes) > 0)
  await scene.settle()
  await scene.write()
  await scene.settle()
  const { content, segments } = await scene.recover()
  assert.equal(content, scene.states.at(-1))
  // The first stands for the base.
  assert.equal(segments, 3)
  const byBlob = Map.groupBy(await scene.nodes.blobs(), ({ blob }) => blob)
  for (const copies of byBlob.values()) {
    assert.equal(new Set(copies.map(({ node }) => node.slice(0, 1))).size, JOURNAL_COPIES)
  }
  // What the nodes count as blobs is what the ledger goes by.
  for (const node of scene.nodes.services.values()) assert.deepEqual(node.inventory().counts, [])
  await scene.journal.close()
})

test('whenever it ends, with whatever was put by then, what comes back is the state after some commit, not before the last that was shipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('write', 'write', 'ship', 'rebase', 'restart', 'crash'), {
        minLength: 5,
        maxLength: 25,
      }),
      fc.integer({ min: 0, max: 12 }),
      async (steps, putsLeft) => {
        const scene = await Scene.on(await Nodes.six())
        await scene.write()
        await scene.settle()
        let shipped = scene.states.length - 1
        for (const step of steps) {
          if (step === 'write') await scene.write()
          else if (step === 'ship') {
            await scene.settle()
            shipped = scene.states.length - 1
          } else if (step === 'crash') await scene.crash()
          else if (step === 'restart') await scene.restart()
          else {
            await scene.settle()
            shipped = scene.states.length - 1
            // A base begins, and commits go on beside it.
            scene.clock.advance(JOURNAL_REBASE_MS + 1)
            await scene.write()
          }
        }
        // The end comes in the middle of whatever is put.
        scene.nodes.putsLeft = putsLeft
        await scene.write()
        const before = Number(scene.journal.state().shippedBytes)
        await scene.pass(() => scene.nodes.putsLeft < 0 || scene.shipped)
        assert.ok(Number(scene.journal.state().shippedBytes) >= before)
        const { content } = await scene.recover()
        const at = scene.states.lastIndexOf(content)
        assert.ok(at >= shipped, `state ${at} of ${scene.states.length - 1}, ${shipped} were shipped`)
        scene.nodes.putsLeft = Number.POSITIVE_INFINITY
        await scene.journal.close()
      },
    ),
    { numRuns: 12 },
  )
})

test('a base that was never finished is not used: the one before and the segments of both are', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const noise = world.random.bytes(3_000_000)
  await scene.commit({ noise })
  await scene.settle()
  scene.clock.advance(JOURNAL_REBASE_MS + 1)
  // Segments are put meanwhile; of the base, all but its end.
  const { baseAtMs } = scene.journal.state()
  scene.nodes.putsLeft = 6
  await scene.pass(() => scene.nodes.putsLeft < 0)
  scene.nodes.putsLeft = Number.POSITIVE_INFINITY
  await scene.write()
  await scene.pass(() => scene.shipped)
  if (scene.journal.state().baseAtMs === baseAtMs) {
    assert.equal((await scene.recover()).content, scene.states.at(-1))
  }
  // The next attempt succeeds, and takes what was left of the first away.
  await scene.pass(() => scene.journal.state().baseAtMs > baseAtMs)
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
  const blobs = await scene.nodes.blobs()
  const count = (kind: string) =>
    new Set(blobs.filter((one) => one.kind === kind).map(({ blob }) => blob)).size
  assert.deepEqual([count('base'), count('complete')], [2, 2])
})

test('bases that fail one after another, with no commit in between, leave no gap before what comes then', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  scene.nodes.refused = 'base'
  scene.clock.advance(JOURNAL_REBASE_MS + 1)
  let refusals = 0
  scene.nodes.onRefused = () => refusals++
  await scene.pass(() => refusals > 2 * scene.nodes.services.size)
  await scene.write()
  await scene.pass(() => scene.shipped)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('the two newest bases stay, with the segments since the older', async () => {
  const scene = await Scene.on(await Nodes.six())
  for (let base = 0; base < 4; base++) {
    const { baseAtMs } = scene.journal.state()
    await scene.write()
    await scene.pass(() => scene.journal.state().baseAtMs !== baseAtMs)
    await scene.settle()
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
  }
  await scene.journal.close()
  const kinds = Map.groupBy(await scene.nodes.blobs(), ({ kind }) => kind)
  const generations = (kind: string) =>
    new Set((kinds.get(kind) ?? []).map(({ blob }) => readJournalBlob(blob)?.number)).size
  assert.ok(generations('complete') <= 3 && generations('complete') >= 2)
  assert.ok(generations('segment') <= 3)
})

test('copies on lost and damaged nodes are done without; where none is left of a segment, it ends before it', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const perSegment: number[] = []
  for (let segment = 0; segment < 3; segment++) {
    await scene.write()
    await scene.settle()
    perSegment.push(scene.states.length - 1)
  }
  await scene.journal.close()
  scene.nodes.faults.set('a1', 'down')
  scene.nodes.faults.set('b1', 'down')
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  scene.nodes.faults.clear()
  const second = (await scene.nodes.blobs()).filter(({ blob }) => readJournalBlob(blob)?.sequence === 3)
  for (const { node, blob } of second) await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  const { content, segments } = await scene.recover()
  assert.equal(segments, 2)
  assert.equal(content, scene.states[perSegment[0] ?? 0])
  // Nothing whole is left.
  for (const { node, blob } of (await scene.nodes.blobs()).filter(({ kind }) => kind === 'base')) {
    await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  }
  await assert.rejects(scene.recover(), NothingToRecoverError)
})

test('nodes that hang delay no commit, and are gone round; too much that waits is made good by a base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const [first = ''] = new Set((await scene.nodes.blobs()).map(({ node }) => node))
  scene.nodes.faults.set(first, 'hangs')
  await scene.write()
  scene.clock.advance(JOURNAL_SHIP_MS)
  await scene.write()
  assert.ok(!scene.shipped)
  await scene.pass(() => scene.shipped)
  scene.nodes.faults.clear()

  for (const id of scene.nodes.services.keys()) scene.nodes.faults.set(id, 'down')
  const megabytes = new Uint8Array(4 * 1024 * 1024)
  const { baseAtMs } = scene.journal.state()
  for (let bytes = 0; bytes <= JOURNAL_WAITING_BYTES_MAX; bytes += megabytes.length) {
    await scene.journal.engine.commit({
      fence: { key: Uint8Array.of(0xee), token: undefined },
      puts: [{ key: objectKey('b', 'big'), value: megabytes }],
      deletes: [],
    })
    scene.clock.advance(JOURNAL_PUT_TIMEOUT_MS)
  }
  assert.equal(Number(scene.journal.state().waitingBytes), 0, 'it was let go of')
  assert.ok(!scene.shipped)
  await scene.commit({ big: 'small' })
  scene.nodes.faults.clear()
  await scene.pass(() => scene.shipped)
  assert.ok(scene.journal.state().baseAtMs >= baseAtMs)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('a node that is to go is cleared, and what it held is elsewhere', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const [node = ''] = new Set((await scene.nodes.blobs()).map((one) => one.node))
  scene.nodes.leaving.add(node)
  let left: string[] = [node]
  await until(async () => {
    await scene.pass(() => true)
    scene.clock.advance(JOURNAL_SHIP_MS)
    left = (await scene.nodes.blobs()).filter((one) => one.node === node).map(({ blob }) => blob)
    return left.length === 0
  })
  await scene.write()
  await scene.settle()
  scene.nodes.services.delete(node)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})
