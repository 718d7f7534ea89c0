/**
 * Brings space back after deletes: removes segments that nothing is needed of, and writes anew what is needed of those that are
 * mostly dead. docs/storage-node.md says why no crash loses or revives a shard by it.
 */
import { COMPACTION_LOOK_MS, COMPACTION_YIELD_MS_MAX, COMPACTION_YIELD_STEP_MS } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import type { Writability } from '../disk/writability.ts'
import type { Checkpoints } from '../index/checkpoints.ts'
import { deadSegments } from '../index/plan.ts'
import { IndexDamage, type SegmentUse } from '../index/shard-index.ts'
import type { IndexWriter } from '../index/writer.ts'
import { segmentPath } from '../segment/files.ts'
import { type Copied, copyShards, copyTombstones, type CopyPorts, NOTHING_COPIED } from './copy-segment.ts'
import { chooseVictim, oldestBut, type Victim } from './plan.ts'

export interface CompactorPorts extends Omit<CopyPorts, 'ready'> {
  readonly clock: Clock
  readonly log: Log
  readonly writer: IndexWriter
  readonly checkpoints: Checkpoints
  readonly writability: Writability
  /** Most bytes a second that are copied, while the disk is not full; 0: no limit. */
  readonly bytesPerS: number
  /** Has the next start build the index anew. */
  condemn(damage: IndexDamage): Promise<void>
}

export interface CompactionTotals {
  /** Segments written anew. */
  readonly segments: number
  /** Records and bytes copied. */
  readonly records: number
  readonly copiedBytes: number
}

export class Compactor {
  readonly #ports: CompactorPorts
  /** Live shards that could not be copied, by segment: it is left alone until that number changes. */
  readonly #stuck = new Map<number, number>()
  readonly #ending = new AbortController()
  #totals: CompactionTotals = { segments: 0, records: 0, copiedBytes: 0 }
  #wake: (() => void) | undefined
  #running: Promise<void> | undefined
  #wasShort = false

  constructor(ports: CompactorPorts) {
    this.#ports = ports
  }

  /** What was done since the start. */
  get totals(): CompactionTotals {
    return this.#totals
  }

  /** Looks after the segments from now on, every COMPACTION_LOOK_MS, until {@link close}. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends soon, in the middle of a segment if need be: what was copied is copied. */
  async close(): Promise<void> {
    this.#ending.abort()
    this.#wake?.()
    await this.#running
  }

  async #run(): Promise<void> {
    const { log } = this.#ports
    while (!this.#ending.signal.aborted) {
      let isMore = false
      try {
        isMore = await this.step()
      } catch (error) {
        if (this.#ending.signal.aborted) break
        if (error instanceof IndexDamage) await this.#ports.condemn(error)
        log.warn('compaction stopped for now', { error: messageOf(error) })
      }
      if (!isMore) await this.#pause(COMPACTION_LOOK_MS)
    }
  }

