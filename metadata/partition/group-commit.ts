import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { NextTurn } from '../../runtime/ports/next-turn.ts'
import {
  BatchTooLargeError,
  type Engine,
  type EngineEntry,
  EngineFullError,
  type Fence,
  FencedError,
} from '../engine/engine.ts'
import { keyName } from '../engine/key-name.ts'

/** What one request changes: all of it in one batch. */
export interface Change {
  readonly puts: readonly EngineEntry[]
  readonly deletes: readonly Uint8Array[]
  /** Called once, when the change is durable and before anyone is answered. */
  readonly onDurable?: () => void
}

/** A write that has not become durable yet; a null value is a delete. */
export interface PendingWrite {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

interface Batch {
  /** By the key's name; a later change of a key replaces the earlier. */
  readonly writes: Map<string, PendingWrite>
  readonly callbacks: (() => void)[]
  readonly durable: PromiseWithResolvers<undefined>
  bytes: number
  sealed: boolean
}

/** Called with each batch that has become durable, before its requests are answered. */
type Publish = (writes: ReadonlyMap<string, PendingWrite>) => void

/**
 * Gathers the changes of concurrent requests into one engine batch each time the one before has become durable, so
 * that one fsync serves all that arrived during the last.
 *
 * Until then their writes are pending: later decisions see them through {@link pending}; reads must not.
 *
 * An engine that fails leaves the outcome unknown, and every decision since was made on top of it: then all that is
 * pending fails, and so does every later change. Only a new owner, who reads what is really there, may go on. So it is where the
 * engine is full, though nothing was written then, and whoever waits is told so.
 */
export class GroupCommit {
  readonly #engine: Engine
  readonly #fence: Fence
  readonly #nextTurn: NextTurn
  readonly #publish: Publish
  /** In order; the first may be on its way to the disk, the last takes more changes. */
  #batches: Batch[] = []
  #running = false
  /** Batches that take no more changes, since the start. */
  #sealed = 0
  readonly #pauses: (() => Promise<void>)[] = []
  #failure: MetadataError | undefined
  #stopped: MetadataError | undefined
  readonly #ended = Promise.withResolvers<MetadataError>()

  constructor(engine: Engine, fence: Fence, nextTurn: NextTurn, publish: Publish) {
    this.#engine = engine
    this.#fence = fence
    this.#nextTurn = nextTurn
    this.#publish = publish
  }

  /** Resolves when nothing can be written any more, with the reason. Never rejects. */
  get ended(): Promise<MetadataError> {
    return this.#ended.promise
  }

  /** Whether changes are still taken: it was not stopped, and no commit has failed. */
  get open(): boolean {
    return this.#stopped === undefined && this.#failure === undefined
  }

  /** Takes no more changes. What was taken is written, or refused, as it would have been. */
  stop(): void {
    this.#stopped ??= new MetadataError(
      FailureCode.NOT_MINE,
      'this process does not serve the partition any more',
    )
    this.#ended.resolve(this.#stopped)
  }

  /** The write of a key that is still to become durable, the latest if there are several. */
  pending(name: string): PendingWrite | undefined {
    for (let index = this.#batches.length - 1; index >= 0; index--) {
      const write = this.#batches[index]?.writes.get(name)
      if (write !== undefined) return write
    }
    return undefined
  }

