import { blobName, type IndexPlan, type LogRecord, planIndex, shardName } from './plan.ts'
import type {
  IndexEntry,
  InventoryCount,
  Location,
  ScrubProgress,
  SegmentUse,
  ShardIndex,
} from './shard-index.ts'
import { recordBytes } from '../segment/format.ts'
import { DamageList } from '../damage/list.ts'
import { type Finding, planDamage, samePlace } from '../damage/plan.ts'
import { type Change, changesOf, planAccounts } from '../inventory/accounts.ts'
import { Inventory } from '../inventory/inventory.ts'

/** What a pass over the index found, and what is to be put back. */
export interface Restoration {
  readonly segment: number
  readonly entries: readonly IndexEntry[]
  /** Sums over the segment's entries, when the pass began. */
  readonly counted: SegmentSums
  /** What the index thought of the segment then. */
  readonly use: SegmentUse
  /** The inventory then: as it was kept, and as the entries make it. */
  readonly inventory: { readonly kept: readonly InventoryCount[]; readonly true: readonly InventoryCount[] }
}

export type SegmentSums = Pick<SegmentUse, 'liveShards' | 'liveBytes' | 'liveRecordBytes'>

/** Sums over entries of a segment. */
function sumOf(entries: readonly IndexEntry[]): SegmentSums {
  let [liveBytes, liveRecordBytes] = [0, 0]
  for (const { location } of entries) {
    liveBytes += location.dataBytes
    liveRecordBytes += recordBytes(location.ownerBytes, location.dataBytes)
  }
  return { liveShards: entries.length, liveBytes, liveRecordBytes }
}

/** Told of what changed in the index, and by which records. */
type Watcher = (changes: readonly Change[], records: readonly LogRecord[]) => void

const NO_CHANGES = { put: [], remove: [], uses: [] }

/**
 * Brings records of the log into the index, one call at a time, and keeps account of the segments, of the shards that are
 * damaged, and of the blobs that are here.
 */
export class IndexWriter {
  readonly #index: ShardIndex
  readonly #uses: Map<number, SegmentUse>
  readonly damage: DamageList
  readonly inventory: Inventory
  readonly #watchers = new Set<Watcher>()

  /**
   * @param damage what the index holds of it
   * @param inventory likewise
   */
  constructor(
    index: ShardIndex,
    uses: Iterable<SegmentUse>,
    damage = new DamageList(index),
    inventory = new Inventory(1),
  ) {
    this.#index = index
    this.#uses = new Map(Array.from(uses, (use) => [use.segment, use]))
    this.damage = damage
    this.inventory = inventory
  }

  get uses(): ReadonlyMap<number, SegmentUse> {
    return this.#uses
  }

