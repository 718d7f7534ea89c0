import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { S3_READS_PER_SECOND, S3_WRITES_PER_SECOND } from '../limits.ts'
import { RateWindow } from './rate-window.ts'

test('no second, wherever it begins, admits more than the limit; none is refused for which there is room', () => {
  const gap = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 400, noNaN: true }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(gap, { maxLength: 200 }), (limit, gaps) => {
      const window = new RateWindow(limit)
      const admitted: number[] = []
      let now = 0
      for (const wait of gaps) {
        now += wait
        const lately = admitted.filter((at) => now - at < 1000).length
        assert.equal(window.admit(now), lately < limit)
        if (lately < limit) admitted.push(now)
      }
    }),
  )
})

test('a steady stream of the figures of S3 passes whole, though it comes in clumps', () => {
  for (const limit of [S3_WRITES_PER_SECOND, S3_READS_PER_SECOND]) {
    for (const clump of [1, 50, 250, limit]) {
      const window = new RateWindow(limit)
      for (let sent = 0; sent < 3 * limit; sent++) {
        const at = Math.floor((Math.floor(sent / clump) * clump * 1000) / limit)
        assert.ok(window.admit(at), `request ${sent} of ${limit}/s in clumps of ${clump}`)
      }
    }
  }
})

test('twice the figure is halved, exactly', () => {
  const window = new RateWindow(S3_WRITES_PER_SECOND)
  const seconds = Array.from({ length: 10 }, () => 0)
  for (let sent = 0; sent < 70_000; sent++) {
    const at = sent / 7
    if (window.admit(at)) seconds[Math.floor(at / 1000)] = (seconds[Math.floor(at / 1000)] ?? 0) + 1
  }
  assert.deepEqual(
    seconds,
    Array.from({ length: 10 }, () => S3_WRITES_PER_SECOND),
  )
})
