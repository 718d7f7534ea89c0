import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Engine, type EngineEntry, FencedError } from '../../metadata/engine/engine.ts'

/** The part of the engine's contract that several commits under way at once put to the test. */

const FENCE = utf8('\0fence')
const DATA = { gte: utf8('a'), lt: utf8('z'), limit: 1000 }

function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

function entry(key: string, value: string): EngineEntry {
  return { key: utf8(key), value: utf8(value) }
}

async function textsOf(engine: Engine): Promise<Map<string, string>> {
  const entries = await engine.scan(DATA)
  return new Map(
    entries.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]),
  )
}

/** Makes `token` the owner. @returns false when somebody else was faster */
async function take(engine: Engine, token: string): Promise<boolean> {
  const held = await engine.get(FENCE)
  return await isDone(
    engine.commit({
      fence: { key: FENCE, token: held },
      puts: [{ key: FENCE, value: utf8(token) }],
      deletes: [],
    }),
  )
}

/** Whether the fence held. */
async function isDone(commit: Promise<void>): Promise<boolean> {
  try {
    await commit
    return true
  } catch (error) {
    if (error instanceof FencedError) return false
    throw error
  }
}

/** @param rounds how often each race is run */
export function fencingContract(
  withEngine: (run: (engine: Engine) => Promise<void>) => Promise<void>,
  rounds: number,
): void {
  it('lets no commit of the owner before follow a take-over', () =>
    withEngine(async (engine) => {
      for (let round = 0; round < rounds; round++) {
        assert.equal(await take(engine, `old ${round}`), true)
        const fence = { key: FENCE, token: utf8(`old ${round}`) }
        const gone = [...(await textsOf(engine)).keys()].map(utf8)
        await engine.commit({ fence, puts: [], deletes: gone })
        const commits = Array.from({ length: 12 }, (_, index) =>
          isDone(engine.commit({ fence, puts: [entry(`k${index}`, 'v')], deletes: [] })),
        )
        // In the midst of them: it waits for as many as the round says.
        await Promise.all(commits.slice(0, round % 4))
        assert.equal(await take(engine, `new ${round}`), true)
        const after = await textsOf(engine)
        const done = await Promise.all(commits)
        assert.deepEqual(await textsOf(engine), after)
        for (const [index, isThere] of done.entries()) assert.equal(after.has(`k${index}`), isThere)
      }
    }))

  it('loses no update while owners follow one another', () =>
    withEngine(async (engine) => {
      let acknowledged = 0
      let takeovers = 0
      async function owner(name: string): Promise<void> {
        for (let turn = 0; turn < rounds; turn++) {
          const token = `${name} ${turn}`
          if (!(await take(engine, token))) continue
          takeovers++
          let count = Number((await textsOf(engine)).get('count') ?? 0)
          for (let write = 0; write < 5; write++) {
            const done = await isDone(
              engine.commit({
                fence: { key: FENCE, token: utf8(token) },
                puts: [entry('count', String(++count))],
                deletes: [],
              }),
            )
            if (!done) break
            acknowledged++
          }
        }
      }
      await Promise.all(['a', 'b', 'c'].map(owner))
      assert.ok(takeovers > 0)
      assert.equal(Number((await textsOf(engine)).get('count') ?? 0), acknowledged)
    }))

  it('does concurrent batches under one fence one after another, whole', () =>
    withEngine(async (engine) => {
      assert.equal(await take(engine, 'owner'), true)
      const fence = { key: FENCE, token: utf8('owner') }
      const keys = Array.from({ length: 5 }, (_, index) => `k${index}`)
      for (let round = 0; round < rounds; round++) {
        await Promise.all(
          Array.from({ length: 6 }, (_, index) => {
            const name = `${index % 2 === 0 ? 'put' : 'delete'} ${index}`
            const last = entry('last', name)
            return engine.commit(
              index % 2 === 0
                ? { fence, puts: [last, ...keys.map((key) => entry(key, name))], deletes: [] }
                : { fence, puts: [last], deletes: keys.map(utf8) },
            )
          }),
        )
        const { last = '', ...rest } = Object.fromEntries(await textsOf(engine))
        const wanted = last.startsWith('put') ? keys.map((key) => [key, last]) : []
        assert.deepEqual(rest, Object.fromEntries(wanted))
      }
    }))

  it('lets nothing be written where a key is not to be, once it is', () =>
    withEngine(async (engine) => {
      for (let round = 0; round < rounds; round++) {
        const key = utf8(`\0fence ${round}`)
        const fence = { key, token: undefined }
        const writers = Array.from({ length: 4 }, (_, index) =>
          isDone(engine.commit({ fence, puts: [entry(`w${round}-${index}`, 'v')], deletes: [] })),
        )
        const taken = await isDone(engine.commit({ fence, puts: [{ key, value: utf8('me') }], deletes: [] }))
        const after = await textsOf(engine)
        const done = await Promise.all(writers)
        // Whoever was there for a moment only may have kept the taker out, or some of the others.
        if (taken) assert.deepEqual(await textsOf(engine), after)
        for (const [index, isThere] of done.entries()) {
          assert.equal((await textsOf(engine)).has(`w${round}-${index}`), isThere)
        }
        assert.equal((await engine.get(key)) !== undefined, taken)
      }
    }))
}
