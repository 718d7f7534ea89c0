import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { ENGINE_BATCH_OPERATIONS_MIN, ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import {
  BatchTooLargeError,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  FencedError,
} from '../../metadata/engine/engine.ts'
import { fencingContract } from './engine-fencing.ts'
import { groupContract } from './engine-groups.ts'

/** Opens an empty engine, and closes and removes it. */
export type EngineFactory = () => Promise<{ engine: Engine; dispose: () => Promise<void> }>

const FENCE_KEY = Uint8Array.of(0, 0, 0, 0)
const OPEN = { key: FENCE_KEY, token: undefined }

function batch(puts: Record<string, string>, deletes: readonly string[] = []): EngineBatch {
  const entries = Object.entries(puts).map(([key, value]) => ({ key: bytes(key), value: bytes(value) }))
  return { fence: OPEN, puts: entries, deletes: deletes.map(bytes) }
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('latin1')
}

function texts(entries: readonly EngineEntry[]): [string | undefined, string | undefined][] {
  return entries.map(({ key, value }) => [textOf(key), textOf(value)])
}

/** How much of the contract is run: less where each engine takes long to open, or each commit to become durable. */
export interface ContractEffort {
  /** Histories of random batches and scans. */
  readonly histories: number
  /** Rounds of each race. */
  readonly rounds: number
}

/** What every driver of the engine must do. */
export function engineContract(
  name: string,
  open: EngineFactory,
  { histories, rounds: races }: ContractEffort = { histories: 60, rounds: 30 },
): void {
  async function withEngine(run: (engine: Engine) => Promise<void>): Promise<void> {
    const { engine, dispose } = await open()
    try {
      await run(engine)
    } finally {
      await dispose()
    }
  }

  describe(`engine: ${name}`, () => {
    it('agrees with a sorted map, whatever is put, deleted, read and scanned', async () => {
      const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 255 })
      const value = fc.uint8Array({ maxLength: 4 })
      const change = fc.record({
        puts: fc.uniqueArray(fc.record({ key, value }), {
          selector: (entry) => String(entry.key),
          maxLength: 6,
        }),
        deletes: fc.array(key, { maxLength: 3 }),
      })
      const scan = fc.record({ a: key, b: key, limit: fc.nat(6), reverse: fc.boolean() })
      await fc.assert(
        fc.asyncProperty(
          fc.array(change, { maxLength: 8 }),
          fc.array(scan, { maxLength: 6 }),
          (changes, scans) =>
            withEngine(async (engine) => {
              const model = new Map<string, EngineEntry>()
              for (const { puts, deletes } of changes) {
                const put = new Set(puts.map((entry) => textOf(entry.key)))
                const gone = [...new Map(deletes.map((one) => [textOf(one), one])).values()].filter(
                  (one) => !put.has(textOf(one)),
                )
                await engine.commit({ fence: OPEN, puts, deletes: gone })
                for (const one of gone) model.delete(textOf(one) ?? '')
                for (const entry of puts) model.set(textOf(entry.key) ?? '', entry)
              }
              const sorted = [...model.values()].sort((left, right) => compareBytes(left.key, right.key))
              for (const { key: at, value: wanted } of sorted) {
                assert.equal(textOf(await engine.get(at)), textOf(wanted))
              }
              for (const { a, b, limit, reverse } of scans) {
                const [gte, lt] = compareBytes(a, b) < 0 ? [a, b] : [b, a]
                const inside = sorted.filter(
                  (one) => compareBytes(gte, one.key) <= 0 && compareBytes(one.key, lt) < 0,
                )
                const wanted = (reverse ? inside.reverse() : inside).slice(0, limit)
                assert.deepEqual(texts(await engine.scan({ gte, lt, limit, reverse })), texts(wanted))
              }
            }),
        ),
        { numRuns: histories },
      )
    })

    it('scans several ranges in one snapshot: what moves between them is seen once, wherever it is', () =>
      withEngine(async (engine) => {
        await engine.commit(batch({ a1: 'v' }))
        const rounds = { left: races * 7 }
        async function move(): Promise<void> {
          for (; rounds.left > 0; rounds.left--) {
            await engine.commit(batch({ b1: 'v' }, ['a1']))
            await engine.commit(batch({ a1: 'v' }, ['b1']))
          }
        }
        async function look(): Promise<void> {
          while (rounds.left > 0) {
            const ranges = ['b', 'a'].map((letter) => ({
              gte: bytes(letter),
              lt: bytes(`${letter}\xff`),
              limit: 2,
            }))
            const [b = [], a = []] = await engine.scanTogether(ranges)
            assert.equal(a.length + b.length, 1)
            await new Promise(setImmediate)
          }
        }
        await Promise.all([move(), look(), look()])
        assert.deepEqual(await engine.scanTogether([]), [])
      }))

    it('orders keys by unsigned bytes, a shorter one first', () =>
      withEngine(async (engine) => {
        const keys = ['\xff', 'a\0', '\x7f', 'a', '\x80', 'a\0\0', 'b', '\x01']
        await engine.commit(batch(Object.fromEntries(keys.map((key) => [key, '']))))
        const found = await engine.scan({ gte: bytes('\x01'), lt: bytes('\xff\xff'), limit: 100 })
        assert.deepEqual(
          found.map((entry) => textOf(entry.key)),
          ['\x01', 'a', 'a\0', 'a\0\0', 'b', '\x7f', '\x80', '\xff'],
        )
      }))

    it('finds nothing where nothing is, and an empty value where one was put', () =>
      withEngine(async (engine) => {
        assert.equal(await engine.get(bytes('a')), undefined)
        await engine.commit(batch({ a: '' }))
        assert.deepEqual(new Uint8Array((await engine.get(bytes('a'))) ?? [9]), new Uint8Array())
        assert.deepEqual(await engine.scan({ gte: bytes('b'), lt: bytes('a'), limit: 10 }), [])
      }))

    it('writes all of a batch or, when the fence does not hold, nothing', () =>
      withEngine(async (engine) => {
        const token = bytes('one')
        await engine.commit({ fence: OPEN, puts: [{ key: FENCE_KEY, value: token }], deletes: [] })
        await engine.commit({ ...batch({ a: '1', b: '2' }), fence: { key: FENCE_KEY, token } })
        for (const stale of [undefined, bytes('two'), bytes('on'), bytes('onee'), bytes('')]) {
          const refused = engine.commit({
            ...batch({ a: 'x', c: 'x' }, ['b']),
            fence: { key: FENCE_KEY, token: stale },
          })
          await assert.rejects(refused, FencedError)
        }
        assert.deepEqual(texts(await engine.scan({ gte: bytes('a'), lt: bytes('z'), limit: 10 })), [
          ['a', '1'],
          ['b', '2'],
        ])
      }))

    it('lets exactly one of many take a fence', () =>
      withEngine(async (engine) => {
        const takers = Array.from({ length: 20 }, (_, index) => bytes(`owner ${index}`))
        const outcomes = await Promise.allSettled(
          takers.map((token) =>
            engine.commit({ fence: OPEN, puts: [{ key: FENCE_KEY, value: token }], deletes: [] }),
          ),
        )
        const won = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
        assert.equal(won.length, 1)
        assert.equal(textOf(await engine.get(FENCE_KEY)), `owner ${String(won[0])}`)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof FencedError)
        }
      }))

    it('never shows half of a batch to a scan', () =>
      withEngine(async (engine) => {
        const keys = Array.from({ length: 20 }, (_, index) => `k${String(index).padStart(2, '0')}`)
        let written = 0
        async function write(): Promise<void> {
          for (let round = 0; round < 30; round++) {
            await engine.commit(batch(Object.fromEntries(keys.map((key) => [key, String(round)]))))
            written++
          }
        }
        async function read(): Promise<void> {
          for (let done = false; !done; done = written === 30) {
            const entries = await engine.scan({ gte: bytes('k'), lt: bytes('l'), limit: 100 })
            assert.ok(new Set(entries.map((entry) => textOf(entry.value))).size <= 1)
            assert.ok(entries.length === 0 || entries.length === keys.length)
            // The memory engine answers within the turn: let the writer have one.
            await new Promise(setImmediate)
          }
        }
        await Promise.all([write(), read(), read()])
      }))

    it('shows a batch to every read that begins after its commit', () =>
      withEngine(async (engine) => {
        for (let round = 0; round < 20; round++) {
          await engine.commit(batch({ a: String(round) }))
          assert.equal(textOf(await engine.get(bytes('a'))), String(round))
        }
      }))

    it('keeps its own copies', () =>
      withEngine(async (engine) => {
        const key = bytes('a')
        const value = bytes('1')
        await engine.commit({ fence: OPEN, puts: [{ key, value }], deletes: [] })
        key[0] = 0x7a
        value[0] = 0x7a
        const read = await engine.get(bytes('a'))
        assert.equal(textOf(read), '1')
        read?.fill(0)
        assert.equal(textOf(await engine.get(bytes('a'))), '1')
      }))

    it('takes a batch as large as every engine must, and refuses one beyond its limits whole', () =>
      withEngine(async (engine) => {
        assert.ok(engine.limits.operations >= ENGINE_BATCH_OPERATIONS_MIN)
        const entries = Array.from({ length: engine.limits.operations + 1 }, (_, index): [string, string] => [
          `k${index}`,
          '',
        ])
        await assert.rejects(engine.commit(batch(Object.fromEntries(entries))), BatchTooLargeError)
        const large = { key: bytes('large'), value: new Uint8Array(engine.limits.bytes) }
        await assert.rejects(engine.commit({ fence: OPEN, puts: [large], deletes: [] }), BatchTooLargeError)
        assert.deepEqual(await engine.scan({ gte: bytes('k'), lt: bytes('m'), limit: 1 }), [])
        await engine.commit(batch(Object.fromEntries(entries.slice(1))))
        const found = await engine.scan({ gte: bytes('k'), lt: bytes('l'), limit: ENGINE_SCAN_ENTRIES_MAX })
        assert.equal(found.length, Math.min(engine.limits.operations, ENGINE_SCAN_ENTRIES_MAX))
      }))

    it('keeps a snapshot as it was, whatever is committed meanwhile, for as long as it is open', () =>
      withEngine(async (engine) => {
        await engine.commit(batch({ a: '1', b: '1', c: '1' }))
        const snapshot = await engine.openSnapshot()
        await engine.commit(batch({ a: '2', d: '2' }, ['b']))
        const all = { gte: bytes('a'), lt: bytes('z'), limit: 2 }
        assert.deepEqual(texts(await snapshot.scan(all)), [
          ['a', '1'],
          ['b', '1'],
        ])
        await engine.commit(batch({ c: '3' }))
        assert.deepEqual(texts(await snapshot.scan({ ...all, gte: bytes('b\0') })), [['c', '1']])
        assert.deepEqual(texts(await snapshot.scan({ ...all, reverse: true, limit: 1 })), [['c', '1']])
        await assert.rejects(snapshot.scan({ ...all, limit: ENGINE_SCAN_ENTRIES_MAX + 1 }), RangeError)
        await snapshot.close()
        await snapshot.close()
        assert.deepEqual(texts(await engine.scan(all)), [
          ['a', '2'],
          ['c', '3'],
        ])
      }))

    it('tells of keys that are watched, until it is told not to', () =>
      withEngine(async (engine) => {
        const told: string[] = []
        const first = Promise.withResolvers<undefined>()
        const stop = engine.watch(bytes('a'), () => {
          told.push('a')
          first.resolve(undefined)
        })
        await engine.commit(batch({ a: '1' }))
        await first.promise
        stop()
        const second = Promise.withResolvers<undefined>()
        const stopSecond = engine.watch(bytes('a'), () => {
          second.resolve(undefined)
        })
        const before = told.length
        await engine.commit(batch({}, ['a']))
        await second.promise
        stopSecond()
        assert.equal(told.length, before)
      }))

    it('estimates what lies in a range, where it can', () =>
      withEngine(async (engine) => {
        const empty = await engine.estimate({ gte: bytes('a'), lt: bytes('z') })
        assert.ok((empty.entries ?? 0) === 0)
        await engine.commit(batch({ a: 'x'.repeat(1000), b: 'y' }))
        for (const { gte, lt } of [
          { gte: bytes('a'), lt: bytes('z') },
          { gte: bytes('z'), lt: bytes('a') },
        ]) {
          const { entries = 0, bytes: size = 0 } = await engine.estimate({ gte, lt })
          assert.ok(entries >= 0 && size >= 0)
        }
      }))

    it('refuses a scan without bound', () =>
      withEngine(async (engine) => {
        for (const limit of [ENGINE_SCAN_ENTRIES_MAX + 1, -1, Number.NaN]) {
          await assert.rejects(engine.scan({ gte: bytes('a'), lt: bytes('b'), limit }), RangeError)
        }
      }))

    fencingContract(withEngine, races)
    groupContract(withEngine)

    it('refuses calls once it is closed, and finishes those before', async () => {
      const { engine, dispose } = await open()
      const committing = engine.commit(batch({ a: '1' }))
      await Promise.all([committing, engine.close()])
      await assert.rejects(engine.get(bytes('a')))
      await assert.rejects(engine.commit(batch({ a: '2' })))
      await dispose()
    })
  })
}
