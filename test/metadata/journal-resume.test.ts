/** The copy of the metadata on storage nodes after a start: it goes on where it ended. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { journalTailSpace } from '../../core/keyspace/journal-keys.ts'
import { objectKey } from '../../core/keyspace/keys.ts'
import { JOURNAL_REBASE_MS, JOURNAL_RESUME_MS_MAX } from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import { forgetPosition } from '../../metadata/journal/tail.ts'
import { basesOf, Nodes, Scene } from './journal-scene.ts'

for (const how of ['restart', 'crash'] as const) {
  test(`after a ${how} the journal goes on where it ended, without a base: nothing that came before or after is lost with the disk`, async () => {
    const scene = await Scene.on(await Nodes.six())
    await scene.write()
    await scene.settle()
    await scene.write()
    await scene.settle()
    for (let life = 0; life < 4; life++) {
      // Not shipped when it ends; when it crashes, not at all.
      for (let n = 0; n <= life; n++) await scene.write()
      await scene[how]()
      scene.nodes.refused = 'base'
      if (life !== 2) await scene.write()
      await scene.settle()
      assert.equal((await scene.recover()).content, scene.states.at(-1))
    }
    assert.equal(await basesOf(scene), 1)
    // A base is due some time in any case.
    scene.nodes.refused = undefined
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
    const { baseAtMs } = scene.journal.state()
    await scene.pass(() => scene.journal.state().baseAtMs !== baseAtMs)
    await scene.write()
    await scene.crash()
    await scene.settle()
    assert.equal((await scene.recover()).content, scene.states.at(-1))
    assert.equal(await basesOf(scene), 2)
    await scene.journal.close()
  })
}

test('a crash while a base is written, or when it has just become whole: what comes then is joined to what counts', async () => {
  for (const putsLeft of [1, 3, 4, 6, 7, 9, 10, 12, 13, 15]) {
    const scene = await Scene.on(await Nodes.six())
    await scene.write()
    await scene.settle()
    await scene.write()
    await scene.settle()
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
    await scene.write()
    scene.nodes.putsLeft = putsLeft
    const { baseAtMs } = scene.journal.state()
    await scene.pass(
      () => scene.nodes.putsLeft < 0 || (scene.shipped && scene.journal.state().baseAtMs !== baseAtMs),
    )
    await scene.write()
    scene.nodes.putsLeft = Number.POSITIVE_INFINITY
    await scene.crash()
    scene.nodes.refused = 'base'
    await scene.write()
    await scene.settle()
    assert.equal((await scene.recover()).content, scene.states.at(-1), `${putsLeft}`)
    await scene.journal.close()
  }
})

test('nodes that come up after the start are waited for; where they lack what the journal goes on from, there is a new base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const ids = [...scene.nodes.services.keys()]
  for (const id of ids) scene.nodes.faults.set(id, 'down')
  await scene.crash()
  await scene.write()
  scene.clock.advance(JOURNAL_RESUME_MS_MAX)
  // It has none of the copies.
  const holding = new Set((await scene.nodes.blobs()).map(({ node }) => node))
  const empty = ids.find((id) => !holding.has(id)) ?? assert.fail()
  scene.nodes.faults.delete(empty)
  await scene.pass(() => scene.journal.state().waitingBytes === 0n)
  assert.ok(!scene.shipped, 'what it goes on from was not found')
  assert.equal(scene.journal.state().baseAtMs, 0n)
  scene.nodes.faults.clear()
  await scene.settle()
  assert.equal(await basesOf(scene), 1)
  assert.equal((await scene.recover()).content, scene.states.at(-1))

  const segments = (await scene.nodes.blobs()).filter(({ kind }) => kind === 'segment')
  for (const { node, blob } of segments) await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  await scene.write()
  await scene.crash()
  await scene.settle()
  assert.equal(await basesOf(scene), 2)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('what was committed without a journal, or is not noted, is made good by a new base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  await scene.journal.close()
  await forgetPosition(scene.engine)
  await scene.engine.commit({
    fence: { key: Uint8Array.of(0xee), token: undefined },
    puts: [{ key: objectKey('b', 'unseen'), value: Uint8Array.of(1) }],
    deletes: [],
  })
  await scene.start()
  await scene.write()
  await scene.settle()
  assert.equal(await basesOf(scene), 2)
  assert.equal((await scene.recover()).content, scene.states.at(-1))

  // As many operations as fit: there is no room for a note.
  const { operations } = scene.journal.engine.limits
  const many = Object.fromEntries(Array.from({ length: operations }, (_, index) => [`many${index}`, 'x']))
  await scene.commit(many)
  await scene.crash()
  await scene.write()
  const { baseAtMs } = scene.journal.state()
  assert.equal(baseAtMs, 0n)
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  // Once it is on nodes, the journal goes on from there.
  await scene.commit(many)
  await scene.settle()
  await scene.crash()
  scene.nodes.refused = 'base'
  await scene.write()
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('what the engine notes of the journal does not pile up', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  for (let n = 0; n < 1200; n++) await scene.write()
  await scene.settle()
  const notes = async () => (await scene.engine.scan({ ...journalTailSpace(), limit: 1024 })).length
  await scene.pass(() => true)
  assert.equal(await notes(), 0)
  for (const id of scene.nodes.services.keys()) scene.nodes.faults.set(id, 'down')
  for (let n = 0; n < 10; n++) await scene.write()
  assert.equal(await notes(), 10)
  await scene.crash()
  scene.nodes.faults.clear()
  await scene.settle()
  await scene.pass(() => true)
  assert.equal(await notes(), 0)
  await scene.journal.close()
})
