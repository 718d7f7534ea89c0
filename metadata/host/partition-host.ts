import { comparePositions, type PartitionRange, type Position } from '../../core/keyspace/partitions.ts'
import {
  PARTITION_HOLD_MS_MAX,
  PARTITION_MAP_FRESH_MS,
  PARTITION_REOPEN_MS_MAX,
  PARTITION_REOPEN_MS_MIN,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { type MappedPartition, PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { PartitionPorts, ServingLease } from '../partition/partition.ts'

/** What this process serves: a partition, or the root with all that goes by it. */
export interface Served {
  readonly dropped: boolean
  readonly changing: boolean
  /** Resolves when it can serve no more. */
  readonly ended: Promise<MetadataError>
  /** What it was opened with, or was changed to by this process. */
  readonly range: PartitionRange
  /** Id of the engine that its records lie in. */
  readonly engine: string
  /** Serves no more from this moment on. */
  drop(): void
}

export interface HostOptions<P extends Served, R extends Served> {
  /** The name of this process among the owners of the map. */
  readonly self: string
  readonly maps: PartitionMaps
  readonly serving: ServingLease
  readonly ports: Pick<PartitionPorts, 'clock' | 'log'>
  openPartition(mapped: MappedPartition): Promise<P>
  openRoot(): Promise<R>
}

interface Slot<T extends Served> {
  served: T | undefined
  /** Resolves when `served` is there, or the slot is given up. */
  opening: Promise<void> | undefined
  givenUp: boolean
}

/**
 * What this process owns by the partition map, opened and served. It follows the map: what is its own is opened, what is another's is
 * dropped. What fails is opened anew, which makes sure by a new fence that nothing of before is still to come.
 */
export class PartitionHost<P extends Served, R extends Served> {
  readonly #options: HostOptions<P, R>
  readonly #slots = new Map<number, Slot<P>>()
  #root: Slot<R> | undefined
  #table: PartitionTable
  readonly #stopFollowing: () => void
  #freshAtMs = Number.NEGATIVE_INFINITY
  #closed = false
  /** A change of the map failed, and may still be made: what the map says counts only after another change. */
  #unsure: Promise<void> | undefined

  constructor(options: HostOptions<P, R>) {
    this.#options = options
    this.#table = new PartitionTable(options.maps.map)
    this.#stopFollowing = options.maps.onChange((map) => {
      this.#follow(map)
    })
    this.reconcile()
  }

  get table(): PartitionTable {
    return this.#table
  }

  /** Those that are open, in order. */
  get served(): readonly P[] {
    return this.#table.partitions.flatMap(({ id }) => this.#slots.get(id)?.served ?? [])
  }

  get servedRoot(): R | undefined {
    return this.#root?.served
  }

  /**
   * The partition at a position: at once where it is open, without a turn of the event loop, and else when it is.
   * @throws {MetadataError} NOT_MINE, at once or later
   */
  at(position: Position): P | Promise<P> {
    return this.#await(() => {
      const mapped = this.#table.at(position)
      return this.#own(mapped.owner, this.#slots.get(mapped.id))
    })
  }

  /** The same by one of its outboxes. @throws {MetadataError} NOT_MINE, at once or later */
  byOutbox(outbox: number): P | Promise<P> {
    return this.#await(() => {
      const mapped = this.#table.byOutbox(outbox)
      if (mapped === undefined) throw this.#notMine(`the partition map lists no outbox ${outbox}`)
      return this.#own(mapped.owner, this.#slots.get(mapped.id))
    })
  }

  /** An open partition by its id. @throws {MetadataError} NOT_MINE */
  byId(id: number): P {
    const served = this.#slots.get(id)?.served
    if (served === undefined) throw this.#notMine(`this process does not serve partition ${id}`)
    return served
  }

  /** @throws {MetadataError} NOT_MINE, at once or later */
  root(): R | Promise<R> {
    return this.#await(() => this.#own(this.#table.rootOwner, this.#root))
  }

  /** Resolves when nothing is being opened. */
  async idle(): Promise<void> {
    for (;;) {
      const opening = [...this.#slots.values(), this.#root].flatMap((slot) => slot?.opening ?? [])
      if (opening.length === 0) return
      await Promise.all(opening)
    }
  }

  /** Serves nothing any more, until the map is looked at again: others may own all of it by now. */
  dropAll(): void {
    for (const slot of this.#slots.values()) giveUp(slot)
    this.#slots.clear()
    if (this.#root !== undefined) giveUp(this.#root)
    this.#root = undefined
  }

  /**
   * Others had taken this process for dead, and it is back. Whoever gives away what it owned makes sure after it has read the map that
   * this process is gone, and changes the map as it was then: so by a map that this process itself has changed, now that it can be seen
   * again, what is its own is its own.
   */
  returned(): void {
    this.dropAll()
    this.unsureOfMap()
  }

  /** Looks at the map in the engine, and goes by it. */
  async refresh(): Promise<void> {
    await this.#options.maps.refresh()
    this.reconcile()
  }

  /**
   * A change of the map that this process was making may still be made: nothing it was about is served until another change has been
   * made, since then it can be made no more.
   */
  unsureOfMap(): void {
    const { maps, ports } = this.#options
    const settle = async (): Promise<void> => {
      for (;;) {
        try {
          await maps.change(() => ({}))
          return
        } catch (error) {
          if (this.#closed) return
          ports.log.warn('the partition map cannot be written', { error })
          await ports.clock.sleep(PARTITION_REOPEN_MS_MAX)
        }
      }
    }
    const settling = settle().finally(() => {
      if (this.#unsure !== settling) return
      this.#unsure = undefined
      this.reconcile()
    })
    this.#unsure = settling
  }

  /** Drops everything and follows no more. */
  close(): void {
    this.#closed = true
    this.#stopFollowing()
    this.dropAll()
  }

  #follow(map: PartitionMap): void {
    this.#table = new PartitionTable(map)
    this.reconcile()
  }

  /** Opens and drops what the map asks for. */
  reconcile(): void {
    if (this.#closed) return
    this.#dropOthers()
    // What is dropped at once is opened only by a map that counts.
    if (this.#unsure !== undefined) return
    const { self } = this.#options
    for (const [id, mapped] of this.#ownMapped()) {
      if (this.#slots.has(id)) continue
      this.#slots.set(
        id,
        this.#open(
          () => this.#options.openPartition(this.#mapped(mapped)),
          () => this.#table.partitions.find((one) => one.id === id)?.owner === self,
          (slot) => {
            if (this.#slots.get(id) === slot) this.#slots.delete(id)
          },
        ),
      )
    }
    if (this.#table.rootOwner === self) {
      this.#root ??= this.#open(
        () => this.#options.openRoot(),
        () => this.#table.rootOwner === self,
        (slot) => {
          if (this.#root === slot) this.#root = undefined
        },
      )
    }
  }

  #ownMapped(): Map<number, MappedPartition> {
    const { self } = this.#options
    return new Map(
      this.#table.partitions.filter(({ owner }) => owner === self).map((mapped) => [mapped.id, mapped]),
    )
  }

  /** Drops what the map gives to others, or has changed. */
  #dropOthers(): void {
    const own = this.#ownMapped()
    for (const [id, slot] of this.#slots) {
      const { served } = slot
      if (served?.changing === true && !served.dropped) continue
      const mapped = own.get(id)
      const fits = served === undefined || (mapped !== undefined && !served.dropped && isSame(served, mapped))
      if (mapped !== undefined && fits) continue
      giveUp(slot)
      this.#slots.delete(id)
    }
    const root = this.#root
    const keepsRoot = root?.served === undefined || !root.served.dropped
    if (root === undefined || (this.#table.rootOwner === this.#options.self && keepsRoot)) return
    if (root.served?.changing === true && keepsRoot) return
    giveUp(root)
    this.#root = undefined
  }

  /** As the map has it at this moment. */
  #mapped(before: MappedPartition): MappedPartition {
    return this.#table.partitions.find(({ id }) => id === before.id) ?? before
  }

  #open<T extends Served>(
    open: () => Promise<T>,
    isOwn: () => boolean,
    forget: (slot: Slot<T>) => void,
  ): Slot<T> {
    const slot: Slot<T> = { served: undefined, opening: undefined, givenUp: false }
    slot.opening = this.#opened(slot, open, isOwn).then((served) => {
      slot.opening = undefined
      if (served === undefined) {
        forget(slot)
        return
      }
      void served.ended.then((reason) => {
        if (served.dropped || slot.givenUp) return
        // Its engine failed, or somebody took the fence: what is true is read again.
        this.#options.ports.log.warn('a partition is opened anew', { partition: served.range.id, reason })
        giveUp(slot)
        forget(slot)
        void this.refresh().catch(() => {
          this.reconcile()
        })
      })
    })
    return slot
  }

  async #opened<T extends Served>(
    slot: Slot<T>,
    open: () => Promise<T>,
    isOwn: () => boolean,
  ): Promise<T | undefined> {
    const { maps, ports, serving } = this.#options
    let pauseMs = PARTITION_REOPEN_MS_MIN
    for (;;) {
      let served: T | undefined
      try {
        serving.assertHeld()
        await maps.refresh()
        if (this.#isOver(slot) || !isOwn()) return undefined
        served = await open()
        // Opened by a map that has changed since, it is opened again.
        await maps.refresh()
        if (this.#isOver(slot) || !isOwn()) {
          served.drop()
          return undefined
        }
        const { id } = served.range
        const mapped = this.#table.partitions.find((one) => one.id === id)
        if (mapped === undefined || isSame(served, mapped)) {
          slot.served = served
          return served
        }
        served.drop()
      } catch (error) {
        served?.drop()
        if (this.#isOver(slot)) return undefined
        ports.log.warn('a partition cannot be opened yet', { error })
        await ports.clock.sleep(pauseMs)
        pauseMs = Math.min(PARTITION_REOPEN_MS_MAX, pauseMs * 2)
      }
    }
  }

  #isOver(slot: Slot<Served>): boolean {
    return this.#closed || slot.givenUp
  }

  #own<T extends Served>(owner: string, slot: Slot<T> | undefined): T | Promise<void> {
    if (slot?.served?.dropped === false) return slot.served
    if (slot?.opening !== undefined) return slot.opening
    if (this.#unsure !== undefined) return this.#unsure
    this.#look()
    throw this.#notMine(
      owner === this.#options.self
        ? 'this process is about to serve the partition'
        : 'another metadata process serves the partition',
    )
  }

  /** Asks again after each wait, for a bounded time. */
  #await<T extends Served>(find: () => T | Promise<void>): T | Promise<T> {
    const found = find()
    return found instanceof Promise ? this.#awaited(found, find) : found
  }

  async #awaited<T extends Served>(opening: Promise<void>, find: () => T | Promise<void>): Promise<T> {
    const { clock } = this.#options.ports
    let found: T | Promise<void> = opening
    const late = Promise.withResolvers<'late'>()
    const cancel = clock.after(PARTITION_HOLD_MS_MAX, () => {
      late.resolve('late')
    })
    try {
      for (;;) {
        if (!(found instanceof Promise)) return found
        if ((await Promise.race([found, late.promise])) === 'late') {
          throw this.#notMine('this process has not opened the partition yet')
        }
        found = find()
      }
    } finally {
      cancel()
    }
  }

  /** Somebody goes by another map than this one: one of both is old. */
  #look(): void {
    const now = this.#options.ports.clock.monotonicMs()
    if (now - this.#freshAtMs < PARTITION_MAP_FRESH_MS) return
    this.#freshAtMs = now
    void this.refresh().catch(() => undefined)
  }

  #notMine(message: string): MetadataError {
    return new MetadataError(FailureCode.NOT_MINE, message, { MapVersion: String(this.#table.version) })
  }
}

function giveUp(slot: Slot<Served>): void {
  slot.givenUp = true
  slot.served?.drop()
  slot.served = undefined
}

function isSame({ range, engine }: Served, mapped: MappedPartition): boolean {
  if (engine !== mapped.engine || comparePositions(range.start, mapped.start) !== 0) return false
  if (range.end === undefined || mapped.end === undefined) return range.end === mapped.end
  return comparePositions(range.end, mapped.end) === 0
}
