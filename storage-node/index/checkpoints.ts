import { INDEX_CHECKPOINT_BYTES } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import { holdsLiving } from '../compaction/copy-segment.ts'
import type { SegmentFiles } from '../segment/files.ts'
import { SEGMENT_HEADER_BYTES } from '../segment/format.ts'
import type { LiveIndex } from './live-index.ts'
import { deadSegments, type LogRecord } from './plan.ts'
import { type Checkpoint, IndexDamage, type ShardIndex } from './shard-index.ts'
import type { IndexWriter } from './writer.ts'

export interface CheckpointPorts {
  readonly index: ShardIndex
  readonly live: LiveIndex
  readonly writer: IndexWriter
  readonly files: SegmentFiles
  readonly log: Log
  /** Has the next start build the index anew. */
  condemn(damage: IndexDamage): Promise<void>
  /** Log between two checkpoints, in bytes. */
  readonly checkpointBytes?: number | undefined
}

/** Says durably, every so often, how far the index goes, and removes the segments that are dead before that place. */
export class Checkpoints {
  readonly #ports: CheckpointPorts
  /** The end of what the index was told of, and the highest sequence number before it. */
  #position: Checkpoint | undefined
  #since = 0
  #running: Promise<void> | undefined
  #stopped = false
  /** Segments of which all that is needed was copied. */
  readonly #emptied = new Set<number>()

  constructor(ports: CheckpointPorts, position: Checkpoint | undefined) {
    this.#ports = ports
    this.#position = position
  }

  /** The segment that the log goes on in, as far as the index knows: those before it are sealed and known whole. */
  get segment(): number {
    return this.#position?.segment ?? 0
  }

  /** Takes account of records that the index has just been told of, in order of the log. */
  took(records: readonly LogRecord[]): void {
    for (const { location, end } of records) {
      this.#since += end - location.offset
      // A copy has an older number than what came before it.
      const sequence = Math.max(location.sequence, this.#position?.sequence ?? 0)
      this.#position = { segment: location.segment, offset: end, sequence }
    }
    const isDue = this.#since >= (this.#ports.checkpointBytes ?? INDEX_CHECKPOINT_BYTES)
    if (isDue && this.#running === undefined) void this.make()
  }

  /** Says that all of the log before `segment`, which is new, is in the index. */
  sealed(segment: number): void {
    if (segment <= this.segment) return
    this.#position = { segment, offset: SEGMENT_HEADER_BYTES, sequence: this.#position?.sequence ?? 0 }
  }

  /** Says that the tombstones that are needed of a segment have been copied: it goes with the next checkpoint. */
  emptied(segment: number): void {
    this.#emptied.add(segment)
  }

  /** Ends for good: the index is not to be trusted. */
  stop(): void {
    this.#stopped = true
  }

  /** Whether {@link stop} was called: no segment is removed any more. */
  isStopped(): boolean {
    return this.#stopped
  }

  /** Resolves when none is being made. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Segments that go with the next checkpoint, in that order, as far as the index has been told. */
  dead(): number[] {
    return deadSegments(this.#ports.writer.uses.values(), this.segment, this.#emptied)
  }

  /** Whether all that is needed of the segment has been copied. */
  isEmptied(segment: number): boolean {
    return this.#emptied.has(segment)
  }

  /** Makes the last one, if there is anything to say. */
  async close(): Promise<void> {
    await this.idle()
    if (this.#since > 0) await this.make()
  }

  /** Makes one of all that the index was told until now. Never throws: a failure costs a longer replay at the next start. */
  async make(): Promise<void> {
    await this.#inTurn(() => this.#make())
  }

  /** Makes one and removes nothing, to know whether the index takes writes. @throws as the index */
  async require(): Promise<void> {
    await this.#inTurn(() => this.#write())
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    // Not by idle(): between its end and here another could begin.
    while (this.#running !== undefined) await this.#running
    const done = action()
    this.#running = done
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined
      })
    await done
  }

  async #write(): Promise<void> {
    const position = this.#position
    if (position === undefined || this.#stopped) return
    const { index, live } = this.#ports
    this.#since = 0
    await live.flush()
    await index.checkpoint(position)
    // Given up meanwhile, which the checkpoint has just undone.
    if (this.isStopped()) await index.condemn()
  }

  async #make(): Promise<void> {
    const position = this.#position
    if (position === undefined || this.#stopped) return
    const { live, writer, files, log } = this.#ports
    try {
      await this.#write()
      for (const dead of deadSegments(writer.uses.values(), position.segment, this.#emptied)) {
        if (this.isStopped()) return
        // An account that is wrong must never cost a shard.
        if (await holdsLiving({ files, live }, dead, writer.uses.get(dead)?.end ?? 0)) {
          await this.#ports.condemn(new IndexDamage(`segment ${dead} was counted as empty, and is not`))
          return
        }
        await files.remove(dead).catch((error: unknown) => {
          // Lost before; nothing that is needed was in it, or all of it has been put again.
          if (errnoOf(error) !== 'ENOENT') throw error
        })
        await writer.forgetSegment(dead)
        this.#emptied.delete(dead)
      }
    } catch (error) {
      log.warn('no checkpoint of the index', { error: messageOf(error) })
    }
  }
}
