import assert from 'node:assert/strict'
import test from 'node:test'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { BatchTooLargeError, type EngineBatch, EngineFullError, FencedError } from '../engine/engine.ts'
import { MemoryEngine } from '../engine/memory.ts'
import { GroupCommit } from './group-commit.ts'
import { keyName } from '../engine/key-name.ts'

const FENCE = { key: Uint8Array.of(0), token: undefined }

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

function put(key: string, value: string) {
  return { puts: [{ key: bytes(key), value: bytes(value) }], deletes: [] }
}

/** An engine whose commits wait until they are let go, one by one. */
class HeldEngine extends MemoryEngine {
  readonly batches: EngineBatch[] = []
  readonly #gates: PromiseWithResolvers<undefined>[] = []

  override async commit(batch: EngineBatch): Promise<void> {
    this.batches.push(batch)
    const gate = Promise.withResolvers<undefined>()
    this.#gates.push(gate)
    await gate.promise
    await super.commit(batch)
  }

  /** Waits for the commit of this number to have begun, and lets it end. */
  async let(index: number, error?: Error): Promise<void> {
    while (this.#gates[index] === undefined) await nextTurn()
    if (error === undefined) this.#gates[index].resolve(undefined)
    else this.#gates[index].reject(error)
  }
}

test('changes that arrive during a commit share the next one', async () => {
  const engine = new HeldEngine()
  const commits = new GroupCommit(engine, FENCE, nextTurn, () => undefined)
  commits.enqueue(put('a', '1'))
  const first = commits.settled()
  while (engine.batches.length === 0) await nextTurn()
  for (const key of ['b', 'c', 'd']) commits.enqueue(put(key, '1'))
  const second = commits.settled()
  await engine.let(0)
  await first
  await engine.let(1)
  await second
  assert.deepEqual(
    engine.batches.map(({ puts }) => puts.length),
    [1, 3],
  )
})

test('a pending write is seen until it is durable; what is later wins, also within a batch', async () => {
  const engine = new HeldEngine()
  const published: string[] = []
  const commits = new GroupCommit(engine, FENCE, nextTurn, (writes) => {
    for (const { value } of writes.values()) {
      published.push(value === null ? 'gone' : Buffer.from(value).toString())
    }
  })
  const name = keyName(bytes('a'))
  const seen = () => {
    const value = commits.pending(name)?.value
    return value === null || value === undefined ? value : Buffer.from(value).toString()
  }
  commits.enqueue(put('a', '1'))
  while (engine.batches.length === 0) await nextTurn()
  assert.equal(seen(), '1')
  commits.enqueue(put('a', '2'))
  assert.equal(seen(), '2')
  commits.enqueue({ puts: [], deletes: [bytes('a')] })
  assert.equal(seen(), null)
  await engine.let(0)
  await engine.let(1)
  await commits.settled()
  assert.equal(seen(), undefined)
  assert.deepEqual(published, ['1', 'gone'])
  assert.equal(await engine.get(bytes('a')), undefined)
})

test('a batch never breaks the limits of the engine, and a change that would is refused alone', async () => {
  const engine = new MemoryEngine()
  const sizes: number[] = []
  const commits = new GroupCommit(engine, FENCE, nextTurn, (writes) => sizes.push(writes.size))
  const count = engine.limits.operations * 2 + 5
  for (let index = 0; index < count; index++) commits.enqueue(put(`k${index}`, ''))
  await commits.settled()
  assert.deepEqual(sizes, [engine.limits.operations, engine.limits.operations, 5])
  const large = { puts: [{ key: bytes('k'), value: new Uint8Array(engine.limits.bytes) }], deletes: [] }
  assert.throws(() => commits.enqueue(large), BatchTooLargeError)
  commits.enqueue(put('after', ''))
  await commits.settled()
})

test('when the engine fails, all that is pending fails, and nothing is accepted any more', async () => {
  for (const [error, code] of [
    [new Error('EIO'), FailureCode.UNAVAILABLE],
    [new FencedError(), FailureCode.NOT_MINE],
    [new EngineFullError('full'), FailureCode.READ_ONLY],
  ] as const) {
    const engine = new HeldEngine()
    let durable = 0
    const commits = new GroupCommit(engine, FENCE, nextTurn, () => undefined)
    const failed = (failure: unknown) => failure instanceof MetadataError && failure.code === code
    commits.enqueue({ ...put('a', '1'), onDurable: () => durable++ })
    const first = assert.rejects(commits.settled(), failed)
    while (engine.batches.length === 0) await nextTurn()
    commits.enqueue({ ...put('b', '1'), onDurable: () => durable++ })
    const second = assert.rejects(commits.settled(), failed)
    await engine.let(0, error)
    await Promise.all([first, second])
    assert.throws(() => commits.enqueue(put('c', '1')), failed)
    await assert.rejects(commits.settled(), failed)
    assert.equal(durable, 0)
    assert.equal(engine.batches.length, 1)
  }
})

for (const [what, error, expected] of [
  ['that another owner fenced out', new FencedError(), FailureCode.NOT_MINE],
  ['that found the engine full', new EngineFullError('full'), FailureCode.READ_ONLY],
] as const) {
  test(`a change that is durable is never answered as one ${what}, though a later one was`, async () => {
    const engine = new HeldEngine()
    const commits = new GroupCommit(engine, FENCE, nextTurn, () => undefined)
    const failsAs = (code: FailureCode) => (failure: unknown) =>
      failure instanceof MetadataError && failure.code === code
    const before = commits.position
    commits.enqueue(put('a', '1'))
    while (engine.batches.length === 0) await nextTurn()
    // The first change is on its way when its caller comes to wait, and a second is behind it.
    const between = commits.position
    commits.enqueue(put('b', '1'))
    const first = assert.rejects(commits.settled(before), failsAs(FailureCode.UNAVAILABLE))
    const second = assert.rejects(commits.settled(between), failsAs(expected))
    await engine.let(0)
    await engine.let(1, error)
    await Promise.all([first, second])
    await assert.rejects(commits.settled(before), failsAs(FailureCode.UNAVAILABLE))
    await assert.rejects(commits.settled(), failsAs(expected))
    assert.deepEqual(await engine.get(bytes('a')), bytes('1'))
    assert.equal(await engine.get(bytes('b')), undefined)
  })
}
