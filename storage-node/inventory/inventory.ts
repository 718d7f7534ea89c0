import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { InventoryCount } from '../index/shard-index.ts'

/** How many a (group, shard index) gained or lost. */
export interface InventoryChange {
  readonly group: number
  readonly shard: number
  readonly by: number
}

const nameOf = ({ group, shard }: { readonly group: number; readonly shard: number }): string =>
  `${group}/${shard}`

/**
 * The blobs that a node holds a shard of, counted for each group and shard index by the shards of stripe 0 that are not
 * known to be damaged. The index has the same numbers.
 */
export class Inventory {
  readonly #counts = new Map<string, InventoryCount>()
  #version: number

  /** @param version where to begin; one that earlier runs of the node are unlikely to have told */
  constructor(version: number, counts: Iterable<InventoryCount> = []) {
    this.#version = version
    for (const count of counts) if (count.blobs !== 0) this.#counts.set(nameOf(count), count)
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version
  }

  blobs(of: { readonly group: number; readonly shard: number }): number {
    return this.#counts.get(nameOf(of))?.blobs ?? 0
  }

  counts(): InventoryCount[] {
    return [...this.#counts.values()].toSorted((a, b) => a.group - b.group || a.shard - b.shard)
  }

  /** The counts that changes would make. Nothing is changed yet. */
  after(changes: readonly InventoryChange[]): InventoryCount[] {
    const counts = new Map<string, InventoryCount>()
    for (const { group, shard, by } of changes) {
      const name = nameOf({ group, shard })
      const blobs = counts.get(name)?.blobs ?? this.blobs({ group, shard })
      // Never below nothing: a count that was wrong must not make every later one absurd.
      counts.set(name, { group, shard, blobs: Math.max(0, blobs + by) })
    }
    return [...counts.values()]
  }

  /** Counts one shard; no change that a version tells of. */
  count({ group, shard, stripe }: ShardAddress, by: 1 | -1): void {
    if (stripe !== 0) return
    const blobs = this.blobs({ group, shard }) + by
    this.#counts.set(nameOf({ group, shard }), { group, shard, blobs })
  }

  /** What has to be set so that the counts are those of `truth`. */
  corrections(truth: readonly InventoryCount[]): InventoryCount[] {
    const right = new Map(truth.filter(({ blobs }) => blobs > 0).map((count) => [nameOf(count), count]))
    const wrong = [...right.values()].filter(
      (count) => this.#counts.get(nameOf(count))?.blobs !== count.blobs,
    )
    const gone = [...this.#counts.values()].filter((count) => !right.has(nameOf(count)))
    return [...wrong, ...gone.map((count) => ({ ...count, blobs: 0 }))]
  }

  set(counts: readonly InventoryCount[]): void {
    if (counts.length === 0) return
    for (const count of counts) {
      if (count.blobs === 0) this.#counts.delete(nameOf(count))
      else this.#counts.set(nameOf(count), count)
    }
    this.#version++
  }
}
