import type { Message } from '@bufbuild/protobuf'
import { isHotKey, isPurgeKey, orderReserveKey, type OutboxTaskKind } from '../../core/keyspace/keys.ts'
import type { KeyRange } from '../../core/keyspace/bytes.ts'
import { createClip, holds, type PartitionRange } from '../../core/keyspace/partitions.ts'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { VERSION_ORDERS_RESERVED } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { NextTurn } from '../../runtime/ports/next-turn.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { BucketRecords } from '../buckets/bucket-records.ts'
import { OwnBuckets } from '../buckets/own-buckets.ts'
import type { Engine, EngineEntry, ScanRequest } from '../engine/engine.ts'
import { decodeRecord, type RecordKind } from '../records.ts'
import { BlobGuard } from './blob-guard.ts'
import { countFew, countOutboxes, repairKeyOf } from './count-outboxes.ts'
import { GroupCommit, type PendingWrite } from './group-commit.ts'
import { keyName } from '../engine/key-name.ts'
import { takeLease } from './lease.ts'
import { NamedLocks, type Release } from './locks.ts'
import { Outbox, type OutboxTask } from './outbox.ts'
import { Sequence } from './sequence.ts'
import { CachedValue, RecordCache } from './record-cache.ts'

export interface PartitionPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly nextTurn: NextTurn
  /** By default, for the root and for a partition alone, it has them itself. */
  readonly buckets?: BucketRecords
  /** Shared by all that are opened as the same partition in turn, where decisions outlive them; by default its own. */
  readonly locks?: NamedLocks
  /** Undefined where no other process can ever own the partition. */
  readonly serving?: ServingLease
  /** Outboxes of partitions that were merged into this one. */
  readonly adopted?: readonly number[]
}

/** The time in which no other process serves what this one owns. */
export interface ServingLease {
  /** @throws {MetadataError} NOT_MINE when it is over */
  assertHeld(): void
}

/** What a decision changes, with the tasks that follow from it; all of it in one batch. */
export interface Decision {
  readonly puts?: readonly EngineEntry[]
  readonly deletes?: readonly Uint8Array[]
  readonly tasks?: readonly OutboxTask[]
  /** Tasks whose records are among `deletes`. */
  readonly acknowledged?: readonly (OutboxTaskKind | undefined)[]
}

/**
 * The one owner of a range of (bucket, key).
 *
 * A write takes its locks, is decided against durable and pending state, puts its change in line, gives the locks back
 * and waits until it is durable ({@link exclusive}). So writes of one key are decided in order, writes of different
 * keys share a batch, and no answer, not even a refusal, tells of what a crash could still undo.
 *
 * Reads see durable values only. A key with a pending write is read from the engine itself, which shows a batch in one
 * instant; any other from the cache. So a read never goes back behind what another has seen.
 */
export class Partition {
  /** Whose outboxes it has: its own first. */
  readonly outboxes: number[]
  readonly buckets: BucketRecords
  readonly outbox: Outbox
  /** Where versions stand among those of their key: a number is taken by the decision that makes the version. */
  readonly orders: Sequence
  /** Which blobs may be committed, and which be swept. */
  readonly blobs: BlobGuard
  readonly clock: Clock
  readonly log: Log
  readonly #engine: Engine
  readonly #commits: GroupCommit
  readonly #cache: RecordCache
  readonly #locks: NamedLocks
  readonly #listeners: Listeners
  #counted: Promise<void> = Promise.resolve()
  readonly #serving: ServingLease | undefined
  #range: PartitionRange
  #clip: <T extends KeyRange>(range: T) => T

  private constructor(
    engine: Engine,
    range: PartitionRange,
    outbox: Outbox,
    orders: Sequence,
    blobs: BlobGuard,
    commits: GroupCommit,
    cache: RecordCache,
    listeners: Listeners,
    { clock, log, buckets, serving, locks, adopted = [] }: PartitionPorts,
  ) {
    this.#engine = engine
    this.#range = range
    this.#clip = createClip(range)
    this.#serving = serving
    this.#locks = locks ?? new NamedLocks()
    this.outboxes = [range.id, ...adopted]
    this.buckets = buckets ?? new OwnBuckets(this)
    this.outbox = outbox
    this.orders = orders
    this.#commits = commits
    this.#cache = cache
    this.#listeners = listeners
    this.clock = clock
    this.log = log
    this.blobs = blobs
  }

  /** Takes the range over from whoever owned it. @throws {FencedError} */
  static async open(engine: Engine, range: PartitionRange, ports: PartitionPorts): Promise<Partition> {
    const fence = await takeLease(engine, range.id, ports.random)
    // What follows is read after the lease is taken: nobody else can change it now.
    const blobs = new BlobGuard(ports.clock)
    const outbox = await Outbox.open({ engine, partition: range.id, clock: ports.clock })
    const orders = await Sequence.open(engine, orderReserveKey(range.id), VERSION_ORDERS_RESERVED)
    const cache = new RecordCache()
    const listeners: Listeners = { marked: () => undefined, written: new Set() }
    function publish(writes: ReadonlyMap<string, PendingWrite>): void {
      let marked = false
      for (const [name, { key, value }] of writes) {
        if (isHotKey(key)) cache.publish(name, value)
        else if (value !== null && isPurgeKey(key)) marked = true
      }
      for (const written of listeners.written) written(writes)
      if (marked) listeners.marked()
    }
    const commits = new GroupCommit(engine, fence, ports.nextTurn, publish)
    const partition = new Partition(engine, range, outbox, orders, blobs, commits, cache, listeners, ports)
    await partition.#count()
    return partition
  }