  /** Does the next thing there is to do; resolves to whether it did anything. */
  async step(): Promise<boolean> {
    const { writer, checkpoints, writability, segments } = this.#ports
    await writability.look()
    if (await this.#removeDead()) return true
    // Without a checkpoint no segment is removed, and copies would only fill the disk.
    if (segments.failure !== undefined || checkpoints.isStopped()) return false
    const { full, roomBytes } = writability
    const uses = [...writer.uses.values()]
    const options = { before: checkpoints.segment, full, skip: (use: SegmentUse) => this.#isStuck(use) }
    const victim = chooseVictim(uses, { ...options, roomBytes })
    if (victim !== undefined) {
      await this.#compact(victim)
      return true
    }
    if (full && (await this.#sealActive(uses))) return true
    this.#sayWhetherShort(chooseVictim(uses, { ...options, roomBytes: Infinity }))
    return false
  }

  async #removeDead(): Promise<boolean> {
    const { writer, checkpoints, writability } = this.#ports
    const dead = checkpoints.dead()
    if (dead.length === 0) return false
    await checkpoints.make()
    const removed = dead.filter((segment) => !writer.uses.has(segment))
    if (removed.length > 0) await writability.look()
    return removed.length > 0
  }

  async #compact({ segment }: Victim): Promise<void> {
    const { clock, log, writer, checkpoints, writability } = this.#ports
    const startedMs = clock.monotonicMs()
    // What the account of the segment says must be all of it.
    await this.#ports.live.flush()
    const use = writer.uses.get(segment)
    if (use === undefined) return
    const [shards, tombstones] = await this.#copy(use)
    // Says that the copies are in the index, and removes the segment.
    await checkpoints.make()
    await writability.look()
    const copiedBytes = shards.bytes + tombstones.bytes
    const { segments, records, copiedBytes: before } = this.#totals
    this.#totals = {
      segments: segments + 1,
      records: records + shards.records + tombstones.records,
      copiedBytes: before + copiedBytes,
    }
    log.info('compacted a segment', {
      file: segmentPath(segment),
      bytes: use.end,
      shards: shards.records,
      tombstones: tombstones.records,
      copiedBytes,
      removed: !writer.uses.has(segment),
      ms: Math.round(clock.monotonicMs() - startedMs),
    })
  }

  /** Copies what is needed, or says why the segment stays: the next one must not wait for it. */
  async #copy({ segment, end }: SegmentUse): Promise<[shards: Copied, tombstones: Copied]> {
    const { log, writer, checkpoints } = this.#ports
    const ports = { ...this.#ports, ready: (bytes: number) => this.#ready(bytes) }
    const left = (): number => writer.uses.get(segment)?.liveShards ?? 0
    const file = segmentPath(segment)
    let shards = NOTHING_COPIED
    try {
      shards = await copyShards(ports, segment, end)
      if (left() > 0) {
        this.#stuck.set(segment, left())
        log.warn('a segment keeps shards that cannot be copied', { file, shards: left() })
        return [shards, NOTHING_COPIED]
      }
      const others = [...writer.uses.values()].toSorted((a, b) => a.segment - b.segment)
      const tombstones = await copyTombstones(ports, segment, end, oldestBut(others, segment))
      checkpoints.emptied(segment)
      return [shards, tombstones]
    } catch (error) {
      const code = errnoOf(error)
      if (code !== 'EIO' && code !== 'ENOENT') throw error
      this.#stuck.set(segment, left())
      log.warn('a segment cannot be read through, and stays', { file, shards: left(), error: code })
      return [shards, NOTHING_COPIED]
    }
  }

  /** On a full disk, ends the segment that is appended to if that is what can be gained from. */
  async #sealActive(uses: readonly SegmentUse[]): Promise<boolean> {
    const { segments, checkpoints, writability } = this.#ports
    const before = checkpoints.segment + 1
    const { roomBytes } = writability
    const skip = ({ segment }: SegmentUse): boolean => segment !== checkpoints.segment
    const isDead = deadSegments(uses, before).includes(checkpoints.segment)
    const isWorthIt = isDead || chooseVictim(uses, { before, full: true, roomBytes, skip }) !== undefined
    if (!isWorthIt || segments.activeSegment !== checkpoints.segment) return false
    checkpoints.sealed(await segments.sealActive())
    return true
  }

  #isStuck({ segment, liveShards }: SegmentUse): boolean {
    return this.#stuck.get(segment) === liveShards || this.#ports.checkpoints.isEmptied(segment)
  }

  /** Waits for its turn before so many bytes are read and written. */
  async #ready(bytes: number): Promise<void> {
    const { segments, writability, bytesPerS } = this.#ports
    await writability.look()
    if (writability.roomBytes < bytes) throw new Error('there is no room to copy what is needed')
    if (!writability.full && bytesPerS > 0) await this.#pause((bytes / bytesPerS) * 1000)
    // Puts and deletes go first, but not for ever: they need the space.
    for (
      let waited = 0;
      segments.isBusy && waited < COMPACTION_YIELD_MS_MAX;
      waited += COMPACTION_YIELD_STEP_MS
    ) {
      await this.#pause(COMPACTION_YIELD_STEP_MS)
    }
    if (this.#ending.signal.aborted) throw new Error('the node is closing')
  }

  async #pause(ms: number): Promise<void> {
    if (this.#ending.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#wake = () => {
      resolve(undefined)
    }
    const cancel = this.#ports.clock.after(ms, this.#wake)
    await promise
    cancel()
    this.#wake = undefined
  }

  /** Says once that space could be gained, were there room for the copies. */
  #sayWhetherShort(victim: Victim | undefined): void {
    const isShort = victim !== undefined
    if (isShort && !this.#wasShort) {
      const { copyBytes, gainBytes, segment } = victim
      const roomBytes = Math.max(0, this.#ports.writability.roomBytes)
      this.#ports.log.warn('no room to compact', {
        file: segmentPath(segment),
        copyBytes,
        gainBytes,
        roomBytes,
      })
    }
    this.#wasShort = isShort
  }
}
