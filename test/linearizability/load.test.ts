/** The load, the record and the checker together: they accept a store that keeps its promises, and catch one that does not. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { seeded } from '../chaos/seeded.ts'
import { startFakeStore, type Habits } from './fake-store.ts'
import { RecordedLoad } from './load.ts'

const REQUESTS = 200

async function loadOn(t: TestContext, habits: Habits, requests = REQUESTS): Promise<RecordedLoad> {
  const connect = await startFakeStore(t, habits, seeded(1))
  const load = new RecordedLoad({
    buckets: [{ name: 'bucket', prefixes: 3, keysOfPrefix: 2, share: 1 }],
    gateways: [connect, connect],
    clients: 4,
    seed: 1,
  })
  load.start()
  await load.progress(requests)
  await load.stop()
  await load.readBack()
  return load
}

test('a store that does all it says is accepted', async (t) => {
  const load = await loadOn(t, {})
  assert.match(await load.verify(), /^\d{3,} operations on 6 keys are linearizable, 0 of unknown outcome/)
  assert.deepEqual(load.failures(), [])
})

test('writes that were answered with 503 may have been done, may be later, or never', async (t) => {
  const load = await loadOn(t, { loses: 0.1 })
  assert.doesNotMatch(await load.verify(), / 0 of unknown outcome/)
})

test('a request that fails beyond the retries is told', async (t) => {
  const load = await loadOn(t, { loses: 0.7 }, 60)
  assert.match(
    load.failures().join('\n'),
    /^c\d\/g\d (PUT|DELETE) p0\d\/k\d: ServiceUnavailable.* after 3 tries/m,
  )
})

describe('a store is caught that', () => {
  for (const [what, habits] of Object.entries<Habits>({
    'answers reads with what was there before': { stale: 0.15 },
    'acknowledges writes that it does not do': { forgets: 0.2 },
    'does not look at conditions': { careless: 0.6 },
    'leaves objects out of listings': { hides: 0.2 },
  })) {
    test(what, async (t) => {
      const load = await loadOn(t, { ...habits, loses: 0.02 })
      await assert.rejects(load.verify(), /p0\d\/k\d: not linearizable\. /)
    })
  }
})
