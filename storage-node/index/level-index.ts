import { ClassicLevel } from 'classic-level'
import { errnoOf, isDiskFull } from '../../runtime/disk/errno.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { takesWrites } from '../disk/probe.ts'
import {
  CHECKPOINT_KEY,
  checkpointOf,
  checkpointValue,
  DAMAGE_KEYS,
  damageKey,
  damageOf,
  damageValue,
  entryOf,
  INVENTORY_KEYS,
  inventoryKey,
  inventoryOf,
  inventoryValue,
  locationOf,
  locationValue,
  PAST_ALL_KEYS,
  prefixBounds,
  SCRUB_KEY,
  scrubOf,
  scrubValue,
  SEGMENT_KEYS,
  segmentKey,
  SHARD_KEYS,
  shardKey,
  useOf,
  useValue,
} from './keys.ts'
import {
  type Checkpoint,
  type Damage,
  type IndexChanges,
  IndexDamage,
  type IndexEntry,
  type IndexState,
  type InventoryCount,
  type Location,
  type ScrubProgress,
  type ShardIndex,
} from './shard-index.ts'

type Database = ClassicLevel<Buffer, Buffer>

/**
 * Opens the index in `folder`, alone: LevelDB's lock is also the lock of the whole storage node. A database that does
 * not open is thrown away and made anew, as the segments hold nearly all it held; but not on a disk that is full or takes no
 * writes, as it will open when that has passed, with what it knows of segments that are lost.
 * @throws {Error} when another process has it open, or the disk is at fault
 */
export async function openLevelIndex(folder: string): Promise<ShardIndex> {
  try {
    return new LevelIndex(folder, await openDatabase(folder))
  } catch (error) {
    if (errnoOf(error) === 'LEVEL_LOCKED') {
      throw new Error(`${folder} is in use by another process`, { cause: error })
    }
    if (await isDiskAtFault(folder, error)) throw error
    await ClassicLevel.destroy(folder)
    return new LevelIndex(folder, await openDatabase(folder))
  }
}

async function openDatabase(folder: string): Promise<Database> {
  const db = new ClassicLevel<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    // Keys and values are ids and checksums: nothing to compress.
    compression: false,
  })
  try {
    await db.open()
  } catch (error) {
    // It only says that it did not open; why is within.
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error
  }
  return db
}

/** Whether a database may have failed to open although its files are good. */
async function isDiskAtFault(folder: string, error: unknown): Promise<boolean> {
  const isFailure =
    errnoOf(error) === 'LEVEL_IO_ERROR' && !/Input\/output error|No such file/.test(String(error))
  if (isFailure || isDiskFull(error)) return true
  return !(await takesWrites(createNodeDisk(folder)))
}

class LevelIndex implements ShardIndex {
  readonly #folder: string
  #db: Database
  /**
   * Of the first write that failed. Nothing may be written behind it: LevelDB's log may be torn there, and what follows would
   * be lost when it is read.
   */
  #failure: { readonly error: unknown } | undefined

  constructor(folder: string, db: Database) {
    this.#folder = folder
    this.#db = db
  }

  async state(): Promise<IndexState | undefined> {
    try {
      const value = await this.#db.get(CHECKPOINT_KEY)
      const checkpoint = value === undefined ? undefined : checkpointOf(value)
      if (checkpoint === undefined) return undefined
      const rows = await this.#db.iterator(SEGMENT_KEYS).all()
      return { checkpoint, uses: rows.map(([key, use]) => useOf(key, use)) }
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  get(address: ShardAddress): Promise<Location | undefined> {
    return this.#read(async () => {
      const key = shardKey(address)
      const value = await this.#db.get(key)
      return value === undefined ? undefined : locationOf(key, value)
    })
  }

