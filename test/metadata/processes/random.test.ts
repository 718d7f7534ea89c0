import assert from 'node:assert/strict'
import test from 'node:test'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { seeded } from '../../chaos/seeded.ts'
import { createBucket, setVersioning } from '../../contract/metadata-requests.ts'
import { Load, VERSIONED } from './load.ts'
import { Trouble } from './trouble.ts'
import { World } from './world.ts'

/** Seeds from 1 on; more of them by ASHLAR_PROCESS_SEEDS, as a count or as `from-to`. */
const [FROM, TO] = seeds(process.env['ASHLAR_PROCESS_SEEDS'] ?? '2')

function seeds(asked: string): [number, number] {
  const [first = '', last] = asked.split('-')
  return last === undefined ? [1, Number(first)] : [Number(first), Number(last)]
}

async function scene(seed: number) {
  const world = await World.of(['a', 'b', 'c'], seed)
  const chance = seeded(seed)
  const load = new Load(world, chance)
  const api = world.routed()
  await world.clock.drive(createBucket(api))
  await world.clock.drive(createBucket(api, VERSIONED))
  await world.clock.drive(setVersioning(api, BucketVersioning.ENABLED, VERSIONED))
  return { world, chance, load, trouble: new Trouble(world, chance, load.requests) }
}

/** Runs the clock until the work is done, and looks at every process now and then. */
async function watched(world: World, work: Promise<unknown>): Promise<void> {
  let done = false
  const ended = work.finally(() => {
    done = true
  })
  ended.catch(() => undefined)
  while (!done) {
    await world.clock.pass(7)
    world.assertOneOwner()
  }
  await ended
}

for (let seed = FROM; seed <= TO; seed++) {
  test(`partitions change under load, and no request fails (seed ${seed})`, async () => {
    const { world, load, trouble } = await scene(seed)
    try {
      load.start(6, 20)
      await watched(world, trouble.changes(6000, 200))
      await watched(world, trouble.heal())
      await watched(world, load.stop())
      assert.deepEqual(load.failures, [])
      assert.ok(load.slowestMs < 4000, `${load.slowestMs}`)
      await world.settle()
      await world.clock.pass(2000)
      await watched(world, load.check())
      assert.ok(load.answered > 800, `${load.answered}`)
    } catch (error) {
      throw new Error(`seed ${seed}: ${trouble.log.slice(-60).join('\n')}`, { cause: error })
    }
    await world.closeAll()
  })

  test(`processes stop, die and come back, and their engine fails them (seed ${seed})`, async () => {
    const { world, load, trouble } = await scene(seed)
    try {
      load.start(5, 60)
      await watched(world, trouble.all(20_000, 600))
      await watched(world, trouble.heal())
      await world.settle()
      await watched(world, load.stop())
      await world.clock.pass(6000)
      await watched(world, load.check())
      assert.ok(load.answered > 300, `${load.answered}`)
    } catch (error) {
      throw new Error(`seed ${seed}: ${trouble.log.slice(-60).join('\n')}`, { cause: error })
    }
    await world.closeAll()
  })
}
