/** Backups of several engines while processes die, are slow, or change partitions: what is shown is of one moment, or nothing is. */

import assert from 'node:assert/strict'
import test from 'node:test'
import {
  BACKUP_HOLD_ANSWER_MS,
  BACKUP_HOLD_MS_MAX,
  BACKUP_MOMENT_MS_MAX,
  MEMBER_TTL_MS,
} from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { seeded } from '../../chaos/seeded.ts'
import { assertFits, holesIn, MomentScene, type Shown } from './moment-scene.ts'

const CHAINS = 8

/** Calls `act` when a process has held its commits, before anybody hears of it. @param times for how often; then no more */
function whenHeld(scene: MomentScene, id: string, act: () => void, times = 1): void {
  const holds = scene.world.node(id).commitHolds
  const hold = holds.hold.bind(holds)
  let left = times
  holds.hold = async (request) => {
    const reply = await hold(request)
    if (left-- > 0) act()
    return reply
  }
}

/** Snapshots of the second engine take a while longer. @returns how many of them are open */
function slowSnapshots(scene: MomentScene, extraMs: () => number): () => number {
  const engine = scene.world.engines[1] ?? assert.fail()
  const open = engine.openSnapshot.bind(engine)
  let count = 0
  engine.openSnapshot = async () => {
    await scene.world.clock.sleep(extraMs())
    const snapshot = await open()
    count++
    const close = snapshot.close.bind(snapshot)
    snapshot.close = async () => {
      count--
      await close()
    }
    return snapshot
  }
  return () => count
}

async function assertOneMoment(shown: Shown): Promise<void> {
  assert.deepEqual(holesIn(shown), [])
  assert.equal(shown.reply.engines.length, 2)
  await assertFits(shown)
}

test('a process dies while it holds commits: there is another attempt, when others have what it had', async () => {
  const scene = await MomentScene.begin(11)
  const { clock } = scene.world
  scene.start(CHAINS)
  await clock.pass(200)
  whenHeld(scene, 'b', () => {
    scene.world.kill('b')
  })
  const since = clock.monotonicMs()
  const shown = await clock.drive(scene.backUp())
  const tookMs = clock.monotonicMs() - since
  assert.ok(tookMs > MEMBER_TTL_MS && tookMs < BACKUP_MOMENT_MS_MAX, `${tookMs}`)
  // While nobody served what it had, nobody else was held for it.
  assert.ok(scene.world.node('a').commitHolds.counts.heldMs < 2 * BACKUP_HOLD_ANSWER_MS)
  await scene.close()
  await assertOneMoment(shown)
})

test('the coordinator dies while others hold commits for it: they let go by themselves', async () => {
  const scene = await MomentScene.begin(12)
  const { clock } = scene.world
  scene.start(CHAINS)
  await clock.pass(200)
  whenHeld(scene, 'b', () => {
    scene.world.kill('a')
  })
  // Asked of the coordinator, it goes to the next one when that is gone.
  const backup = scene.backUp()
  await clock.pass(BACKUP_HOLD_MS_MAX + 100)
  for (const id of ['b', 'c']) {
    assert.equal(scene.world.node(id).commitHolds.counts.expired, 1, id)
  }
  const [place] = await clock.drive(
    Promise.all(['e/1', 'n/1'].map((key) => scene.requests.put(scene.api, `${key}/-1`))),
  )
  assert.ok(place !== undefined)
  const shown = await clock.drive(backup)
  assert.notEqual(scene.world.map('b').rootOwner, 'a')
  await scene.close()
  assert.deepEqual(holesIn(shown), [])
})

test('a hold that ends before the snapshots are open makes the attempt void', async () => {
  const scene = await MomentScene.begin(13)
  const { clock } = scene.world
  scene.start(CHAINS)
  await clock.pass(200)
  let slow = 1
  const open = slowSnapshots(scene, () => (slow-- > 0 ? BACKUP_HOLD_MS_MAX + 500 : 0))
  const shown = await clock.drive(scene.backUp())
  for (const id of scene.world.ids) {
    const { holds, expired } = scene.world.node(id).commitHolds.counts
    assert.deepEqual({ holds, expired }, { holds: 2, expired: 1 }, id)
  }
  assert.equal(open(), 0)
  assert.ok(shown.reply.heldMs < BACKUP_HOLD_MS_MAX)
  await scene.close()
  assert.equal(scene.broken, 0)
  await assertOneMoment(shown)
})

