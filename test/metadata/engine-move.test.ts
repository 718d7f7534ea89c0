import assert from 'node:assert/strict'
import test from 'node:test'
import { partitionMapKey } from '../../core/keyspace/keys.ts'
import type { Engine, EngineBatch } from '../../metadata/engine/engine.ts'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import { garbage, failsWith, put } from '../contract/metadata-requests.ts'
import { temporaryDirectory, world } from '../contract/metadata-service.ts'
import { engineWith } from './engine-with.ts'
import { createVersioned, idOf, KeptEngine, move, recordsIn, startWith, Writers } from './engine-move.ts'

test('a partition moves to another engine and back while it is written: nothing is lost, stale or left over', async () => {
  const one = new KeptEngine()
  const two = new KeptEngine()
  // Small batches, so that the copy takes many, and the writes go on among them.
  const small = (engine: Engine) =>
    engineWith(engine, { limits: { operations: 128, bytes: engine.limits.bytes } })
  const { api, node, close } = await startWith([small(one), small(two)])
  await createVersioned(api)
  const writers = new Writers(api)
  writers.start(8, 20)
  await writers.until(300)
  for (const [to, from] of [
    [two, one],
    [one, two],
    [two, one],
  ] as const) {
    const before = writers.writes
    assert.ok((await move(api, 1, to)) < 1000)
    assert.ok(writers.writes > before)
    await writers.until(50)
    assert.equal(node.maps.map.partitions[0]?.engine, await idOf(to))
    await node.tidy()
    assert.deepEqual(await recordsIn(from), [])
    assert.deepEqual(node.maps.map.leftovers, [])
  }
  await writers.stop()
  await writers.check(api)
  await node.host.byId(1).purger.idle()
  const blobs = await garbage(api)
  await close()
  const again = await startWith([one, two])
  await writers.check(again.api)
  assert.deepEqual(await garbage(again.api), blobs)
  await again.close()
})

test('halves move apart, each with its own, and what cannot be moved stays', async () => {
  const one = new KeptEngine()
  const two = new KeptEngine()
  const { api, node, close } = await startWith([one, two])
  await createVersioned(api)
  const writers = new Writers(api)
  writers.start(4, 10)
  await writers.until(100)
  await api.call('changePartitions', {
    change: { case: 'split', value: { id: 1n, at: { bucket: 'bucket', key: '2/' } } },
  })
  await move(api, 2, two)
  await writers.until(50)
  await failsWith(
    api.call('changePartitions', { change: { case: 'merge', value: { left: 1n } } }),
    FailureCode.PARTITION_REFUSED,
  )
  await failsWith(move(api, 0, two), FailureCode.PARTITION_REFUSED)
  const nowhere = { id: 2n, engine: 'none' }
  await failsWith(
    api.call('changePartitions', { change: { case: 'move', value: nowhere } }),
    FailureCode.PARTITION_REFUSED,
  )
  await move(api, 1, two)
  await writers.until(50)
  await api.call('changePartitions', { change: { case: 'merge', value: { left: 1n } } })
  await writers.until(50)
  // With the outbox of the other half, of which the first engine still has what was left over.
  await move(api, 1, one)
  await writers.until(50)
  await writers.stop()
  await node.tidy()
  assert.deepEqual(node.maps.map.leftovers, [])
  assert.deepEqual(await recordsIn(two), [])
  await writers.check(api)
  await close()
})

interface Faults {
  /** Commits until one fails; counted down. */
  left: number
  /** Whether the batch that fails is written all the same. */
  written: boolean
  /** Those that follow fail, too, as long as this says. */
  lasting: boolean
  down: boolean
}

/** Fails some of the batches that `concerns` holds of. */
function failing(engine: Engine, faults: Faults, concerns: (batch: EngineBatch) => boolean): Engine {
  return engineWith(engine, {
    async commit(batch) {
      if (!concerns(batch)) return engine.commit(batch)
      const fails = faults.down || --faults.left === 0
      if (!fails) return engine.commit(batch)
      faults.down = faults.lasting
      if (faults.written) await engine.commit(batch)
      throw new Error('EIO')
    },
  })
}

const isMap = ({ fence }: EngineBatch): boolean => compareBytes(fence.key, partitionMapKey) === 0

