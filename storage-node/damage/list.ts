import { DAMAGED_SHARDS_CACHED_MAX } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { shardName } from '../index/plan.ts'
import type { Damage, ShardIndex } from '../index/shard-index.ts'

/** Entries read together. */
const PAGE = 1000

/**
 * The shards that are known to be unreadable here. They lie in the index; in memory are their number and, as long as
 * they are few, their names, so that a read of a node without damage asks nobody.
 */
export class DamageList {
  readonly #index: ShardIndex
  /** Sequences by {@link shardName}; of all, or of the first DAMAGED_SHARDS_CACHED_MAX. */
  readonly #known = new Map<string, number>()
  #count = 0

  /** An empty one; see {@link load}. */
  constructor(index: ShardIndex) {
    this.#index = index
  }

  /** Takes over what lies in the index. @throws as the index */
  async load(): Promise<void> {
    this.forget()
    for await (const damage of this.all()) this.added([damage])
  }

  /** All that lies in the index, in order of address. @throws as the index */
  async *all(): AsyncGenerator<Damage, void, undefined> {
    let after: ShardAddress | undefined
    for (;;) {
      const page = await this.#index.listDamage(after, PAGE)
      yield* page
      after = page.at(-1)?.address
      if (page.length < PAGE) return
    }
  }

  get count(): number {
    return this.#count
  }

  /** Whether the record of the shard with this sequence number is damaged. @throws as the index */
  async has(address: ShardAddress, sequence: number): Promise<boolean> {
    if (this.#count === 0) return false
    const found = await this.among([address])
    return found.get(shardName(address)) === sequence
  }

  /** Those of the shards that are damaged, by {@link shardName}, with the sequences of their records. @throws as the index */
  async among(addresses: readonly ShardAddress[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    if (this.#count === 0) return found
    if (this.#known.size === this.#count) {
      for (const address of addresses) {
        const name = shardName(address)
        const sequence = this.#known.get(name)
        if (sequence !== undefined) found.set(name, sequence)
      }
      return found
    }
    for (const damage of await this.#index.damageOf(addresses)) {
      if (damage !== undefined) found.set(shardName(damage.address), damage.sequence)
    }
    return found
  }

  /** @throws as the index */
  list(after: ShardAddress | undefined, limit: number): Promise<Damage[]> {
    return this.#count === 0 ? Promise.resolve([]) : this.#index.listDamage(after, limit)
  }

  /** Says what the index was told: shards that were not in the list. */
  added(damage: readonly Damage[]): void {
    for (const { address, sequence } of damage) {
      if (this.#known.size < DAMAGED_SHARDS_CACHED_MAX) this.#known.set(shardName(address), sequence)
    }
    this.#count += damage.length
  }

  /** Likewise: shards that were in it. */
  removed(addresses: readonly ShardAddress[]): void {
    for (const address of addresses) this.#known.delete(shardName(address))
    this.#count -= addresses.length
  }

  /** As after the index was cleared. */
  forget(): void {
    this.#known.clear()
    this.#count = 0
  }
}