test('where no hold is ever long enough, the backup is refused in time, and leaves nothing open', async () => {
  const scene = await MomentScene.begin(14)
  const { clock } = scene.world
  const open = slowSnapshots(scene, () => BACKUP_HOLD_MS_MAX + 1)
  const since = clock.monotonicMs()
  await assert.rejects(clock.drive(scene.backUp()), (error) => {
    assert.ok(error instanceof MetadataError && error.code === FailureCode.BACKUP_REFUSED)
    assert.match(error.message, /not every metadata process held its commits for long enough/)
    return true
  })
  assert.ok(clock.monotonicMs() - since < BACKUP_MOMENT_MS_MAX + 2 * BACKUP_HOLD_MS_MAX)
  assert.equal(open(), 0)
  await scene.close()
})

test('a commit that does not end in time: nobody is held for it any longer', async () => {
  const scene = await MomentScene.begin(15)
  const { clock, engines } = scene.world
  const [first] = engines
  assert.ok(first !== undefined)
  const commit = first.commit.bind(first)
  first.commit = async (batch) => {
    await clock.sleep(3000)
    await commit(batch)
  }
  const slow = scene.requests.put(scene.api, 'n/0/0')
  await clock.pass(100)
  first.commit = commit
  const since = clock.monotonicMs()
  const shown = await clock.drive(scene.backUp())
  assert.ok(clock.monotonicMs() - since > 2000, 'it was waited for')
  await clock.drive(slow)
  await scene.close()
  await assertOneMoment(shown)
})

for (const seed of [1, 2]) {
  test(`partitions are split and moved to other processes and engines meanwhile (seed ${seed})`, async () => {
    const scene = await MomentScene.begin(seed)
    const { world, requests, api } = scene
    const chance = seeded(seed + 100)
    const engines = await world.clock.drive(Promise.all([scene.engineId(0), scene.engineId(1)]))
    scene.start(CHAINS)
    const state = { over: false }
    let changes = 0
    const change = async (): Promise<void> => {
      const map = world.map()
      const id = Number(chance.pick(map.partitions).id)
      const what = chance.next()
      if (what < 0.2 && map.partitions.length < 8) {
        await requests.split(api, id, `${chance.pick(['a', 'e', 'n', 't'])}/${chance.between(0, 9)}`)
      } else if (what < 0.6) await requests.moveEngine(api, id, chance.pick(engines))
      else await requests.move(api, chance.next() < 0.1 ? 0 : id, chance.pick(world.ids))
    }
    const changing = (async () => {
      while (!state.over) {
        await world.clock.sleep(chance.between(5, 80))
        await change().then(
          () => changes++,
          (error: unknown) => {
            assert.ok(error instanceof MetadataError, String(error))
          },
        )
      }
    })()
    const shown: Shown[] = []
    for (let count = 0; count < 10; count++) {
      await world.clock.pass(chance.between(10, 200))
      const one = await world.clock.drive(scene.backUp().catch(unlessRootMoved))
      if (one !== undefined) shown.push(one)
    }
    assert.ok(shown.length > 5, `${shown.length}`)
    state.over = true
    await world.clock.drive(changing)
    await scene.close()
    assert.equal(scene.broken, 0)
    assert.ok(changes > 10, `${changes}`)
    for (const one of shown) {
      assert.deepEqual(holesIn(one), [])
      await assertFits(one)
    }
  })
}

/** What is read of a backup after another process has taken the root over is refused there. */
function unlessRootMoved(error: unknown): undefined {
  assert.ok(error instanceof MetadataError && error.code === FailureCode.INVALID_REQUEST, String(error))
}
