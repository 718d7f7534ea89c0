/** Backups while partitions lie on several engines: each shows one moment, whatever happens to the processes that have them. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import { readObjectPosition, SPACE } from '../../../core/keyspace/keys.ts'
import {
  HoldCommitsReplySchema,
  ReleaseCommitsReplySchema,
} from '../../../proto/gen/ashlar/v1/partitions_pb.js'
import { seeded } from '../../chaos/seeded.ts'
import { BUCKET } from '../../contract/metadata-requests.ts'
import { assertFits, holesIn, MomentScene, type Shown, stepsIn } from './moment-scene.ts'

const CHAINS = 12
const BACKUPS = 15

/** Takes several while chains are written, and looks at each. @returns what was shown */
async function backUpOften(scene: MomentScene, seed: number): Promise<Shown[]> {
  const chance = seeded(seed)
  const { clock } = scene.world
  const shown: Shown[] = []
  for (let count = 0; count < BACKUPS; count++) {
    await clock.pass(chance.between(5, 60))
    const before = [...scene.acknowledged]
    const one = await clock.drive(scene.backUp())
    const steps = stepsIn(one)
    for (const [chain, acknowledged] of before.entries()) {
      for (let step = 0; step < acknowledged; step++) {
        assert.ok(
          steps.get(chain)?.has(step) === true,
          `step ${step} of chain ${chain} was acknowledged before`,
        )
      }
    }
    shown.push(one)
  }
  return shown
}

for (const seed of [1, 2, 3]) {
  test(`of a chain of writes over several engines a backup has no later one without the earlier (seed ${seed})`, async () => {
    const scene = await MomentScene.begin(seed)
    scene.start(CHAINS)
    const shown = await backUpOften(scene, seed)
    await scene.close()
    assert.equal(scene.broken, 0)
    for (const one of shown) {
      assert.deepEqual(holesIn(one), [])
      assert.equal(one.reply.oneMoment, true)
      assert.ok(one.reply.heldMs > 0n && one.reply.heldMs < 300n, `${one.reply.heldMs}`)
      await assertFits(one)
    }
  })
}

test('were commits not held, the same would show what was at no moment', async () => {
  const holes: string[] = []
  for (let seed = 1; seed <= 5; seed++) {
    const scene = await MomentScene.begin(seed)
    for (const id of scene.world.ids) {
      Object.assign(scene.world.node(id).commitHolds, {
        hold: async () => create(HoldCommitsReplySchema),
        release: () => create(ReleaseCommitsReplySchema, { held: true }),
      })
    }
    scene.start(CHAINS)
    holes.push(...(await backUpOften(scene, seed)).flatMap(holesIn))
    await scene.close()
  }
  assert.ok(holes.length > 0, 'the chains would not notice')
})

test('what a move to another engine has left behind is in no backup', async () => {
  const scene = await MomentScene.begin(4)
  const { world, requests, api } = scene
  const drive = <T>(work: Promise<T>): Promise<T> => world.clock.drive(work)
  for (const key of ['e/gone', 'e/other']) await drive(requests.put(api, key))
  // Nobody can clear up.
  for (const id of world.ids) {
    world.process(id).fault = ({ puts, deletes }) =>
      puts.length === 0 && deletes.length > 0 ? 'before' : 'none'
  }
  await drive(requests.moveEngine(api, 2, await drive(scene.engineId(0))))
  assert.notEqual(world.map().leftovers.length, 0)
  await drive(api.call('deleteObject', { bucket: BUCKET, key: 'e/gone' }))
  const shown = await drive(scene.backUp())
  const objects = shown.engines.map((entries) =>
    entries.flatMap(({ key }) => (key[0] === SPACE.object ? readObjectPosition(key).key : [])),
  )
  assert.deepEqual(objects, [['e/other'], []])
  const [, second] = shown.engines
  // Of what lies by a partition's id there is that of the other partition there only.
  assert.equal(second?.filter(({ key }) => key[0] === SPACE.orderReserve).length, 1)
  await assertFits(shown)
  await scene.close()
})
