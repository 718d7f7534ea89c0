/** What work on blobs works with; one for all jobs of a process. */

import { SHARD_REQUEST_TIMEOUT_MS } from '../../core/limits.ts'
import type {
  MetadataApi,
  MetadataOperation,
  MetadataReply,
  MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { ByteBudget, RepairStore } from '../../store/repair/api.ts'
import type { WorkWatch } from '../cluster/watch.ts'
import type { Gate } from '../gate.ts'

export interface WorkContext {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly log: Log
  readonly store: RepairStore
  readonly budget: ByteBudget
  readonly watch: WorkWatch
  /** Stripes that are being made. */
  readonly gate: Gate
}

/** Asks a node, or metadata, for no longer than a request may take. @throws what it throws, or the signal's reason */
export async function inTime<T>(
  clock: Clock,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const { promise: over, reject } = Promise.withResolvers<never>()
  over.catch(() => undefined)
  const end = (error: Error): void => {
    controller.abort(error)
    reject(error)
  }
  const abort = (): void => {
    const reason: unknown = signal.reason
    end(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
  }
  signal.addEventListener('abort', abort, { once: true })
  const cancel = clock.after(SHARD_REQUEST_TIMEOUT_MS, () => {
    end(new Error(`no answer in ${SHARD_REQUEST_TIMEOUT_MS} ms`))
  })
  try {
    return await Promise.race([ask(controller.signal), over])
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
  }
}

/** Asks metadata. @throws {MetadataError}, or the signal's reason */
export function askMetadata<K extends MetadataOperation>(
  { metadata, clock }: Pick<WorkContext, 'metadata' | 'clock'>,
  signal: AbortSignal,
  operation: K,
  request: MetadataRequestInit<K>,
): Promise<MetadataReply<K>> {
  return inTime(clock, signal, (ending) => metadata.call(operation, request, ending))
}

/** Runs the work for each, so many at a time, in their order. @throws what the first to fail throws; no other is begun then */
export async function eachOf<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  let failed = false
  const lane = async (): Promise<void> => {
    while (!failed) {
      const next = iterator.next()
      if (next.done === true) return
      try {
        await work(next.value)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const lanes = Array.from({ length: limit }, lane)
  // All of them end before anything goes on: nothing may run on behind the caller's back.
  const outcomes = await Promise.allSettled(lanes)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}