  getMany(addresses: readonly ShardAddress[]): Promise<(Location | undefined)[]> {
    return this.#read(async () => {
      const keys = addresses.map(shardKey)
      const values = await this.#db.getMany(keys)
      return keys.map((key, i) => {
        const value = values[i]
        return value === undefined ? undefined : locationOf(key, value)
      })
    })
  }

  ofBlob(group: number, blob: string): Promise<IndexEntry[]> {
    return this.#range(prefixBounds(group, blob), Infinity)
  }

  list(group: number, after: ShardAddress | undefined, limit: number): Promise<IndexEntry[]> {
    const bounds = prefixBounds(group)
    return this.#range(after === undefined ? bounds : { gt: shardKey(after), lt: bounds.lt }, limit)
  }

  async *entries(): AsyncIterable<IndexEntry> {
    try {
      for await (const [key, value] of this.#db.iterator({ ...SHARD_KEYS, fillCache: false })) {
        yield entryOf(key, value)
      }
    } catch (error) {
      throw asDamage(error)
    }
  }

  damageOf(addresses: readonly ShardAddress[]): Promise<(Damage | undefined)[]> {
    return this.#read(async () => {
      const keys = addresses.map(damageKey)
      const values = await this.#db.getMany(keys)
      return keys.map((key, i) => {
        const value = values[i]
        return value === undefined ? undefined : damageOf(key, value)
      })
    })
  }

  listDamage(after: ShardAddress | undefined, limit: number): Promise<Damage[]> {
    return this.#read(async () => {
      const bounds = after === undefined ? DAMAGE_KEYS : { gt: damageKey(after), lt: DAMAGE_KEYS.lt }
      const rows = await this.#db.iterator({ ...bounds, limit }).all()
      return rows.map(([key, value]) => damageOf(key, value))
    })
  }

  inventory(): Promise<InventoryCount[]> {
    return this.#read(async () => {
      const rows = await this.#db.iterator(INVENTORY_KEYS).all()
      return rows.map(([key, value]) => inventoryOf(key, value))
    })
  }

  scrubProgress(): Promise<ScrubProgress | undefined> {
    return this.#read(async () => {
      const value = await this.#db.get(SCRUB_KEY)
      return value === undefined ? undefined : scrubOf(value)
    })
  }

  async write(changes: IndexChanges): Promise<void> {
    const { damage = [], mend = [], inventory = [], scrub } = changes
    const operations = [
      ...changes.put.map(({ address, location }) => {
        const key = shardKey(address)
        return { type: 'put' as const, key, value: locationValue(key, location) }
      }),
      ...changes.remove.map((address) => ({ type: 'del' as const, key: shardKey(address) })),
      ...changes.uses.map((use) => {
        const key = segmentKey(use.segment)
        return { type: 'put' as const, key, value: useValue(key, use) }
      }),
      ...damage.map((one) => {
        const key = damageKey(one.address)
        return { type: 'put' as const, key, value: damageValue(key, one) }
      }),
      ...mend.map((address) => ({ type: 'del' as const, key: damageKey(address) })),
      ...inventory.map((count) => {
        const key = inventoryKey(count)
        if (count.blobs === 0) return { type: 'del' as const, key }
        return { type: 'put' as const, key, value: inventoryValue(key, count) }
      }),
      ...(scrub === undefined ? [] : [{ type: 'put' as const, key: SCRUB_KEY, value: scrubValue(scrub) }]),
    ]
    await this.#write(() => this.#db.batch(operations))
  }

  async checkpoint(checkpoint: Checkpoint): Promise<void> {
    // A synced write of LevelDB covers its current log file only, and what went into an earlier one may still be in
    // memory. Compacting any range, an empty one included, first writes and syncs that memory as a table.
    await this.#write(async () => {
      await this.#db.compactRange(PAST_ALL_KEYS, PAST_ALL_KEYS)
      await this.#db.put(CHECKPOINT_KEY, checkpointValue(checkpoint), { sync: true })
    })
  }

  async forgetSegment(segment: number): Promise<void> {
    await this.#write(() => this.#db.del(segmentKey(segment)))
  }

  async condemn(): Promise<void> {
    await this.#db.del(CHECKPOINT_KEY, { sync: true })
  }

  async clear(): Promise<void> {
    // A damaged database cannot even be cleared: that reads it. The lock is free for a moment; whoever takes it then
    // gets the folder, and this node fails to open.
    await this.#db.close()
    await ClassicLevel.destroy(this.#folder)
    this.#db = await openDatabase(this.#folder)
    this.#failure = undefined
  }

  async close(): Promise<void> {
    await this.#db.close()
  }

  #range(bounds: { gt?: Buffer; gte?: Buffer; lt: Buffer }, limit: number): Promise<IndexEntry[]> {
    return this.#read(async () => {
      const rows = await this.#db.iterator(limit === Infinity ? bounds : { ...bounds, limit }).all()
      return rows.map(([key, value]) => entryOf(key, value))
    })
  }

  async #write(action: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    try {
      await action()
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  async #read<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      throw asDamage(error)
    }
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof IndexDamage || errnoOf(error) === 'LEVEL_CORRUPTION'
}

function asDamage(error: unknown): unknown {
  if (error instanceof IndexDamage || !isDamage(error)) return error
  return new IndexDamage('LevelDB found damage', { cause: error })
}