/** Moves, whatever comes of it. */
async function tryMove(api: MetadataApi, to: Engine): Promise<boolean> {
  try {
    await move(api, 1, to)
    return true
  } catch (error) {
    assert.ok(error instanceof MetadataError, String(error))
    return false
  }
}

for (const [name, where] of [
  ['the engine moved to', 'target'],
  ['the partition map', 'map'],
] as const) {
  test(`${name} fails at each step of a move: the partition is whole where the map says it is`, async () => {
    for (const [written, lasting, first, stride] of [
      [false, false, 1, 2],
      [true, false, 2, 3],
      [false, true, 1, 3],
    ] as const) {
      for (let step: number = first, failed = true; failed; step += stride) {
        const one = new KeptEngine()
        const two = new KeptEngine()
        const faults = { left: Number.POSITIVE_INFINITY, written, lasting, down: false }
        const coordination = where === 'map' ? failing(one, faults, isMap) : one
        const target = where === 'map' ? two : failing(two, faults, () => true)
        const { api, node, close } = await startWith([
          coordination,
          engineWith(target, { limits: { operations: 128, bytes: 1e6 } }),
        ])
        await createVersioned(api)
        const writers = new Writers(api)
        writers.start(3, 6)
        await writers.until(20)
        faults.left = step
        const moving = tryMove(api, two)
        if (lasting) {
          while (!faults.down && (await Promise.race([moving, world.nextTurn()])) === undefined);
          for (let turn = 0; turn < 20; turn++) await world.nextTurn()
        }
        faults.down = false
        await moving
        failed = faults.left <= 0
        faults.left = Number.POSITIVE_INFINITY
        await writers.stop()
        await writers.check(api)
        await node.tidy()
        assert.deepEqual(node.maps.map.leftovers, [])
        const at = node.maps.map.partitions[0]?.engine
        assert.deepEqual(await recordsIn(at === (await idOf(two)) ? one : two), [])
        await put(api, 'after')
        if (at !== (await idOf(two))) await move(api, 1, two)
        await close()
        assert.ok(step < 60)
      }
    }
  })
}

test('an owner that dies while it copies: who takes over clears up, and what it still writes is refused', async () => {
  const one = new KeptEngine()
  const two = new KeptEngine()
  const gate = Promise.withResolvers<undefined>()
  const reached = Promise.withResolvers<undefined>()
  let batches = 0
  const slow = engineWith(two, {
    limits: { operations: 128, bytes: 1e6 },
    async commit(batch) {
      if (batch.puts.length > 1 && ++batches === 2) {
        reached.resolve(undefined)
        await gate.promise
      }
      await two.commit(batch)
    },
  })
  const first = await startWith([one, slow])
  await createVersioned(first.api)
  const writers = new Writers(first.api)
  writers.start(4, 20)
  await writers.until(200)
  await writers.stop()
  const moving = tryMove(first.api, two)
  await reached.promise
  assert.notDeepEqual(await recordsIn(two), [])
  // The first goes on as one that was stopped, and does not know that it has been replaced.
  const second = await startWith([one, two])
  await second.node.tidy()
  await second.node.tidy()
  assert.deepEqual(await recordsIn(two), [])
  assert.deepEqual(second.node.maps.map.leftovers, [])
  gate.resolve(undefined)
  assert.equal(await moving, false)
  assert.deepEqual(await recordsIn(two), [])
  await writers.check(second.api)
  await move(second.api, 1, two)
  await writers.check(second.api)
  await first.close()
  await second.close()
})

test('from one folder to another', async () => {
  const [from, to] = [await temporaryDirectory(), await temporaryDirectory()]
  const open = () => Promise.all([LevelEngine.open(from.path), LevelEngine.open(to.path)])
  const engines = await open()
  const { api, close } = await startWith(engines)
  await createVersioned(api)
  const writers = new Writers(api)
  writers.start(4, 10)
  await writers.until(60)
  await move(api, 1, engines[1])
  await writers.until(20)
  await writers.stop()
  await writers.check(api)
  await close()
  const again = await startWith(await open())
  await writers.check(again.api)
  await again.node.tidy()
  assert.deepEqual(again.node.maps.map.leftovers, [])
  await again.close()
  await Promise.all([from.remove(), to.remove()])
})
