import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { mapInParallel } from './map-in-parallel.ts'

test('results in order of items, never more in flight than allowed, whichever ends first', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.nat()),
    fc.integer({ min: 1, max: 5 }),
    fc.scheduler(),
    async (items, inFlightMax, scheduler) => {
      let inFlight = 0
      let most = 0
      const mapped = mapInParallel(items, inFlightMax, async (item) => {
        most = Math.max(most, (inFlight += 1))
        await scheduler.schedule(Promise.resolve())
        inFlight--
        return item * 2
      })
      await scheduler.waitFor(mapped)
      assert.deepEqual(
        await mapped,
        items.map((item) => item * 2),
      )
      assert.equal(most, Math.min(inFlightMax, items.length))
    },
  )
  await fc.assert(property)
})

test('after a rejection nothing more is begun', async () => {
  const begun: number[] = []
  const mapped = mapInParallel([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item)
    await Promise.resolve()
    if (item === 2) throw new Error('two')
  })
  await assert.rejects(mapped, /two/)
  assert.deepEqual(begun.slice(0, 2), [1, 2])
  assert.ok(begun.length < 5)
})
