import { create } from '@bufbuild/protobuf'
import {
  JOURNAL_CLOSE_MS,
  JOURNAL_REBASE_BYTES,
  JOURNAL_REBASE_MS,
  JOURNAL_REBASE_SEGMENTS,
  JOURNAL_RESUME_MS_MAX,
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
import { baseBefore } from './base-before.ts'
import { type Generation, journalBlob, readJournalBlob } from './blob-id.ts'
import { cleanUp } from './clean-up.ts'
import { Copies, type CopiesParts } from './copies.ts'
import { JournaledEngine } from './journaled-engine.ts'
import { Refill } from './refill.ts'
import { encodeSegment } from './segment.ts'
import { JournalStream } from './stream.ts'
import { type JournalPosition, type Resume, Tail } from './tail.ts'

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
 *
 * A process that starts begins a generation without a base: it follows the last segment that the engine knows to be on nodes, and its
 * first segment makes good what the journal lacked then ({@link Tail}). Where the nodes turn out not to have what leads up to there,
 * there is a new base.
 */
export class Journal {
  readonly engine: JournaledEngine
  readonly #parts: JournalParts
  readonly #stream: JournalStream
  readonly #stopping = new AbortController()
  readonly #life: number
  #copies: Copies | undefined
  #cluster: JournalCluster | undefined
  #refill: Refill | undefined
  #base: Base | undefined
  /** Bytes of segments since the base. */
  #sinceBase = 0
  #basing: Promise<void> | undefined
  /** A base was begun and not finished. */
  #owed = false
  /** Since when there are commits that no whole base and no segment after one has, monotonic milliseconds. */
  #gapMs: number | undefined
  #retryAtMs = Number.NEGATIVE_INFINITY
  #numberMax: number
  readonly #tail: Tail
  /** What was before the start, and goes on; undefined: a new base is needed, or was made. */
  #resumed: { readonly from: JournalPosition; untilMs: number | undefined } | undefined
  /** Segments since the base that were put by processes before this one. */
  #carried = 0
  #shipping: Promise<void> = Promise.resolve()
  /** Why the last segment, and the last base, could not be shipped. */
  #shipReason = ''
  #baseReason = ''
  #wake: () => void = () => undefined
  #running: Promise<void> | undefined
  /** The last segment that is on nodes. */
  #position: JournalPosition | undefined
  /** Nodes that are to go and have been cleared. */
  readonly #cleared = new Set<string>()

  private constructor(engine: Engine, parts: JournalParts, tail: Tail, resume: Resume | undefined) {
    this.#parts = parts
    this.#life = parts.random.bytes(LIFE_BYTES).reduce((sum, byte) => sum * 256 + byte, 0)
    this.#tail = tail
    this.#numberMax = resume?.numberMax ?? 0
    if (resume !== undefined) {
      const { number, life, sequence } = resume
      this.#resumed = { from: { number, life, sequence }, untilMs: undefined }
      // Until it is known that it goes on from something.
      this.#gapMs = parts.clock.monotonicMs()
    }
    const wake = (): void => {
      this.#wake()
    }
    this.#stream = new JournalStream(parts.clock, wake, resume)
    this.engine = new JournaledEngine(engine, this.#stream, tail)
  }

  /** @param engine what is copied; from now on all must be committed through {@link Journal.engine} */
  static async open(engine: Engine, parts: JournalParts): Promise<Journal> {
    const { tail, resume } = await Tail.open(engine)
    return new Journal(engine, parts, tail, resume)
  }

  /** Begins to ship. */
  start(cluster: JournalCluster): void {
    this.#cluster = cluster
    this.#copies = new Copies({ ...cluster, clock: this.#parts.clock })
    this.#refill = new Refill(this.#copies, cluster.nodes, this.#parts.clock.monotonicMs())
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
        await this.#goOn()
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

  /** Begins what follows the segment that the engine knows of, as soon as there is a node for it. */
  async #goOn(): Promise<void> {
    const resumed = this.#resumed
    if (resumed === undefined || resumed.untilMs !== undefined || !this.#hasUsable()) return
    if (this.#stream.followed) {
      await this.#lookForNumbers()
      this.#numberMax = Math.max(this.#parts.clock.nowMs(), this.#numberMax + 1)
      // Whatever becomes of it, what goes on from there another time has a later number.
      await this.#tail.settle({ ...resumed.from, numberMax: this.#numberMax }, [])
    }
    // Else too much has come meanwhile, and a base is due.
    if (this.#stream.followed) this.#stream.begin({ number: this.#numberMax, life: this.#life })
    resumed.untilMs = this.#parts.clock.monotonicMs() + JOURNAL_RESUME_MS_MAX
  }

  /** Begins what has to be done about the base: to look whether there is one that the journal goes on from, a new one, or more copies. */
  #look(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    if (this.#basing !== undefined || nowMs < this.#retryAtMs || !this.#hasUsable()) return
    this.#basing = this.#next(nowMs)
      ?.catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return
        this.#retryAtMs = this.#parts.clock.monotonicMs() + JOURNAL_RETRY_MS
        this.#baseReason = this.#tell(error, this.#baseReason)
      })
      .finally(() => {
        this.#basing = undefined
      })
  }

  #next(nowMs: number): Promise<void> | undefined {
    const resumed = this.#resumed
    const waits = resumed !== undefined && nowMs < (resumed.untilMs ?? nowMs + 1) && this.#stream.followed
    if (waits) return this.#findBase(resumed.from)
    if (this.#due(nowMs)) return this.#makeBase()
    return this.#refill?.due(nowMs) === true ? this.#fillUp(nowMs, this.#refill) : undefined
  }

  async #fillUp(nowMs: number, refill: Refill): Promise<void> {
    const position = this.#position
    if (position === undefined) return
    if (!(await refill.run(nowMs, position, this.#stopping.signal))) this.#owed = true
  }

  #hasUsable(): boolean {
    return this.#cluster?.nodes().some(({ usable }) => usable) === true
  }

  /** Finds the base that leads up to where this process went on. @throws {Error} no node that was heard has all of it */
  async #findBase(from: JournalPosition): Promise<void> {
    const { clock } = this.#parts
    const nodes = this.#cluster?.nodes() ?? []
    const held = await this.#copies?.holdings()
    const found = held && (await baseBefore(held.holdings, from))
    if (found !== undefined) {
      const { atMs, fileBytes, segments, segmentBytes } = found
      this.#base = { atMs, beganMs: clock.monotonicMs() - Math.max(0, clock.nowMs() - atMs), fileBytes }
      this.#position ??= from
      this.#carried = segments
      this.#sinceBase += segmentBytes
      this.#resumed = undefined
      this.#gapMs = undefined
      this.#baseReason = ''
      return
    }
    if (nodes.every(({ usable, leaving }) => usable || leaving)) {
      this.#resumed = undefined
      return await this.#makeBase()
    }
    throw new Error('the storage nodes that are up lack what the journal goes on from')
  }

  #due(nowMs: number): boolean {
    const nodes = this.#cluster?.nodes() ?? []
    const base = this.#base
    if (base === undefined || this.#owed || this.#stream.brokenAtMs !== undefined) return true
    for (const id of this.#cleared) {
      if (nodes.every((node) => node.id !== id || !node.leaving)) this.#cleared.delete(id)
    }
    return (
      this.#sinceBase > Math.max(JOURNAL_REBASE_BYTES, base.fileBytes) ||
      this.#carried + this.#stream.sequence > JOURNAL_REBASE_SEGMENTS ||
      nowMs - base.beganMs > JOURNAL_REBASE_MS ||
      nodes.some(({ id, leaving }) => leaving && !this.#cleared.has(id))
    )
  }

  async #makeBase(): Promise<void> {
    const { clusterId, program, clock, log } = this.#parts
    const copies = this.#copies
    if (copies === undefined) return
    await this.#lookForNumbers()
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
      // From now on it may be what is gone by: a process that starts must not go on from what was before it.
      this.#stream.mark()
      await this.#ship()
      if (!this.#tail.isIn(generation)) await this.#tail.forget()
      const complete = new TextEncoder().encode(JSON.stringify({ ...trailer, fileBytes }))
      await copies.putBlob(journalBlob({ ...generation, kind: 'complete', sequence: 0 }), complete)
      this.#base = { atMs, beganMs, fileBytes }
      this.#baseReason = ''
      this.#owed = false
      this.#gapMs = undefined
      this.#resumed = undefined
      log.info('the metadata was copied to storage nodes', { records: trailer.entries, bytes: fileBytes })
    } finally {
      await pages.close()
    }
    const leaving = (this.#cluster?.nodes() ?? []).filter((node) => node.leaving).map(({ id }) => id)
    await cleanUp(copies, new Set(leaving), generation)
    for (const id of leaving) this.#cleared.add(id)
  }

  /** The generations that nodes have. */
  async #lookForNumbers(): Promise<void> {
    for (const shards of (await this.#copies?.list())?.values() ?? []) {
      for (const { address } of shards) {
        this.#numberMax = Math.max(this.#numberMax, readJournalBlob(address.blob)?.number ?? 0)
      }
    }
  }

  /** Between two commits. */
  async #begin(): Promise<{ generation: Generation; atMs: number; pages: SnapshotPages }> {
    const { clock } = this.#parts
    const pages = new SnapshotPages(await this.engine.openSnapshot())
    this.#numberMax = Math.max(clock.nowMs(), this.#numberMax + 1)
    const generation = { number: this.#numberMax, life: this.#life }
    this.#gapMs ??= this.#stream.brokenAtMs
    this.#owed = true
    if (!this.#stream.followed) this.#tail.begun(generation)
    this.#stream.begin(generation)
    this.#sinceBase = 0
    this.#carried = 0
    return { generation, atMs: clock.nowMs(), pages }
  }

  /** One after another. @throws {CopiesError} */
  #ship(): Promise<void> {
    const shipping = this.#shipping.catch(() => undefined).then(() => this.#shipAll())
    this.#shipping = shipping
    return shipping
  }

  async #shipAll(): Promise<void> {
    this.#stream.cut()
    let position: JournalPosition | undefined
    const numbers: number[] = []
    try {
      for (let segment = this.#stream.first(); segment !== undefined; segment = this.#stream.first()) {
        const { head, batches } = segment
        const bytes = await encodeSegment(head, batches)
        await this.#copies?.putBlob(
          journalBlob({ number: head.number, life: head.life, kind: 'segment', sequence: head.sequence }),
          bytes,
        )
        this.#sinceBase += bytes.length
        const at = this.#stream.shipped(segment)
        // Let go of meanwhile, there is a gap before what comes next.
        if (at === undefined) continue
        position = at
        this.#position = at
        numbers.push(...segment.numbers)
      }
    } finally {
      if (position !== undefined) await this.#settle(position, numbers)
    }
  }

  /** Never rejects: what the engine knows of the journal stays behind then, which costs a longer catch-up. */
  async #settle(position: JournalPosition, numbers: readonly number[]): Promise<void> {
    try {
      await this.#tail.settle({ ...position, numberMax: this.#numberMax }, numbers)
    } catch (error) {
      this.#parts.log.debug('how far the journal is could not be noted', { error })
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
