import { SCRUB_SLICE_BYTES } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { DamageReports } from '../damage/reports.ts'
import type { LiveIndex } from '../index/live-index.ts'
import type { IndexDamage, IndexEntry, Location, ShardIndex } from '../index/shard-index.ts'
import type { IndexWriter } from '../index/writer.ts'
import type { SegmentFiles } from '../segment/files.ts'
import { recordBytes } from '../segment/format.ts'
import { readBlocks } from '../segment/read.ts'
import type { Pace } from './pace.ts'

/** What the parts of a scrub work with. */
export interface ScrubPorts {
  readonly files: SegmentFiles
  readonly index: ShardIndex
  readonly live: LiveIndex
  readonly writer: IndexWriter
  readonly damage: DamageReports
  readonly log: Log
  /** Has the next start build the index anew. */
  condemn(damage: IndexDamage): Promise<void>
}

/** The reader's side of a {@link Pace}: counts small pieces and waits once a slice is full. */
export class Reader {
  readonly #pace: Pace
  readonly #signal: AbortSignal
  readonly #onBytes: (bytes: number) => void
  #slice = 0

  /** @param onBytes told of all that is read of segments */
  constructor(pace: Pace, signal: AbortSignal, onBytes: (bytes: number) => void = () => undefined) {
    this.#pace = pace
    this.#signal = signal
    this.#onBytes = onBytes
  }

  /** @throws the signal's reason */
  async took(bytes: number): Promise<void> {
    this.#onBytes(bytes)
    this.#slice += bytes
    if (this.#slice >= SCRUB_SLICE_BYTES) await this.end()
  }

  /** Waits for what was read since the last slice. @throws the signal's reason */
  async end(): Promise<void> {
    const slice = this.#slice
    this.#slice = 0
    await this.#pace.took(slice, this.#signal)
  }
}

/** Why the shard cannot be read where the index says it is; undefined when it can. @throws what is not the shard's fault */
export async function faultOf(
  files: SegmentFiles,
  { address, location }: IndexEntry,
): Promise<string | undefined> {
  try {
    await files.use(location.segment, (file) => readWhole(file, address, location))
    return undefined
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'corrupt') return error instanceof Error ? error.message : code
    if (code === 'EIO') return 'the disk cannot read it: EIO'
    if (code === 'ENOENT') return 'its segment file is missing'
    throw error
  }
}

async function readWhole(
  file: Parameters<typeof readBlocks>[0],
  address: ShardAddress,
  location: Location,
): Promise<void> {
  await readBlocks(file, address, location, { start: 0, end: location.dataBytes })
}

export function bytesOf({ ownerBytes, dataBytes }: Location): number {
  return recordBytes(ownerBytes, dataBytes)
}
