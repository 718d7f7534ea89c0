import { create } from '@bufbuild/protobuf'
import {
  JOURNAL_CLOSE_MS,
  JOURNAL_REBASE_BYTES,
  JOURNAL_REBASE_MS,
  JOURNAL_REBASE_SEGMENTS,
  JOURNAL_RETRY_MS,
  JOURNAL_SHIP_MS,
  RECORD_FORMAT,
} from '../../core/limits.ts'
import { type JournalState, JournalStateSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { SnapshotPages } from '../backup/snapshot-pages.ts'
import type { Engine } from '../engine/engine.ts'
import { writeBase } from './base.ts'
import { type Generation, journalBlob, readJournalBlob } from './blob-id.ts'
import { cleanUp } from './clean-up.ts'
import { Copies, type CopiesParts } from './copies.ts'
import { JournaledEngine } from './journaled-engine.ts'
import { encodeSegment } from './segment.ts'
import { JournalStream } from './stream.ts'

export interface JournalParts {
  readonly clusterId: string
  readonly program: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export type JournalCluster = Omit<CopiesParts, 'clock'>

/** A base that is whole. */
interface Base {
  readonly atMs: number
  /** Monotonic. */
  readonly beganMs: number
  readonly fileBytes: number
}

const LIFE_BYTES = 3

/**
 * Keeps a recent copy of an embedded engine on the cluster's own storage nodes: now and then a base, which is a whole backup, and each
 * second the commits since, so that a lost disk costs seconds. Commits never wait for it, but for the moment in which a base is begun.
 *
 * A base begins a generation between two commits; the segments that come after it are the generation's. Until it is whole, the one
 * before goes on to be what counts, its last segment being followed by the first of the new one. The two newest whole bases
 * stay, with all segments since the older of them.
 */
export class Journal {
  readonly engine: JournaledEngine
  readonly #parts: JournalParts
  readonly #stream: JournalStream
  readonly #stopping = new AbortController()
  readonly #life: number
  #copies: Copies | undefined
  #cluster: JournalCluster | undefined
  #base: Base | undefined
  /** Bytes of segments since the base. */
  #sinceBase = 0
  #basing: Promise<void> | undefined
  /** A base was begun and not finished. */
  #owed = false
  /** Since when there are commits that no whole base and no segment after one has, monotonic milliseconds. */
  #gapMs: number | undefined
  #retryAtMs = Number.NEGATIVE_INFINITY
  #numberMax = 0
  /** Why the last segment, and the last base, could not be shipped. */
  #shipReason = ''
  #baseReason = ''
  #wake: () => void = () => undefined
  #running: Promise<void> | undefined
  /** Nodes that are to go and have been cleared. */
  readonly #cleared = new Set<string>()

  /** @param engine what is copied; from now on all must be committed through {@link Journal.engine} */
  constructor(engine: Engine, parts: JournalParts) {
    this.#parts = parts
    this.#life = parts.random.bytes(LIFE_BYTES).reduce((sum, byte) => sum * 256 + byte, 0)
    this.#stream = new JournalStream(parts.clock, () => {
      this.#wake()
    })
    this.engine = new JournaledEngine(engine, this.#stream)
  }

  /** Begins to ship. */
  start(cluster: JournalCluster): void {
    this.#cluster = cluster
    this.#copies = new Copies({ ...cluster, clock: this.#parts.clock })
    this.#running = this.#run()
  }

  state(): JournalState {
    const { clock } = this.#parts
    const since = this.#gapMs ?? this.#stream.brokenAtMs ?? this.#stream.oldestMs
    return create(JournalStateSchema, {
      behindMs: BigInt(since === undefined ? 0 : Math.max(0, Math.round(clock.monotonicMs() - since))),
      waitingBytes: BigInt(this.#stream.waitingBytes),
      shippedBytes: BigInt(this.#copies?.bytesPut ?? 0),
      baseAtMs: BigInt(this.#base?.atMs ?? 0),
      reason: this.#shipReason || this.#baseReason || (this.#copies?.shortage ?? ''),
    })
  }

  /** Ships what waits, for a bounded time, and ends. */
  async close(): Promise<void> {
    if (this.#running === undefined) return
    this.#stopping.abort(new Error('the metadata service is shutting down'))
    this.#wake()
    const late = Promise.withResolvers<undefined>()
    const cancel = this.#parts.clock.after(JOURNAL_CLOSE_MS, () => {
      late.resolve(undefined)
    })
    const ended = this.#running.then(() => this.#ship()).catch(() => undefined)
    await Promise.race([Promise.all([ended, this.#basing]), late.promise])
    cancel()
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        this.#look()
        await this.#ship()
        this.#shipReason = ''
      } catch (error) {
        this.#shipReason = this.#tell(error, this.#shipReason)
      }
      await this.#pause()
    }
  }

  async #pause(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const paused = Promise.withResolvers<undefined>()
    this.#wake = () => {
      paused.resolve(undefined)
    }
    const cancel = this.#parts.clock.after(JOURNAL_SHIP_MS, this.#wake)
    await paused.promise
    cancel()
  }

  /** Begins a new base where one is due. */
  #look(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    if (this.#basing !== undefined || nowMs < this.#retryAtMs || !this.#due(nowMs)) return
    this.#basing = this.#makeBase()
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return
        this.#retryAtMs = this.#parts.clock.monotonicMs() + JOURNAL_RETRY_MS
        this.#baseReason = this.#tell(error, this.#baseReason)
      })
      .finally(() => {
        this.#basing = undefined
      })
  }

  #due(nowMs: number): boolean {
    const nodes = this.#cluster?.nodes() ?? []
    if (!nodes.some(({ usable }) => usable)) return false
    const base = this.#base
    if (base === undefined || this.#owed || this.#stream.brokenAtMs !== undefined) return true
    for (const id of this.#cleared) {
      if (nodes.every((node) => node.id !== id || !node.leaving)) this.#cleared.delete(id)
    }
    return (
      this.#sinceBase > Math.max(JOURNAL_REBASE_BYTES, base.fileBytes) ||
      this.#stream.sequence > JOURNAL_REBASE_SEGMENTS ||
      nowMs - base.beganMs > JOURNAL_REBASE_MS ||
      nodes.some(({ id, leaving }) => leaving && !this.#cleared.has(id))
    )
  }

  async #makeBase(): Promise<void> {
    const { clusterId, program, clock, log } = this.#parts
    const copies = this.#copies
    if (copies === undefined) return
    for (const shards of (await copies.list()).values()) {
      for (const { address } of shards) {
        this.#numberMax = Math.max(this.#numberMax, readJournalBlob(address.blob)?.number ?? 0)
      }
    }
    const beganMs = clock.monotonicMs()
    const { generation, atMs, pages } = await this.engine.between(() => this.#begin())
    try {
      const header = {
        clusterId,
        program,
        atMs,
        at: new Date(atMs).toISOString(),
        recordFormat: RECORD_FORMAT,
        engines: ['level'],
        oneMoment: true,
        heldMs: 0,
      }
      const blob = journalBlob({ ...generation, kind: 'base', sequence: 0 })
      const { fileBytes, trailer } = await writeBase(copies, blob, header, pages, this.#stopping.signal)
      const complete = new TextEncoder().encode(JSON.stringify({ ...trailer, fileBytes }))
      await copies.putBlob(journalBlob({ ...generation, kind: 'complete', sequence: 0 }), complete)
      this.#base = { atMs, beganMs, fileBytes }
      this.#baseReason = ''
      this.#owed = false
      this.#gapMs = undefined
      log.info('the metadata was copied to storage nodes', { records: trailer.entries, bytes: fileBytes })
    } finally {
      await pages.close()
    }
    const leaving = (this.#cluster?.nodes() ?? []).filter((node) => node.leaving).map(({ id }) => id)
    await cleanUp(copies, new Set(leaving), generation)
    for (const id of leaving) this.#cleared.add(id)
  }

  /** Between two commits. */
  async #begin(): Promise<{ generation: Generation; atMs: number; pages: SnapshotPages }> {
    const { clock } = this.#parts
    const pages = new SnapshotPages(await this.engine.openSnapshot())
    this.#numberMax = Math.max(clock.nowMs(), this.#numberMax + 1)
    const generation = { number: this.#numberMax, life: this.#life }
    this.#gapMs ??= this.#stream.brokenAtMs
    this.#owed = true
    this.#stream.begin(generation)
    this.#sinceBase = 0
    return { generation, atMs: clock.nowMs(), pages }
  }

  /** @throws {CopiesError} */
  async #ship(): Promise<void> {
    this.#stream.cut()
    for (let segment = this.#stream.first(); segment !== undefined; segment = this.#stream.first()) {
      const { head, batches } = segment
      const bytes = await encodeSegment(head, batches)
      await this.#copies?.putBlob(
        journalBlob({ number: head.number, life: head.life, kind: 'segment', sequence: head.sequence }),
        bytes,
      )
      this.#sinceBase += bytes.length
      this.#stream.shipped(segment)
    }
  }

  /** Says it once: it is tried again each second. */
  #tell(error: unknown, before: string): string {
    const reason = error instanceof Error ? error.message : String(error)
    if (reason !== before) {
      this.#parts.log.warn('the journal of the metadata cannot be shipped', { error })
    }
    return reason
  }
}