  /** @throws {MetadataError} NOT_MINE once it was stopped, or a commit has shown that another owner has taken over */
  assertOwner(): void {
    if (this.#stopped !== undefined) throw this.#stopped
    if (this.#failure?.code === FailureCode.NOT_MINE) throw this.#failure
  }

  /**
   * Puts a change behind all earlier ones. {@link settled} says when it is durable.
   * @throws {MetadataError} after the engine failed, or when the change is too large for one batch
   */
  enqueue(change: Change): void {
    if (this.#stopped !== undefined) throw this.#stopped
    if (this.#failure !== undefined) throw this.#failure
    const { operations, bytes } = sizeOf(change)
    const { limits } = this.#engine
    if (operations > limits.operations || bytes > limits.bytes) {
      throw new BatchTooLargeError(`a change of ${operations} operations and ${bytes} bytes fits in no batch`)
    }
    let batch = this.#batches.at(-1)
    if (
      batch === undefined ||
      batch.sealed ||
      batch.writes.size + operations > limits.operations ||
      batch.bytes + bytes > limits.bytes
    ) {
      batch = newBatch()
      this.#batches.push(batch)
    }
    for (const key of change.deletes) batch.writes.set(keyName(key), { key, value: null })
    for (const { key, value } of change.puts) batch.writes.set(keyName(key), { key, value })
    batch.bytes += bytes
    if (change.onDurable !== undefined) batch.callbacks.push(change.onDurable)
    if (!this.#running) void this.#run()
  }

  /** Number of the batch that the next change goes into, unless it goes into a later one. */
  get position(): number {
    return this.#sealed
  }

  /**
   * Resolves when everything enqueued so far is durable.
   * @param since the {@link position} before the first change that the caller enqueued, if it did
   * @throws {MetadataError} NOT_MINE when another owner has taken over, READ_ONLY when the engine is full, and none of the caller's
   *   changes was written; UNAVAILABLE when they may have been, or the engine failed
   */
  async settled(since = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#failure === undefined) {
      try {
        await this.#batches.at(-1)?.durable.promise
        return
      } catch {
        // As every wait from now on.
      }
    }
    throw this.#failureSince(since)
  }

  /** Runs something between two batches: those before are durable, and whoever waits for them was told; none after has begun. */
  between<T>(run: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#pauses.push(() => run().then(resolve, reject))
    if (!this.#running) void this.#run()
    return promise
  }

  async #run(): Promise<void> {
    this.#running = true
    for (;;) {
      for (let pause = this.#pauses.shift(); pause !== undefined; pause = this.#pauses.shift()) await pause()
      const batch = this.#batches[0]
      if (batch === undefined) break
      // The requests that the last batch's answers set off arrive in this turn: let them all in.
      await this.#nextTurn()
      batch.sealed = true
      this.#sealed++
      try {
        await this.#engine.commit({ fence: this.#fence, ...split(batch) })
      } catch (error) {
        this.#fail(error)
        continue
      }
      this.#batches.shift()
      this.#publish(batch.writes)
      for (const callback of batch.callbacks) callback()
      batch.durable.resolve(undefined)
    }
    this.#running = false
  }

  /** The batch that was refused is the last one sealed: what came in before it is durable. */
  #failureSince(since: number): MetadataError {
    const failure =
      this.#failure ?? new MetadataError(FailureCode.INTERNAL, 'a batch failed that nothing was said of')
    if (failure.code === FailureCode.UNAVAILABLE || since >= this.#sealed - 1) return failure
    return new MetadataError(
      FailureCode.UNAVAILABLE,
      failure.code === FailureCode.NOT_MINE
        ? 'another owner took this partition over meanwhile: the outcome is unknown'
        : 'the metadata engine became full meanwhile: the outcome is unknown',
      {},
      { cause: failure },
    )
  }

  #fail(error: unknown): void {
    this.#failure = failureOf(error)
    const failed = this.#batches
    this.#batches = []
    for (const { durable } of failed) durable.reject(this.#failure)
    this.#ended.resolve(this.#failure)
  }
}

/** What a commit that failed means: whether nothing was written, or nobody knows. */
function failureOf(cause: unknown): MetadataError {
  if (cause instanceof FencedError) {
    return new MetadataError(
      FailureCode.NOT_MINE,
      'another owner has taken this partition over',
      {},
      { cause },
    )
  }
  if (cause instanceof EngineFullError) {
    return new MetadataError(FailureCode.READ_ONLY, 'the metadata engine is full', {}, { cause })
  }
  return new MetadataError(
    FailureCode.UNAVAILABLE,
    'the metadata engine failed: the outcome is unknown',
    {},
    { cause },
  )
}

function newBatch(): Batch {
  const durable = Promise.withResolvers<undefined>()
  // A batch that nobody waits for may fail, too: those who come later hear of it from `enqueue`.
  durable.promise.catch(() => undefined)
  return { writes: new Map(), callbacks: [], durable, bytes: 0, sealed: false }
}

function sizeOf({ puts, deletes }: Change): { operations: number; bytes: number } {
  let bytes = 0
  for (const { key, value } of puts) bytes += key.length + value.length
  for (const key of deletes) bytes += key.length
  return { operations: puts.length + deletes.length, bytes }
}

function split({ writes }: Batch): { puts: EngineEntry[]; deletes: Uint8Array[] } {
  const puts: EngineEntry[] = []
  const deletes: Uint8Array[] = []
  for (const { key, value } of writes.values()) {
    if (value === null) deletes.push(key)
    else puts.push({ key, value })
  }
  return { puts, deletes }
}
