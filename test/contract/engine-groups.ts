import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ENGINE_BATCH_BYTES_MAX } from '../../core/limits.ts'
import { type Engine, type EngineBatch, type EngineEntry, FencedError } from '../../metadata/engine/engine.ts'

/** The part of the engine's contract that batches under different fences, committed at the same moment, put to the test. */

function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

function entry(key: string, value: string): EngineEntry {
  return { key: utf8(key), value: utf8(value) }
}

/** What each of the commits came to. */
async function outcomes(engine: Engine, batches: readonly EngineBatch[]): Promise<string[]> {
  // Begun within one turn, behind one that is being written: nothing comes between them.
  const commits = batches.map((batch) => engine.commit(batch))
  return Promise.all(
    commits.map((commit) =>
      commit.then(
        () => 'done',
        (error: unknown) => {
          if (error instanceof FencedError) return 'fenced'
          throw error
        },
      ),
    ),
  )
}

/** Batches of partitions, whose fences are told apart. */
function of(partition: number, token: string | undefined, ...puts: EngineEntry[]): EngineBatch {
  const fence = { key: utf8(`\0fence ${partition}`), token: token === undefined ? undefined : utf8(token) }
  return { fence, puts, deletes: [] }
}

function taking(partition: number, token: string | undefined, next: string): EngineBatch {
  return of(partition, token, entry(`\0fence ${partition}`, next))
}

export function groupContract(withEngine: (run: (engine: Engine) => Promise<void>) => Promise<void>): void {
  it('leaves out of batches that come together only those whose own fence does not hold', () =>
    withEngine(async (engine) => {
      for (const partition of [1, 2, 3]) await engine.commit(taking(partition, undefined, 'me'))
      const came = await outcomes(engine, [
        of(1, 'me', entry('a', '1')),
        of(2, 'other', entry('a', '2'), entry('b', '2')),
        of(3, 'me', entry('c', '3')),
        of(2, undefined, entry('c', '2')),
        of(1, 'me', entry('d', '1')),
      ])
      assert.deepEqual(came, ['done', 'fenced', 'done', 'fenced', 'done'])
      const entries = await engine.scan({ gte: utf8('a'), lt: utf8('z'), limit: 10 })
      const texts = entries.map(({ key, value }) => Buffer.concat([key, value]).toString())
      assert.deepEqual(texts, ['a1', 'c3', 'd1'])
    }))

  it('tells batches that come together apart by the fences that others of them have changed', () =>
    withEngine(async (engine) => {
      await engine.commit(taking(1, undefined, 'old'))
      const takeOver = [of(1, 'old', entry('before', 'v')), taking(1, 'old', 'new')]
      // Engines of several connections may begin them in another order: whoever is ahead, a fence has one owner at a time.
      const [before, took, after, late, again] = await outcomes(engine, [
        ...takeOver,
        of(1, 'new', entry('after', 'v')),
        of(1, 'old', entry('late', 'v')),
        taking(1, 'old', 'other'),
      ])
      const has = async (key: string) => (await engine.get(utf8(key))) !== undefined
      const held = await engine.get(utf8('\0fence 1'))
      assert.equal([took, again].filter((one) => one === 'done').length, 1)
      assert.equal(Buffer.from(held ?? []).toString(), took === 'done' ? 'new' : 'other')
      if (took !== 'done') assert.equal(after, 'fenced')
      assert.equal(await has('before'), before === 'done')
      assert.equal(await has('after'), after === 'done')
      assert.equal(await has('late'), late === 'done')
    }))

  it('takes batches together that are larger than what shares a write', () =>
    withEngine(async (engine) => {
      for (const partition of [1, 2, 3]) await engine.commit(taking(partition, undefined, 'me'))
      const bytes = Math.min(engine.limits.bytes, ENGINE_BATCH_BYTES_MAX) - 1024
      const large = { key: utf8('large'), value: new Uint8Array(bytes) }
      const came = await outcomes(engine, [
        of(1, 'me', entry('a', '1')),
        of(2, 'me', large),
        of(3, 'me', entry('b', '1')),
        of(1, 'me', entry('c', '1')),
      ])
      assert.deepEqual(came, ['done', 'done', 'done', 'done'])
      assert.equal((await engine.get(large.key))?.length, bytes)
      for (const key of ['a', 'b', 'c']) assert.ok((await engine.get(utf8(key))) !== undefined)
    }))
}
