import { blobName, type IndexPlan, type LogRecord, planIndex, shardName } from './plan.ts'
import type { IndexEntry, Location, SegmentUse, ShardIndex } from './shard-index.ts'

/** Brings records of the log into the index, one call at a time, and keeps account of the segments. */
export class IndexWriter {
  readonly #index: ShardIndex
  readonly #uses: Map<number, SegmentUse>

  constructor(index: ShardIndex, uses: Iterable<SegmentUse>) {
    this.#index = index
    this.#uses = new Map(Array.from(uses, (use) => [use.segment, use]))
  }

  get uses(): ReadonlyMap<number, SegmentUse> {
    return this.#uses
  }

  /** Resolves, once reads see the change, to what it was. */
  async apply(records: readonly LogRecord[]): Promise<IndexPlan> {
    const puts = records.filter(({ kind }) => kind === 'put').map(({ address }) => address)
    const tombs = records.filter(({ kind }) => kind === 'tombstone').map(({ address }) => address)
    const [locations, ...ofBlobs] = await Promise.all([
      puts.length === 0 ? [] : this.#index.getMany(puts),
      ...tombs.map(({ group, blob }) => this.#index.ofBlob(group, blob)),
    ])
    const shards = new Map<string, Location>()
    for (const [i, address] of puts.entries()) {
      const location = locations[i]
      if (location !== undefined) shards.set(shardName(address), location)
    }
    const blobs = new Map<string, IndexEntry[]>()
    for (const [i, address] of tombs.entries()) blobs.set(blobName(address), ofBlobs[i] ?? [])
    const plan = planIndex(records, { shards, blobs, uses: this.#uses })
    await this.#index.write(plan.changes)
    for (const use of plan.changes.uses) this.#uses.set(use.segment, use)
    return plan
  }

  async forgetSegment(segment: number): Promise<void> {
    await this.#index.forgetSegment(segment)
    this.#uses.delete(segment)
  }

  /** Live shards and bytes, and the bytes of all segments. */
  totals(): { shards: number; liveBytes: number; usedBytes: number } {
    let shards = 0
    let liveBytes = 0
    let usedBytes = 0
    for (const use of this.#uses.values()) {
      shards += use.liveShards
      liveBytes += use.liveBytes
      usedBytes += use.end
    }
    return { shards, liveBytes, usedBytes }
  }
}
