import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MemoryIndex } from './memory-index.ts'
import { deadSegments, type LogRecord, needsTombstones } from './plan.ts'
import type { SegmentUse } from './shard-index.ts'
import { IndexWriter } from './writer.ts'

const blobOf = (number: number): string => number.toString(16).padStart(32, '0')
const nameOf = ({ address }: LogRecord): string => `${address.blob}/${address.stripe}/${address.shard}`

const RECORDS_PER_SEGMENT = 3

type Step =
  | { readonly do: LogRecord['kind']; readonly blob: number; readonly shard: number; readonly bytes: number }
  /** Copies up to `count` records that are needed of the `nth` segment, the living first, as compaction does. */
  | { readonly do: 'copy'; readonly nth: number; readonly count: number }
  | { readonly do: 'remove' }

const fresh = fc.record({
  do: fc.constantFrom<LogRecord['kind']>('put', 'put', 'put', 'tombstone', 'shard-tombstone'),
  blob: fc.nat(1),
  shard: fc.nat(1),
  bytes: fc.nat(50),
})
const copy = fc.record({ do: fc.constant('copy' as const), nth: fc.nat(4), count: fc.nat(4) })
const remove = fc.record({ do: fc.constant('remove' as const) })
const steps = fc.array(
  fc.oneof({ weight: 6, arbitrary: fresh }, { weight: 3, arbitrary: copy }, { weight: 1, arbitrary: remove }),
  { maxLength: 60 },
)
/** Without removals: for what needs the whole log. */
const growing = fc.array(fc.oneof({ weight: 6, arbitrary: fresh }, { weight: 3, arbitrary: copy }), {
  maxLength: 60,
})

/** A log, and what a client of it would say lives: by the definition, without places, copies or segments. */
class Model {
  readonly log: LogRecord[] = []
  readonly living = new Map<string, number>()
  /** How many shards each record of the log removed, if it is no copy. */
  readonly removed: number[] = []
  #written = 0
  #sequence = 0

  fresh(step: Step & { do: LogRecord['kind'] }): void {
    const shard = step.do === 'tombstone' ? 0 : step.shard
    const address = { group: 1, blob: blobOf(step.blob), stripe: 0, shard }
    const before = this.living.size
    const record = this.#append(step.do, address, step.do === 'put' ? step.bytes : 0)
    if (step.do === 'put') this.living.set(nameOf(record), record.location.sequence)
    else if (step.do === 'shard-tombstone') this.living.delete(nameOf(record))
    else for (const name of this.living.keys()) if (name.startsWith(address.blob)) this.living.delete(name)
    this.removed.push(step.do === 'put' ? 0 : before - this.living.size)
  }

  segments(): number[] {
    return [...new Set(this.log.map(({ location }) => location.segment))]
  }

  /** The records of a segment that compaction would copy: those that hold, or the tombstones once nothing lives there. */
  needed(segment: number, uses: ReadonlyMap<number, SegmentUse>): LogRecord[] {
    const mine = this.log.filter(({ location }) => location.segment === segment)
    const living = mine.filter((record) => this.#lastOf(record) === record)
    if (living.length > 0) return living
    const oldestOther = Math.min(...[...uses.keys()].filter((other) => other !== segment))
    return mine.filter(({ kind, origin }) => kind !== 'put' && origin >= oldestOther)
  }

  copy(record: LogRecord): void {
    const { kind, address, location, origin } = record
    this.#append(kind, address, location.dataBytes, { sequence: location.sequence, origin })
    this.removed.push(0)
  }

  /** As {@link placesOf}. */
  places(): string[] {
    const held = this.log.filter((record) => this.#lastOf(record) === record)
    return held.map(({ address, location }) => JSON.stringify([address, location])).toSorted()
  }

  /** The record in the log that holds the shard, the last of the copies. */
  #lastOf(record: LogRecord): LogRecord | undefined {
    const lives = record.kind === 'put' && this.living.get(nameOf(record)) === record.location.sequence
    if (!lives) return undefined
    return this.log.findLast(
      (other) => other.kind === 'put' && other.location.sequence === record.location.sequence,
    )
  }

  #append(
    kind: LogRecord['kind'],
    address: LogRecord['address'],
    dataBytes: number,
    copyOf?: { sequence: number; origin: number },
  ): LogRecord {
    const place = this.#written++
    const segment = 1 + Math.floor(place / RECORDS_PER_SEGMENT)
    const offset = 512 + (place % RECORDS_PER_SEGMENT) * 200
    const sequence = copyOf?.sequence ?? ++this.#sequence
    const location = { segment, offset, ownerBytes: 7, dataBytes, sequence }
    const record = { kind, address, location, end: offset + 200, origin: copyOf?.origin ?? segment }
    this.log.push(record)
    return record
  }
}

interface Run {
  readonly model: Model
  readonly index: MemoryIndex
  readonly writer: IndexWriter
  /** What is left of the log. */
  left(): LogRecord[]
}

