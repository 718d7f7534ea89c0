import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deadSegments, type LogRecord } from './plan.ts'
import { MemoryIndex } from './memory-index.ts'
import type { SegmentUse } from './shard-index.ts'
import { IndexWriter } from './writer.ts'

const blobOf = (number: number): string => number.toString(16).padStart(32, '0')

interface Step {
  readonly kind: 'put' | 'tombstone'
  readonly blob: number
  readonly shard: number
  readonly bytes: number
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('put', 'put', 'put', 'tombstone'),
    blob: fc.nat(2),
    shard: fc.nat(2),
    bytes: fc.nat(50),
  }),
  { maxLength: 40 },
)

/** A log of three records a segment. */
function logOf(list: readonly Step[]): LogRecord[] {
  return list.map(({ kind, blob, shard, bytes }, i) => {
    const put = kind === 'put'
    const offset = 512 + (i % 3) * 100
    return {
      kind,
      address: { group: 1, blob: blobOf(blob), stripe: 0, shard: put ? shard : 0 },
      location: {
        segment: 1 + Math.floor(i / 3),
        offset,
        ownerBytes: 0,
        dataBytes: put ? bytes : 0,
        sequence: i + 1,
      },
      end: offset + 100,
    }
  })
}

/** What should be left, by the definition: the last put of a shard after the last tombstone of its blob. */
function expected(log: readonly LogRecord[]): Map<string, number> {
  const living = new Map<string, number>()
  for (const { kind, address, location } of log) {
    if (kind === 'put') living.set(`${address.blob}/${address.shard}`, location.sequence)
    else for (const name of living.keys()) if (name.startsWith(address.blob)) living.delete(name)
  }
  return living
}

async function contentOf(index: MemoryIndex): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for await (const { address, location } of index.entries()) {
    found.set(`${address.blob}/${address.shard}`, location.sequence)
  }
  return found
}

async function usesOf(index: MemoryIndex): Promise<SegmentUse[]> {
  const uses = new Map<number, SegmentUse>()
  await index.checkpoint({ segment: 1, offset: 512, sequence: 0 })
  for (const use of (await index.state())?.uses ?? []) uses.set(use.segment, use)
  return [...uses.values()].toSorted((a, b) => a.segment - b.segment)
}

test('however the log is cut into groups, the index and its accounts come out the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (list, groups) => {
        const log = logOf(list)
        const index = new MemoryIndex()
        const writer = new IndexWriter(index, [])
        const removed: number[] = []
        for (let at = 0, i = 0; at < log.length; i++) {
          const size = groups[i % groups.length] ?? 1
          removed.push(...(await writer.apply(log.slice(at, at + size))).removed)
          at += size
        }
        const living = expected(log)
        assert.deepEqual(await contentOf(index), living)
        const { shards, liveBytes } = writer.totals()
        assert.equal(shards, living.size)
        const bytes = log.filter(({ location }) => [...living.values()].includes(location.sequence))
        assert.equal(
          liveBytes,
          bytes.reduce((sum, { location }) => sum + location.dataBytes, 0),
        )
        for (const [i, record] of log.entries()) {
          const before = expected(log.slice(0, i)).size
          const buried = record.kind === 'tombstone' ? before - expected(log.slice(0, i + 1)).size : 0
          assert.equal(removed[i], buried)
        }
      },
    ),
  )
})

test('a stretch of the log that the index already knows changes nothing when it is replayed', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(40), async (list, from) => {
      const log = logOf(list)
      const index = new MemoryIndex()
      const writer = new IndexWriter(index, [])
      await writer.apply(log)
      const [content, uses] = [await contentOf(index), await usesOf(index)]
      for (const record of log.slice(from)) await writer.apply([record])
      assert.deepEqual(await contentOf(index), content)
      assert.deepEqual(await usesOf(index), uses)
    }),
  )
})

test('removing dead segments never brings back what was deleted, nor loses what lives', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const log = logOf(list)
      const writer = new IndexWriter(new MemoryIndex(), [])
      await writer.apply(log)
      const dead = deadSegments(writer.uses.values(), log.at(-1)?.location.segment ?? 0)
      const left = log.filter(({ location }) => !dead.includes(location.segment))
      assert.deepEqual(expected(left), expected(log))
    }),
  )
})