  /** Resolves, once reads see the change, to what it was. */
  async apply(records: readonly LogRecord[]): Promise<IndexPlan> {
    const single = records.filter(({ kind }) => kind !== 'tombstone').map(({ address }) => address)
    const tombs = records.filter(({ kind }) => kind === 'tombstone').map(({ address }) => address)
    const [locations, ...ofBlobs] = await Promise.all([
      single.length === 0 ? [] : this.#index.getMany(single),
      ...tombs.map(({ group, blob }) => this.#index.ofBlob(group, blob)),
    ])
    const shards = new Map<string, Location>()
    for (const [i, address] of single.entries()) {
      const location = locations[i]
      if (location !== undefined) shards.set(shardName(address), location)
    }
    const blobs = new Map<string, IndexEntry[]>()
    for (const [i, address] of tombs.entries()) blobs.set(blobName(address), ofBlobs[i] ?? [])
    const prior = { shards, blobs, uses: this.#uses }
    const plan = planIndex(records, prior)
    await this.#write(plan.changes, changesOf(plan.changes, prior), records)
    return plan
  }

  /** Calls `watch` after each change of the index from now on with what changed, and by what; the result ends that. */
  watch(watch: Watcher): () => void {
    this.#watchers.add(watch)
    return () => {
      this.#watchers.delete(watch)
    }
  }

  /**
   * Lists shards as damaged, unless they have been put elsewhere or removed since, or are listed already. Resolves to those
   * that are new. As {@link apply}, one call at a time.
   */
  async markDamaged(findings: readonly Finding[], foundMs: number): Promise<readonly Finding[]> {
    const addresses = findings.map(({ address }) => address)
    const locations = await this.#index.getMany(addresses)
    const known = await this.damage.among(addresses)
    const { damage, inventory, marked } = planDamage({ findings, locations, known, foundMs })
    if (marked.length === 0) return []
    const counts = this.inventory.after(inventory)
    await this.#index.write({ ...NO_CHANGES, damage, inventory: counts })
    this.damage.added(damage)
    this.inventory.set(counts)
    return marked
  }

  /** Takes shards off the list that were read well, if their records are still those. Resolves to how many. */
  async clearDamage(entries: readonly IndexEntry[]): Promise<number> {
    const addresses = entries.map(({ address }) => address)
    const known = await this.damage.among(addresses)
    if (known.size === 0) return 0
    // A copy has the same number, and may be damaged where it lies now.
    const locations = await this.#index.getMany(addresses)
    const mend = entries
      .filter(({ address, location }, i) => {
        return known.get(shardName(address)) === location.sequence && samePlace(locations[i], location)
      })
      .map(({ address }) => address)
    if (mend.length === 0) return 0
    const back = mend.filter(({ stripe }) => stripe === 0)
    const counts = this.inventory.after(back.map(({ group, shard }) => ({ group, shard, by: 1 })))
    await this.#index.write({ ...NO_CHANGES, mend, inventory: counts })
    this.damage.removed(mend)
    this.inventory.set(counts)
    return mend.length
  }

  /**
   * Puts entries back that the index has lost, and makes its accounts those of what it holds. Nothing is written over.
   * Resolves to how many were put back.
   */
  async restore({ segment, entries, counted, use, inventory }: Restoration): Promise<number> {
    const locations = await this.#index.getMany(entries.map(({ address }) => address))
    const put = entries.filter((_, i) => locations[i] === undefined)
    const now = this.#uses.get(segment)
    if (now === undefined) return 0
    const back = sumOf(put)
    // Since the pass the accounts may have changed, by what was right then as now.
    const right = {
      ...now,
      liveShards: now.liveShards - use.liveShards + counted.liveShards + back.liveShards,
      liveBytes: now.liveBytes - use.liveBytes + counted.liveBytes + back.liveBytes,
      liveRecordBytes:
        now.liveRecordBytes - use.liveRecordBytes + counted.liveRecordBytes + back.liveRecordBytes,
    }
    const truth = new Inventory(0, inventory.true)
    for (const { address } of put) truth.count(address, 1)
    const kept = new Inventory(0, inventory.kept)
    const changes = kept.corrections(truth.counts()).map((count) => ({
      group: count.group,
      shard: count.shard,
      by: count.blobs - kept.blobs(count),
    }))
    const counts = this.inventory.after(changes)
    await this.#index.write({ put, remove: [], uses: [right], inventory: counts })
    this.#uses.set(segment, right)
    this.inventory.set(counts)
    return put.length
  }

  async saveScrub(scrub: ScrubProgress): Promise<void> {
    await this.#index.write({ ...NO_CHANGES, scrub })
  }

  async #write(
    changes: IndexPlan['changes'],
    moves: readonly Change[],
    records: readonly LogRecord[],
  ): Promise<void> {
    const damaged = await this.damage.among(moves.map(({ address }) => address))
    const accounts = planAccounts(moves, damaged)
    const counts = this.inventory.after(accounts.inventory)
    await this.#index.write({ ...changes, mend: accounts.mend, inventory: counts })
    for (const use of changes.uses) this.#uses.set(use.segment, use)
    this.damage.removed(accounts.mend)
    this.inventory.set(counts)
    for (const watch of this.#watchers) watch(moves, records)
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