  /** Counts what waits in its outboxes: at once if that is little, else while it is served. */
  async #count(): Promise<void> {
    let over = false
    void this.#commits.ended.then(() => {
      over = true
    })
    const parts = {
      engine: this.#engine,
      outbox: this.outbox,
      blobs: this.blobs,
      outboxes: [...this.outboxes],
      clock: this.clock,
      log: this.log,
      between: <T>(run: () => Promise<T>) => this.betweenCommits(run),
      isOver: () => over,
      moveRepairs: (keys: readonly Uint8Array[]) => this.#moveRepairs(keys),
    }
    if (!(await countFew(parts))) this.#counted = countOutboxes(parts)
  }

  /** Resolves when all that waits in its outboxes has been counted, or never will be. */
  get counted(): Promise<void> {
    return this.#counted
  }

  async #moveRepairs(keys: readonly Uint8Array[]): Promise<void> {
    // As who acknowledges tasks does: what is done meanwhile is not put back.
    await this.onName('outbox', async () => {
      for (const key of keys) {
        const value = await this.viewBytes(key)
        if (value !== undefined) this.enqueue({ puts: [{ key: repairKeyOf(key), value }], deletes: [key] })
      }
    })
  }

  get range(): PartitionRange {
    return this.#range
  }

  /** Another range from now on, while nothing of the partition is being read or decided. */
  resize(range: PartitionRange): void {
    // What goes away may come back, and others write it meanwhile.
    this.#cache.clear()
    this.#range = range
    this.#clip = createClip(range)
  }

  /** Takes over the outbox and the keys of its right neighbour, while nothing of either is being read or decided. */
  adopt(right: Partition): void {
    this.outboxes.push(...right.outboxes)
    this.outbox.adopt(right.outbox)
    this.blobs.begin()
    this.resize({ ...this.#range, end: right.range.end })
  }

  /** The outbox of a partition that was merged into this one is empty, and stays so. */
  forgetOutbox(outbox: number): void {
    const index = this.outboxes.indexOf(outbox, 1)
    if (index !== -1) this.outboxes.splice(index, 1)
  }

  /** Where a listing of a bucket is to go on: the first key that may belong to it and to another partition; undefined: there is none. */
  coveredTo(bucket: string, prefix: string): string | undefined {
    const { end } = this.#range
    if (end?.bucket !== bucket) return undefined
    const past = compareUtf8(end.key, prefix) > 0 && !end.key.startsWith(prefix)
    return past ? undefined : end.key
  }

  /** Resolves when nothing can be written any more: to NOT_MINE when another owner has taken over, else the engine has failed. */
  get ended(): Promise<MetadataError> {
    return this.#commits.ended
  }

  /** Decides and reads nothing any more. */
  stop(): void {
    this.#commits.stop()
  }

  /** @throws {MetadataError} NOT_MINE for a position of another partition */
  assertMine(bucket: string, key: string): void {
    if (!holds(this.#range, { bucket, key })) {
      throw new MetadataError(FailureCode.NOT_MINE, 'this key belongs to another partition')
    }
  }

  /** The durable record. Frozen. @throws {NewerFormatError} */
  async read<T extends Message & { format: number }>(
    kind: RecordKind<T>,
    key: Uint8Array,
  ): Promise<T | undefined> {
    return this.lookUp(kind, key)
  }

  /** The same, at once where it is in memory. @throws {NewerFormatError} at once or later */
  lookUp<T extends Message & { format: number }>(
    kind: RecordKind<T>,
    key: Uint8Array,
  ): T | undefined | Promise<T | undefined> {
    this.#commits.assertOwner()
    const value = this.#durable(key)
    if (value instanceof CachedValue) return this.#recordOf(kind, value)
    return value.then((read) => this.#recordOf(kind, read))
  }

  #recordOf<T extends Message & { format: number }>(kind: RecordKind<T>, value: CachedValue): T | undefined {
    // Held after the read, it was held at the moment of which the value is.
    this.#serving?.assertHeld()
    return value.record(kind)
  }

  /** The record as the next decision must see it, pending writes included. The caller holds the key's lock. Frozen. */
  async view<T extends Message & { format: number }>(
    kind: RecordKind<T>,
    key: Uint8Array,
  ): Promise<T | undefined> {
    const pending = this.#commits.pending(keyName(key))
    if (pending === undefined) return this.read(kind, key)
    return pending.value === null ? undefined : decodeRecord(kind, pending.value)
  }

  /** The bytes as the next decision must see them. The caller holds the key's lock. */
  async viewBytes(key: Uint8Array): Promise<Uint8Array | undefined> {
    const pending = this.#commits.pending(keyName(key))
    if (pending !== undefined) return pending.value ?? undefined
    const value = await this.#engine.get(key)
    this.#serving?.assertHeld()
    return value
  }

  /** Whether a write of the key is still to become durable. */
  hasPending(key: Uint8Array): boolean {
    return this.#commits.pending(keyName(key)) !== undefined
  }

  /** Durable entries of the partition: what a range has beyond its ends is left out. A decision that scans waits for {@link settled} first, under its locks. */
  async scan(request: ScanRequest): Promise<EngineEntry[]> {
    this.#commits.assertOwner()
    const entries = await this.#engine.scan(this.#clip(request))
    this.#serving?.assertHeld()
    return entries
  }

  /** Durable entries of several ranges at one and the same moment. */
  async scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    this.#commits.assertOwner()
    const entries = await this.#engine.scanTogether(requests.map((request) => this.#clip(request)))
    this.#serving?.assertHeld()
    return entries
  }

  /** Resolves when all that was decided so far is durable. @throws {MetadataError} */
  settled(): Promise<void> {
    return this.#commits.settled()
  }

  /** Runs something while nothing is on its way to the engine: what is decided meanwhile waits, reads are answered. */
  betweenCommits<T>(run: () => Promise<T>): Promise<T> {
    return this.#commits.between(run)
  }

  /** Whether it can still write: it was not stopped, and its engine has not failed it. */
  get open(): boolean {
    return this.#commits.open
  }

  /** Puts a decision in line. Called under the locks of all it was based on. @throws {MetadataError} */
  enqueue({ puts = [], deletes = [], tasks = [], acknowledged = [] }: Decision): void {
    const kinds = tasks.map((task) => task.case)
    for (const task of tasks) if (task.case === 'garbage') this.blobs.discarded(task.value.blobs ?? [])
    const allPuts = tasks.length === 0 ? [...puts] : [...puts, ...this.outbox.append(tasks)]
    const sequences = this.outbox.sequence.reservation()
    if (sequences !== undefined) allPuts.push(sequences.put)
    const orders = this.orders.reservation()
    if (orders !== undefined) allPuts.push(orders.put)
    this.#commits.enqueue({
      puts: allPuts,
      deletes,
      onDurable: () => {
        this.outbox.count(kinds, 1)
        this.outbox.count(acknowledged, -1)
      },
    })
    sequences?.inLine()
    orders?.inLine()
  }

  /** Calls `marked` whenever markers have become durable that a purge goes by. One listener. */
  onPurgeMarkers(marked: () => void): void {
    this.#listeners.marked = marked
  }

  /** Calls `written` with all that becomes durable from now on, before anybody is answered. The function returned ends it. */
  onWrites(written: (writes: ReadonlyMap<string, PendingWrite>) => void): () => void {
    this.#listeners.written.add(written)
    return () => this.#listeners.written.delete(written)
  }

  /** Decides about one key of a bucket, while the bucket stays as it is. Answers when the decision is durable. */
  async onKey<T>(bucket: string, key: string, decide: () => Promise<T>): Promise<T> {
    this.assertMine(bucket, key)
    const releaseBucket = await this.buckets.hold(bucket)
    const releaseKey = await this.#locks.exclusive(`key ${bucket}\0${key}`)
    return this.#decide(decide, [releaseKey, releaseBucket])
  }

  /** Keeps a bucket of the root from being decided about. */
  holdBucket(bucket: string): Promise<Release> {
    return this.#locks.shared(bucketLock(bucket))
  }

  /** Decides about a bucket of the root, while nothing in it is decided. */
  async onBucket<T>(bucket: string, decide: () => Promise<T>): Promise<T> {
    return this.#decide(decide, [await this.#locks.exclusive(bucketLock(bucket))])
  }

  /** Decides about something else by a name of its own. */
  async onName<T>(name: string, decide: () => Promise<T>): Promise<T> {
    return this.#decide(decide, [await this.#locks.exclusive(`name ${name}`)])
  }

  async #decide<T>(decide: () => Promise<T>, releases: readonly Release[]): Promise<T> {
    let answer: Promise<T>
    const since = this.#commits.position
    try {
      answer = Promise.resolve(await decide())
    } catch (error) {
      answer = Promise.reject(error instanceof Error ? error : new Error(String(error)))
      answer.catch(() => undefined)
    } finally {
      for (const release of releases) release()
    }
    // What it was based on may be pending, and a refusal must not tell of it earlier than it is durable.
    await this.#commits.settled(since)
    return answer
  }

  #durable(key: Uint8Array): CachedValue | Promise<CachedValue> {
    const name = keyName(key)
    if (!isHotKey(key) || this.#commits.pending(name) !== undefined) {
      return this.#engine.get(key).then((bytes) => new CachedValue(bytes ?? null))
    }
    return this.#cache.get(name, () => this.#engine.get(key))
  }
}

interface Listeners {
  marked: () => void
  readonly written: Set<(writes: ReadonlyMap<string, PendingWrite>) => void>
}

function bucketLock(bucket: string): string {
  return `bucket ${bucket}`
}