/** Plays the steps against a model and an index that hears of every record at once. */
async function play(list: readonly Step[], afterRemoval?: (run: Run) => Promise<void>): Promise<Run> {
  const model = new Model()
  const index = new MemoryIndex()
  const writer = new IndexWriter(index, [])
  const gone = new Set<number>()
  const emptied = new Set<number>()
  const run = {
    model,
    index,
    writer,
    left: () => model.log.filter(({ location }) => !gone.has(location.segment)),
  }
  for (const step of list) {
    const from = model.log.length
    if (step.do === 'copy') {
      const there = model.segments().filter((segment) => !gone.has(segment))
      const segment = there[step.nth % Math.max(1, there.length - 1)]
      if (segment === undefined || segment === there.at(-1)) continue
      const needed = model.needed(segment, writer.uses)
      for (const record of needed.slice(0, step.count)) model.copy(record)
      if (needed.length <= step.count && needed.every(({ kind }) => kind !== 'put')) emptied.add(segment)
    } else if (step.do === 'remove') {
      const active = model.log.at(-1)?.location.segment ?? 0
      for (const dead of deadSegments(writer.uses.values(), active, emptied)) {
        gone.add(dead)
        await writer.forgetSegment(dead)
        await afterRemoval?.(run)
      }
    } else model.fresh(step)
    await writer.apply(model.log.slice(from))
  }
  return run
}

async function contentOf(index: MemoryIndex): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for await (const { address, location } of index.entries()) {
    found.set(`${address.blob}/${address.stripe}/${address.shard}`, location.sequence)
  }
  return found
}

async function placesOf(index: MemoryIndex): Promise<string[]> {
  const found: string[] = []
  for await (const { address, location } of index.entries()) found.push(JSON.stringify([address, location]))
  return found.toSorted()
}

function usesOf(writer: IndexWriter): SegmentUse[] {
  return [...writer.uses.values()].toSorted((a, b) => a.segment - b.segment)
}

const byName = (content: Map<string, number>): [string, number][] =>
  [...content].toSorted(([a], [b]) => (a < b ? -1 : 1))

test('however the log is cut into groups, the index and its accounts come out the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      growing,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (list, groups) => {
        const one = await play(list)
        const { log, living } = one.model
        const index = new MemoryIndex()
        const writer = new IndexWriter(index, [])
        const removed: number[] = []
        for (let at = 0, i = 0; at < log.length; i++) {
          const size = groups[i % groups.length] ?? 1
          removed.push(...(await writer.apply(log.slice(at, at + size))).removed)
          at += size
        }
        assert.deepEqual(byName(await contentOf(index)), byName(living))
        assert.deepEqual(removed, one.model.removed)
        assert.deepEqual(await placesOf(index), one.model.places())
        assert.deepEqual(await placesOf(index), await placesOf(one.index))
        assert.deepEqual(usesOf(writer), usesOf(one.writer))
        const { shards, liveBytes } = writer.totals()
        assert.equal(shards, living.size)
        const originals = log.filter(({ kind, location, origin }) => {
          return (
            kind === 'put' && origin === location.segment && [...living.values()].includes(location.sequence)
          )
        })
        assert.equal(
          liveBytes,
          originals.reduce((sum, { location }) => sum + location.dataBytes, 0),
        )
      },
    ),
    { numRuns: 500 },
  )
})

test('a stretch of the log that the index already knows changes nothing when it is replayed', async () => {
  await fc.assert(
    fc.asyncProperty(growing, fc.nat(60), async (list, from) => {
      const { model, index, writer } = await play(list)
      const [places, uses] = [await placesOf(index), usesOf(writer)]
      for (const record of model.log.slice(from)) await writer.apply([record])
      assert.deepEqual(await placesOf(index), places)
      assert.deepEqual(usesOf(writer), uses)
    }),
  )
})

test('however segments are compacted and removed, a rebuild finds what lives, where the index says, and no more', async () => {
  async function rebuiltIsSame({ model, index, writer, left }: Run): Promise<void> {
    assert.deepEqual(byName(await contentOf(index)), byName(model.living))
    const anew = new MemoryIndex()
    const anewWriter = new IndexWriter(anew, [])
    await anewWriter.apply(left())
    assert.deepEqual(await placesOf(anew), await placesOf(index))
    assert.deepEqual(usesOf(anewWriter), usesOf(writer))
  }
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      await rebuiltIsSame(await play(list, rebuiltIsSame))
    }),
    { numRuns: 2000 },
  )
})

for (const kind of ['tombstone', 'shard-tombstone'] as const) {
  test(`a copy of a ${kind} leaves what was put again after its original`, async () => {
    const model = new Model()
    const step = { blob: 0, shard: 0, bytes: 1 }
    model.fresh({ ...step, do: 'put' })
    model.fresh({ ...step, do: kind })
    model.fresh({ ...step, do: 'put' })
    model.copy(model.log[1] ?? assert.fail())
    const writer = new IndexWriter(new MemoryIndex(), [])
    for (const record of model.log) await writer.apply([record])
    assert.deepEqual((await writer.apply(model.log)).removed, [0, 0, 0, 0])
    assert.equal(writer.totals().shards, 1)
  })
}

test('tombstones are needed while a segment exists that they bury something in', () => {
  const use = (segment: number, buries: number, liveShards = 0): SegmentUse => {
    const bytes = 100 * liveShards
    return {
      segment,
      liveShards,
      liveBytes: bytes,
      liveRecordBytes: bytes,
      tombstoneBytes: 64,
      buries,
      end: 900,
    }
  }
  assert.ok(needsTombstones(use(5, 5), 1))
  assert.ok(!needsTombstones(use(5, 2), 3))
  assert.deepEqual(deadSegments([use(1, 0, 1), use(2, 2), use(3, 3)], 9), [])
  assert.deepEqual(deadSegments([use(1, 0, 0), use(2, 2), use(3, 3)], 9), [1, 2, 3])
  // A copy of tombstones of segment 1: what was in segment 2 has nothing to do with them.
  assert.deepEqual(deadSegments([use(2, 0, 1), use(3, 1), use(4, 4)], 9), [3])
  assert.deepEqual(deadSegments([use(1, 0, 0), use(2, 2)], 2), [1])
})
