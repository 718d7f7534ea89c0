import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SegmentUse } from '../index/shard-index.ts'
import { after, begin, isDue, isUnderWay, NEVER_SCRUBBED, nextSegment, statusOf } from './progress.ts'

const DAY_MS = 24 * 60 * 60 * 1000

function useOf(segment: number): SegmentUse {
  return {
    segment,
    liveShards: 1,
    liveBytes: 1,
    end: 1000 + segment,
    liveRecordBytes: 1,
    tombstoneBytes: 0,
    buries: 0,
  }
}

test('a cycle looks at every segment that was there when it began and still is, once, in order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 30 })),
      fc.array(fc.record({ remove: fc.nat(40), add: fc.boolean() }), { maxLength: 40 }),
      (segments, changes) => {
        const there = new Set(segments)
        const uses = (): SegmentUse[] => [...there].map(useOf)
        let progress = begin(NEVER_SCRUBBED, uses(), 5)
        assert.equal(progress.cycle, 1)
        const seen: number[] = []
        let newest = Math.max(0, ...segments)
        for (let turn = 0; isUnderWay(progress); turn++) {
          const segment = nextSegment(progress, uses())
          if (segment !== undefined) seen.push(segment)
          progress = after(progress, segment, { bytes: 1000 + (segment ?? -1000), found: 1, nowMs: 9 })
          const { bytesDone, bytesTotal } = statusOf(progress, uses(), 0)
          assert.ok(bytesDone <= bytesTotal)
          const change = changes[turn]
          if (change === undefined) continue
          there.delete(change.remove)
          if (change.add) there.add(++newest)
        }
        assert.deepEqual(
          seen,
          seen.toSorted((a, b) => a - b),
        )
        assert.equal(new Set(seen).size, seen.length)
        assert.ok(seen.every((segment) => segments.includes(segment)))
        for (const segment of there) assert.equal(seen.includes(segment), segments.includes(segment))
        assert.equal(progress.completedMs, segments.length === 0 ? 5 : 9)
      },
    ),
  )
})

test('the next cycle is due so many days after the last began, and when the clock went back', () => {
  assert.ok(isDue(NEVER_SCRUBBED, 14, 0))
  const begun = begin(NEVER_SCRUBBED, [useOf(1)], 100 * DAY_MS)
  assert.ok(!isDue(begun, 14, 114 * DAY_MS - 1))
  assert.ok(isDue(begun, 14, 114 * DAY_MS))
  assert.ok(isDue(begun, 14, 99 * DAY_MS))
  assert.ok(!isUnderWay(begin(begun, [], 0)))
})
