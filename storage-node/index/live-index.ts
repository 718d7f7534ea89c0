/**
 * The index as a running node uses it. What the log has made durable is findable at once, from memory, and goes into the
 * index behind it, many records together: LevelDB costs a look-up and a batch, each a trip to a thread, however few records
 * they carry. A crash loses nothing by it, as a start replays the log from the last checkpoint.
 */
import { LRUCache } from 'lru-cache'
import { INDEX_DELAY_MS, INDEX_LOCATIONS_MAX, INDEX_PENDING_RECORDS_MAX } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { type IndexPlan, type LogRecord, shardName } from './plan.ts'
import type { Location } from './shard-index.ts'

export interface LiveIndexPorts {
  readonly clock: Clock
  /** Brings records into the index, in order, one call at a time; resolves, once reads see them, to what they changed. */
  apply(records: readonly LogRecord[]): Promise<IndexPlan>
  /** Looks into the index itself. */
  get(address: ShardAddress): Promise<Location | undefined>
  getMany(addresses: readonly ShardAddress[]): Promise<(Location | undefined)[]>
}

export class LiveIndex {
  readonly #ports: LiveIndexPorts
  /** Puts that are not in the index yet, in order of sequence. */
  #pending: LogRecord[] = []
  /** The newest of them of each shard, by {@link shardName}. */
  readonly #unwritten = new Map<string, Location>()
  /** Locations that the index holds too. */
  readonly #known = new LRUCache<string, Location>({ max: INDEX_LOCATIONS_MAX })
  /** Writes that reached the index: a look-up that one of them overtook is not kept. */
  #writes = 0
  #writing: Promise<unknown> = Promise.resolve()
  #failed = false
  #cancelTimer: (() => void) | undefined

  constructor(ports: LiveIndexPorts) {
    this.#ports = ports
  }

  /** Where the shard is now. @throws as the index */
  async get(address: ShardAddress): Promise<Location | undefined> {
    const name = shardName(address)
    const found = this.#unwritten.get(name) ?? this.#known.get(name)
    if (found !== undefined) return found
    const writes = this.#writes
    const location = await this.#ports.get(address)
    const newer = this.#unwritten.get(name)
    if (newer !== undefined) return newer
    if (location !== undefined && writes === this.#writes) this.#known.set(name, location)
    return location
  }

  /** The same for many, in order; leaves what it remembers as it is. @throws as the index */
  async getMany(addresses: readonly ShardAddress[]): Promise<(Location | undefined)[]> {
    const names = addresses.map(shardName)
    // Before and after: one may reach the index, behind the back of the look-up, meanwhile.
    const before = names.map((name) => this.#unwritten.get(name))
    const locations = await this.#ports.getMany(addresses)
    return names.map((name, i) => this.#unwritten.get(name) ?? before[i] ?? locations[i])
  }

  /** Whether the index does not know yet of all the blob's shards. */
  isBehind(group: number, blob: string): boolean {
    return this.#pending.some(({ address }) => address.blob === blob && address.group === group)
  }

  /**
   * Takes durable records, one call at a time, in order; resolves, once {@link get} sees them, to how many shards each
   * removed. Puts wait in memory; a tombstone, which has to know what it buries, and a copy, which may be older than what the
   * index knows, take them along into the index.
   * @throws what the index throws, now or at the write before; then none of `records` was taken
   */
  async commit(records: readonly LogRecord[]): Promise<readonly number[]> {
    const room = this.#pending.length + records.length <= INDEX_PENDING_RECORDS_MAX
    if (this.#failed || !room || !records.every(isNewPut)) return await this.#write(records)
    for (const record of records) {
      this.#pending.push(record)
      this.#unwritten.set(shardName(record.address), record.location)
    }
    this.#cancelTimer ??= this.#ports.clock.after(INDEX_DELAY_MS, () => {
      // What fails here is tried again, and thrown, by the next commit.
      this.flush().catch(() => undefined)
    })
    return records.map(() => 0)
  }

  /** Resolves when everything committed so far is in the index. @throws as the index */
  async flush(): Promise<void> {
    await this.#write([])
  }

  /**
   * Runs `action` when everything committed so far is in the index, and keeps further writes from it meanwhile; the action
   * must not wait for one. @throws as the index
   */
  settled<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(async () => {
      await this.#writeAll([])
      return await action()
    })
    this.#writing = done.catch(() => undefined)
    return done
  }

  /** @param more records that come after all that is pending */
  #write(more: readonly LogRecord[]): Promise<readonly number[]> {
    const done = this.#writing.then(() => this.#writeAll(more))
    this.#writing = done.catch(() => undefined)
    return done
  }

  async #writeAll(more: readonly LogRecord[]): Promise<readonly number[]> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const count = this.#pending.length
    const records = [...this.#pending, ...more]
    if (records.length === 0) return []
    let plan: IndexPlan
    try {
      plan = await this.#ports.apply(records)
    } catch (error) {
      this.#failed = true
      throw error
    }
    this.#failed = false
    this.#writes++
    this.#pending = this.#pending.slice(count)
    for (const { address, location } of records) {
      const name = shardName(address)
      if (this.#unwritten.get(name) === location) this.#unwritten.delete(name)
    }
    for (const { address, location } of plan.changes.put) this.#known.set(shardName(address), location)
    for (const address of plan.changes.remove) this.#known.delete(shardName(address))
    return plan.removed.slice(count)
  }
}

function isNewPut({ kind, location, origin }: LogRecord): boolean {
  return kind === 'put' && origin === location.segment
}
