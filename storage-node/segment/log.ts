/**
 * The log of a storage node: the one place that appends to segments.
 *
 * Two loops share the work. The writer hands whatever is queued to one writev; the syncer calls fdatasync for all that
 * was written when it starts. While one sync runs, the next records gather, so the group grows with the load and there
 * is no timer. Writing during a sync rather than after it was measured in turns: a tenth faster for shards of 1 MiB with
 * 8 or more in flight, the same for small ones. What is synced goes into the index, in order, and only then do its
 * callers hear of it.
 *
 * After a failed write or sync nothing that was not yet synced is acknowledged, and the segment is never written
 * again: a later sync would succeed without having written what the failed one dropped.
 */
import {
  APPEND_BATCH_BYTES_MAX,
  APPEND_BATCH_RECORDS_MAX,
  APPEND_QUEUE_BYTES_MAX,
  SEGMENT_BYTES_MAX,
} from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { LogRecord } from '../index/plan.ts'
import { type Draft, placeBatch } from './batch.ts'
import type { SegmentFiles } from './files.ts'
import { recordBytes, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts'
import { IndexRefusal, readOnly } from './refusals.ts'

/** Where the log goes on. */
export interface LogEnd {
  readonly active: { readonly segment: number; readonly marker: Uint8Array; readonly end: number } | undefined
  readonly nextSegment: number
  readonly nextSequence: number
}

export interface LogPorts {
  readonly files: SegmentFiles
  /** Header of a new segment. */
  header(segment: number): SegmentHeader
  /** Makes synced records findable; one call at a time, in order. Resolves to how many shards each removed. */
  commit(records: readonly LogRecord[]): Promise<readonly number[]>
  /** Makes sure that the index takes writes, and has those that were committed. @throws when it does not */
  settle(): Promise<void>
  /** Called once, when the log stops taking records. */
  failed(error: unknown): void
  /** Bytes of a segment at which the next one is begun. */
  readonly segmentBytes?: number
}

interface Entry {
  readonly draft: Draft
  readonly bytes: number
  resolve(removed: number): void
  reject(error: unknown): void
}

interface Written {
  readonly entry: Entry
  readonly record: LogRecord
}

export class SegmentLog {
  readonly #ports: LogPorts
  readonly #segmentBytes: number
  #segment: { readonly number: number; readonly marker: Uint8Array; end: number; durable: number } | undefined
  #nextSegment: number
  #nextSequence: number
  readonly #queue: Entry[] = []
  #queuedBytes = 0
  #written: Written[] = []
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #committing: Promise<void> = Promise.resolve()
  /** Durable records that the index refused: it must have no holes before a checkpoint. */
  #uncommitted: LogRecord[] = []
  #failing: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #failures = 0
  /** Where the segment ended that writing failed in, until it is certainly cut back to there. */
  #cut: { readonly number: number; readonly durable: number } | undefined
  #sealing: { readonly promise: Promise<undefined>; done(): void; failed(error: unknown): void } | undefined

  constructor(ports: LogPorts, end: LogEnd) {
    this.#ports = ports
    this.#segmentBytes = ports.segmentBytes ?? SEGMENT_BYTES_MAX
    const { active } = end
    this.#segment =
      active === undefined
        ? undefined
        : { number: active.segment, marker: active.marker, end: active.end, durable: active.end }
    this.#nextSegment = end.nextSegment
    this.#nextSequence = end.nextSequence
  }

  /** Number of the segment that is appended to; those before it are sealed. */
  get activeSegment(): number {
    return this.#segment?.number ?? this.#nextSegment
  }

  /** Why nothing is taken any more; undefined while it is. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  /** How often writing has failed so far. */
  get failures(): number {
    return this.#failures
  }

  /** Whether records wait to be written. */
  get isBusy(): boolean {
    return this.#queue.length > 0
  }

  /**
   * Resolves, once the record is durable and in the index, to how many shards it removed.
   * @throws {ShardError} `read-only` once a write has failed, `unavailable` when too much waits, `aborted`.
   */
  append(draft: Draft, signal?: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const bytes = recordBytes(draft.owner.byteLength, draft.data.byteLength)
    if (this.#failure !== undefined) return Promise.reject(readOnly(this.#failure.error))
    if (this.#queuedBytes + bytes > APPEND_QUEUE_BYTES_MAX) {
      return Promise.reject(
        new ShardError('unavailable', `${this.#queuedBytes} bytes wait to be written already`),
      )
    }
    const entry: Entry = { draft, bytes, resolve, reject }
    this.#queue.push(entry)
    this.#queuedBytes += bytes
    this.#writing ??= this.#write()
    if (signal === undefined) return promise
    // Only what no writev has seen can be taken back; the rest ends as it ends.
    const abort = (): void => {
      const at = this.#queue.indexOf(entry)
      if (at === -1) return
      this.#queue.splice(at, 1)
      this.#refuse([entry], new ShardError('aborted', 'the caller gave up'))
    }
    signal.addEventListener('abort', abort, { once: true })
    return promise.finally(() => {
      signal.removeEventListener('abort', abort)
    })
  }

  /** Number of the segment that is open for appending; undefined when there is none. */
  get openSegment(): number | undefined {
    return this.#segment?.number
  }

  /** Appends no more to the segment, as after a failed write; nothing happens when it is another one already. */
  giveUp(segment: number, error: Error): void {
    if (this.#segment?.number === segment) this.#fail(error)
  }

  /** Resolves when nothing is queued, being written or on its way into the index. */
  async idle(): Promise<void> {
    await this.#quiet()
    await this.#committing
    await this.#failing
  }

  /**
   * Ends the segment that is appended to, so that it can be compacted, and begins the next. Resolves to the next one once the
   * index knows all of the old one. @throws as the disk
   */
  async sealActive(): Promise<number> {
    this.#requireNoFailure()
    if (this.#sealing === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      this.#sealing = {
        promise,
        done: () => {
          resolve(undefined)
        },
        failed: reject,
      }
      this.#writing ??= this.#write()
    }
    await this.#sealing.promise
    const next = this.activeSegment
    await this.#committing
    this.#requireNoFailure()
    return next
  }

  /**
   * Begins a new segment after a failure, once the index has what is durable already, though its callers were refused, and
   * what is not durable is cut off for certain.
   * @throws {IndexRefusal} when all that is missing is the index; else as the disk
   */
  async reopen(): Promise<void> {
    if (this.#failure === undefined) return
    await this.idle()
    if (this.#cut !== undefined) await this.#cutBack(this.#cut)
    try {
      if (this.#uncommitted.length > 0) await this.#ports.commit(this.#uncommitted)
      this.#uncommitted = []
      // It may have failed behind the back of the log, too.
      await this.#ports.settle()
    } catch (error) {
      throw new IndexRefusal(error)
    }
    await this.#roll()
    this.#failure = undefined
  }

  /** Resolves when neither loop runs. */
  async #quiet(): Promise<void> {
    while (this.#writing !== undefined || this.#syncing !== undefined) {
      await this.#writing
      await this.#syncing
    }
  }

  async #write(): Promise<void> {
    try {
      // Appends of the same turn of the event loop go together.
      await Promise.resolve()
      while ((this.#queue.length > 0 || this.#sealing !== undefined) && this.#failure === undefined) {
        await this.#writeBatch()
      }
    } finally {
      this.#writing = undefined
      if (this.#failure !== undefined) this.#endSealing(readOnly(this.#failure.error))
    }
  }

  async #writeBatch(): Promise<void> {
    const first = this.#queue[0]
    const isFull = first !== undefined && (this.#segment?.end ?? Infinity) + first.bytes > this.#segmentBytes
    try {
      if (isFull || this.#sealing !== undefined) {
        // One sync at a time, of one file: the old segment is durable whole before the new one begins.
        while (this.#syncing !== undefined) await this.#syncing
        if (this.#failure !== undefined) return
        await this.#roll()
        this.#endSealing()
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    const segment = this.#segment
    if (segment === undefined) return
    const entries = this.#take(this.#segmentBytes - segment.end)
    // All taken back while the segment was made.
    if (entries.length === 0) return
    const drafts = entries.map(({ draft }) => draft)
    const { buffers, records, nextSequence } = placeBatch(drafts, segment, this.#nextSequence)
    this.#nextSequence = nextSequence
    const start = segment.end
    segment.end = records.at(-1)?.end ?? start
    try {
      await this.#ports.files.use(segment.number, (file) => file.write(buffers, start))
    } catch (error) {
      this.#refuse(entries, readOnly(error))
      this.#fail(error)
      return
    }
    for (const [i, entry] of entries.entries()) {
      const record = records[i]
      if (record !== undefined) this.#written.push({ entry, record })
    }
    this.#syncing ??= this.#sync()
  }

  /** The first entries of the queue that fit; always at least one. */
  #take(room: number): Entry[] {
    const most = Math.min(room, APPEND_BATCH_BYTES_MAX)
    let bytes = 0
    let count = 0
    for (const entry of this.#queue) {
      bytes += entry.bytes
      if (count > 0 && (bytes > most || count === APPEND_BATCH_RECORDS_MAX)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #sync(): Promise<void> {
    try {
      while (this.#written.length > 0) {
        const group = this.#written
        this.#written = []
        await this.#syncGroup(group)
      }
    } finally {
      this.#syncing = undefined
    }
  }

  async #syncGroup(group: readonly Written[]): Promise<void> {
    const segment = this.#segment
    const last = group.at(-1)
    if (segment === undefined || last === undefined || this.#failure !== undefined) {
      this.#refuseAll(group, this.#failure?.error)
      return
    }
    try {
      await this.#ports.files.use(segment.number, (file) => file.sync())
    } catch (error) {
      this.#refuseAll(group, error)
      this.#fail(error)
      return
    }
    segment.durable = last.record.end
    this.#committing = this.#committing.then(() => this.#commit(group))
  }

  async #commit(group: readonly Written[]): Promise<void> {
    const records = group.map(({ record }) => record)
    if (this.#uncommitted.length > 0) {
      this.#uncommitted.push(...records)
      this.#refuseAll(group, this.#failure?.error)
      return
    }
    try {
      const removed = await this.#ports.commit(records)
      for (const [i, { entry }] of group.entries()) {
        this.#queuedBytes -= entry.bytes
        entry.resolve(removed[i] ?? 0)
      }
    } catch (error) {
      this.#uncommitted.push(...records)
      this.#refuseAll(group, error)
      this.#fail(error)
    }
  }

  /** The first failure refuses all that waits and seals the segment. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = { error }
    this.#failures++
    this.#ports.failed(error)
    this.#refuse(this.#queue.splice(0), readOnly(error))
    this.#failing = this.#seal()
  }

  async #seal(): Promise<void> {
    await this.#quiet()
    const segment = this.#segment
    this.#segment = undefined
    if (segment === undefined) return
    // So that neither reads nor the next start take what only the cache holds for what is on the disk. If the disk
    // refuses this too, the next start checks every byte after the last checkpoint.
    this.#cut = { number: segment.number, durable: segment.durable }
    await this.#cutBack(this.#cut).catch(() => undefined)
  }

  async #cutBack({ number, durable }: { readonly number: number; readonly durable: number }): Promise<void> {
    try {
      await this.#ports.files.use(number, async (file) => {
        await file.truncate(durable)
        await file.sync()
      })
    } catch (error) {
      // Gone: nothing is left of it to take for durable.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
    this.#cut = undefined
  }

  #requireNoFailure(): void {
    if (this.#failure !== undefined) throw readOnly(this.#failure.error)
  }

  #endSealing(error?: ShardError): void {
    const sealing = this.#sealing
    this.#sealing = undefined
    if (error === undefined) sealing?.done()
    else sealing?.failed(error)
  }

  async #roll(): Promise<void> {
    const number = this.#nextSegment++
    const header = this.#ports.header(number)
    this.#segment = undefined
    await this.#ports.files.create(header)
    this.#segment = {
      number,
      marker: header.marker,
      end: SEGMENT_HEADER_BYTES,
      durable: SEGMENT_HEADER_BYTES,
    }
  }

  #refuseAll(group: readonly Written[], error: unknown): void {
    this.#refuse(
      group.map(({ entry }) => entry),
      readOnly(error),
    )
  }

  #refuse(entries: readonly Entry[], error: ShardError): void {
    for (const entry of entries) {
      this.#queuedBytes -= entry.bytes
      entry.reject(error)
    }
  }
}
