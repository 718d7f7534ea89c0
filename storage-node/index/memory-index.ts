import type { ShardAddress } from '../../proto/shard-transport.ts'
import { prefixBounds, shardKey } from './keys.ts'
import type {
  Checkpoint,
  Damage,
  IndexChanges,
  IndexEntry,
  IndexState,
  InventoryCount,
  Location,
  ScrubProgress,
  SegmentUse,
  ShardIndex,
} from './shard-index.ts'

interface Content {
  readonly entries: ReadonlyMap<string, IndexEntry>
  readonly uses: ReadonlyMap<number, SegmentUse>
  readonly checkpoint: Checkpoint | undefined
  readonly damage: ReadonlyMap<string, Damage>
  readonly inventory: ReadonlyMap<string, InventoryCount>
  readonly scrub: ScrubProgress | undefined
}

const EMPTY: Content = {
  entries: new Map(),
  uses: new Map(),
  checkpoint: undefined,
  damage: new Map(),
  inventory: new Map(),
  scrub: undefined,
}

/**
 * An index in memory, for tests: it can be had again as a crash leaves it (`afterCrash`), which is any state between the
 * last checkpoint and now.
 */
export class MemoryIndex implements ShardIndex {
  readonly #entries: Map<string, IndexEntry>
  readonly #uses: Map<number, SegmentUse>
  #checkpoint: Checkpoint | undefined
  readonly #damage: Map<string, Damage>
  readonly #inventory: Map<string, InventoryCount>
  #scrub: ScrubProgress | undefined
  /** The state at the last checkpoint, then one for each write since. */
  #history: Content[]

  /** False once the power of its disk is cut: it takes nothing then. */
  powered: () => boolean = () => true

  constructor(content: Content = EMPTY) {
    this.#entries = new Map(content.entries)
    this.#uses = new Map(content.uses)
    this.#checkpoint = content.checkpoint
    this.#damage = new Map(content.damage)
    this.#inventory = new Map(content.inventory)
    this.#scrub = content.scrub
    this.#history = [content]
  }

  /** The index after a crash that kept `share` (0 … 1) of the writes since the last checkpoint. */
  afterCrash(share: number): MemoryIndex {
    return new MemoryIndex(this.#history[Math.round(share * (this.#history.length - 1))])
  }

  async state(): Promise<IndexState | undefined> {
    if (this.#checkpoint === undefined) return undefined
    return { checkpoint: this.#checkpoint, uses: [...this.#uses.values()] }
  }

  async get(address: ShardAddress): Promise<Location | undefined> {
    return this.#entries.get(keyOf(address))?.location
  }

  async getMany(addresses: readonly ShardAddress[]): Promise<(Location | undefined)[]> {
    return addresses.map((address) => this.#entries.get(keyOf(address))?.location)
  }

  async ofBlob(group: number, blob: string): Promise<IndexEntry[]> {
    const bounds = prefixBounds(group, blob)
    return this.#sorted(bounds.gte.toString('hex'), bounds.lt.toString('hex'))
  }

  async list(group: number, after: ShardAddress | undefined, limit: number): Promise<IndexEntry[]> {
    const bounds = prefixBounds(group)
    // No key is a prefix of another, so the first key past `after` is past it with anything appended.
    const from = after === undefined ? bounds.gte.toString('hex') : `${keyOf(after)}0`
    return this.#sorted(from, bounds.lt.toString('hex')).slice(0, limit)
  }

  async *entries(): AsyncIterable<IndexEntry> {
    yield* this.#sorted('', '~')
  }

  async damageOf(addresses: readonly ShardAddress[]): Promise<(Damage | undefined)[]> {
    return addresses.map((address) => this.#damage.get(keyOf(address)))
  }

  async listDamage(after: ShardAddress | undefined, limit: number): Promise<Damage[]> {
    const from = after === undefined ? '' : keyOf(after)
    return [...this.#damage]
      .filter(([key]) => key > from)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, damage]) => damage)
  }

  async inventory(): Promise<InventoryCount[]> {
    return [...this.#inventory.values()]
  }

  async scrubProgress(): Promise<ScrubProgress | undefined> {
    return this.#scrub
  }

  /** Loses an entry, as no crash does. */
  lose(address: ShardAddress): void {
    this.#entries.delete(keyOf(address))
    this.#history.push(this.#content())
  }

  async write(changes: IndexChanges): Promise<void> {
    this.#requirePower()
    const { damage = [], mend = [], inventory = [] } = changes
    for (const entry of changes.put) this.#entries.set(keyOf(entry.address), entry)
    for (const address of changes.remove) this.#entries.delete(keyOf(address))
    for (const use of changes.uses) this.#uses.set(use.segment, use)
    for (const one of damage) this.#damage.set(keyOf(one.address), one)
    for (const address of mend) this.#damage.delete(keyOf(address))
    for (const count of inventory) {
      const name = `${count.group}/${count.shard}`
      if (count.blobs === 0) this.#inventory.delete(name)
      else this.#inventory.set(name, count)
    }
    this.#scrub = changes.scrub ?? this.#scrub
    this.#history.push(this.#content())
  }

  async checkpoint(checkpoint: Checkpoint): Promise<void> {
    this.#requirePower()
    this.#checkpoint = checkpoint
    this.#history = [this.#content()]
  }

  async forgetSegment(segment: number): Promise<void> {
    this.#requirePower()
    this.#uses.delete(segment)
    this.#history.push(this.#content())
  }

  async condemn(): Promise<void> {
    this.#requirePower()
    this.#checkpoint = undefined
    this.#history = [this.#content()]
  }

  async clear(): Promise<void> {
    this.#entries.clear()
    this.#uses.clear()
    this.#damage.clear()
    this.#inventory.clear()
    this.#scrub = undefined
    await this.condemn()
  }

  async close(): Promise<void> {}

  #requirePower(): void {
    if (!this.powered()) throw new Error('the power is cut')
  }

  #content(): Content {
    return {
      entries: new Map(this.#entries),
      uses: new Map(this.#uses),
      checkpoint: this.#checkpoint,
      damage: new Map(this.#damage),
      inventory: new Map(this.#inventory),
      scrub: this.#scrub,
    }
  }

  #sorted(from: string, to: string): IndexEntry[] {
    return [...this.#entries]
      .filter(([key]) => key >= from && key < to)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, entry]) => entry)
  }
}

function keyOf(address: ShardAddress): string {
  return shardKey(address).toString('hex')
}
