import { INDEX_CHECKPOINT_BYTES } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import type { SegmentFiles } from '../segment/files.ts'
import type { LiveIndex } from './live-index.ts'
import { deadSegments, type LogRecord } from './plan.ts'
import type { Checkpoint, ShardIndex } from './shard-index.ts'
import type { IndexWriter } from './writer.ts'

export interface CheckpointPorts {
  readonly index: ShardIndex
  readonly live: LiveIndex
  readonly writer: IndexWriter
  readonly files: SegmentFiles
  readonly log: Log
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
    if (this.#since >= (this.#ports.checkpointBytes ?? INDEX_CHECKPOINT_BYTES)) void this.make()
  }

  /** Ends for good: the index is not to be trusted. */
  stop(): void {
    this.#stopped = true
  }

  /** Resolves when none is being made. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Makes the last one, if there is anything to say. */
  async close(): Promise<void> {
    await this.#running
    if (this.#since > 0) await this.make()
  }

  /** Makes one now, or waits for the one that is being made. Never throws: a failure costs a longer replay at the next start. */
  make(): Promise<void> {
    this.#running ??= this.#make().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #make(): Promise<void> {
    const position = this.#position
    if (position === undefined || this.#stopped) return
    const { index, live, writer, files, log } = this.#ports
    this.#since = 0
    try {
      await live.flush()
      await index.checkpoint(position)
      for (const dead of deadSegments(writer.uses.values(), position.segment)) {
        await files.remove(dead).catch((error: unknown) => {
          // Lost before; nothing that is needed was in it, or all of it has been put again.
          if (errnoOf(error) !== 'ENOENT') throw error
        })
        await writer.forgetSegment(dead)
      }
    } catch (error) {
      log.warn('no checkpoint of the index', { error: messageOf(error) })
    }
  }
}
