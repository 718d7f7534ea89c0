/**
 * An object's bytes in order, one stripe ahead of the consumer.
 *
 * Memory: at most READ_STRIPES_MAX stripes of (k + m) shards of up to 1 MiB each: the stripe being consumed and the next.
 * All reads together share READ_BUFFER_BYTES of stripes, counted by their data. A read takes its share of one stripe
 * before it begins, so that one that has begun is never cut short for want of memory, and keeps it to its end, however
 * slow its consumer is; the stripe ahead is a luxury, had while half the buffers are free.
 * Reconstruction borrows from the memory of all reads (READ_MEMORY_BYTES) for as long as it computes.
 */

import { locateRange, stripeDataBytes, type ShardRange } from '../../core/erasure/layout.ts'
import { READ_STRIPES_MAX } from '../../core/limits.ts'
import type { AnnotationRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { StoreError, type ByteRange } from '../api.ts'
import type { Environment } from '../environment.ts'
import type { MemoryLease, StripeMemory } from '../memory/stripe-memory.ts'
import { Scope } from '../scope.ts'
import type { Blob } from './blob-location.ts'
import { blobRanges, type StoredContent } from './blob-ranges.ts'
import { StripeRead } from './stripe-read.ts'

/** Made once: an error with its stack costs more than reading a small object from memory. */
const OVER = new Error('the read is over')

export async function* readObject(
  environment: Environment,
  record: StoredContent,
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const scope = new Scope(signal)
  const plan = stripeRuns(environment, record, range)
  const buffers = new ReadBuffers(environment.readBuffers)
  const reads: StripeRead[] = []
  try {
    let next = await plan.next()
    if (next.done === true) return
    const stripeBytes = Math.min(range.end - range.start, stripeDataBytes(next.value.blob.code))
    await buffers.begin(stripeBytes, scope)
    for (;;) {
      while (next.done !== true && buffers.room(reads.length)) {
        scope.throwIfAborted()
        reads.push(await startRead(environment, scope, next.value))
        next = await plan.next()
      }
      const read = reads[0]
      if (read === undefined) return
      yield* deliver(environment, scope, read)
      reads.shift()
      buffers.consumed()
    }
  } finally {
    scope.abort(OVER)
    for (const read of reads) read.cancel()
    scope.end()
    buffers.end()
  }
}

/** All of an annotation of that object. */
export function readAnnotation(
  environment: Environment,
  { bucket, key, version }: ObjectRecord,
  { name, size, blob }: AnnotationRecord,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const content = { bucket, key, version, annotation: name, size, ...(blob === undefined ? {} : { blob }) }
  return readObject(environment, content, { start: 0, end: Number(size) }, signal)
}

/** One read's share of the buffers of all. */
class ReadBuffers {
  readonly #shared: StripeMemory
  #stripeBytes = 0
  #begun: MemoryLease | undefined
  #ahead: MemoryLease | undefined

  constructor(shared: StripeMemory) {
    this.#shared = shared
  }

  /** Waits for the share of one stripe. @throws as `StripeMemory.acquire` */
  async begin(stripeBytes: number, scope: Scope): Promise<void> {
    this.#stripeBytes = stripeBytes
    this.#begun = await this.#shared.acquire(stripeBytes, scope)
  }

  /** Whether another stripe may be held beside these. */
  room(stripes: number): boolean {
    if (stripes === 0) return true
    if (stripes >= READ_STRIPES_MAX) return false
    this.#ahead ??= this.#shared.acquireSpare(this.#stripeBytes)
    return this.#ahead !== undefined
  }

  /** A stripe was let go of. */
  consumed(): void {
    this.#ahead?.release()
    this.#ahead = undefined
  }

  end(): void {
    this.consumed()
    this.#begun?.release()
  }
}

interface StripeRuns {
  readonly blob: Blob
  /** All of one stripe, at least one. */
  readonly runs: readonly ShardRange[]
}

/** The range, stripe by stripe. */
async function* stripeRuns(
  { metadata }: Environment,
  record: StoredContent,
  range: ByteRange,
): AsyncGenerator<StripeRuns, void, undefined> {
  for await (const { blob, start, end } of blobRanges(metadata, record, range)) {
    let runs: ShardRange[] = []
    for (const run of locateRange(blob.code, blob.size, start, end)) {
      if (runs[0] !== undefined && runs[0].stripe.index !== run.stripe.index) {
        yield { blob, runs }
        runs = []
      }
      runs.push(run)
    }
    yield { blob, runs }
  }
}

async function startRead(
  environment: Environment,
  scope: Scope,
  { blob, runs }: StripeRuns,
): Promise<StripeRead> {
  const { cluster } = environment
  const snapshot = cluster.current ?? (await cluster.ready('unreadable'))
  const [run] = runs
  if (run === undefined) throw new Error('no runs of a stripe to read')
  return new StripeRead(environment, scope, snapshot, blob, run.stripe, runs)
}

/** The pieces of a stripe; what cannot be had by an old map is tried once more by a new one. */
async function* deliver(
  environment: Environment,
  scope: Scope,
  read: StripeRead,
): AsyncGenerator<Uint8Array, void, undefined> {
  let current = read
  let skipped = 0
  for (let i = 0; i < read.runs.length; i++) {
    let bytes: Uint8Array
    try {
      bytes = await pieceAt(current, i - skipped)
    } catch (error) {
      scope.throwIfAborted()
      const newer = await newerMap(environment, current, error)
      if (!newer) throw error
      current.cancel()
      skipped = i
      current = await startRead(environment, scope, { blob: read.blob, runs: read.runs.slice(i) })
      bytes = await pieceAt(current, 0)
    }
    scope.throwIfAborted()
    yield bytes
    scope.throwIfAborted()
  }
}

async function newerMap({ cluster }: Environment, read: StripeRead, error: unknown): Promise<boolean> {
  if (!(error instanceof StoreError) || error.code !== 'unreadable') return false
  const newest = await cluster.newerThan(read.epoch)
  return newest !== undefined && newest.epoch > read.epoch
}

async function pieceAt(read: StripeRead, index: number): Promise<Uint8Array> {
  const piece = read.pieces[index]
  if (piece === undefined) throw new Error(`no piece ${index} of a stripe`)
  return piece
}
