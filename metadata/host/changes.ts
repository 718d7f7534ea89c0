import { orderReserveKey } from '../../core/keyspace/keys.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { ENGINE_MOVE_HOLD_MS_MAX, ENGINE_MOVE_HOLDS_MAX, PARTITION_DRAIN_MS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { ProcessBuckets } from '../buckets/process-buckets.ts'
import type { MapPlan, PartitionMaps } from '../coordination/partition-maps.ts'
import type { Engine } from '../engine/engine.ts'
import type { Room } from '../room.ts'
import { isPurgingBuckets } from '../partition/purge.ts'
import { reserveValue } from '../partition/sequence.ts'
import { type Gate, GateBusyError } from './gate.ts'
import { EngineMove } from './engine-move.ts'
import { endMovePlan } from './leftover-plans.ts'
import { mergePlan, movePlan, refused, reserveIdPlan, splitPlan } from './map-plans.ts'
import type { OwnedPartition } from './owned.ts'
import type { PartitionHost, Served } from './partition-host.ts'
import type { Root } from './root.ts'

export interface ChangesOptions {
  readonly self: string
  readonly maps: PartitionMaps
  readonly host: PartitionHost<OwnedPartition, Root>
  readonly buckets: ProcessBuckets
  /** Those that this process reaches, by their ids. */
  readonly engines: ReadonlyMap<string, { readonly engine: Engine; readonly room: Room | undefined }>
  readonly clock: Clock
  readonly random: Random
}

/** A change that was made. */
export interface Changed {
  readonly map: PartitionMap
  /** For which requests were held. */
  readonly heldMs: number
}

/** What is done while nothing passes the gates: what the map becomes, and what follows when it has. */
interface Step {
  readonly plan: MapPlan
  readonly apply?: () => void
}

/** What was left to copy while requests were held was too much. */
class HeldTooLongError extends Error {
  override readonly name = 'HeldTooLongError'
}

/**
 * Changes of partitions that this process owns. Requests are held meanwhile, none is refused: first those under way end, then the
 * map is changed, then the others find the partitions as they are. When it is not known whether the map was changed, nobody serves
 * what it was about until it is.
 *
 * All throw PARTITION_REFUSED for what cannot be done, with everything as it was, and UNAVAILABLE when that is not known.
 */
export class PartitionChanges {
  readonly #options: ChangesOptions
  /** Moves between engines that go on, by partition. */
  readonly #engineMoves = new Map<number, { readonly to: string; readonly moved: Promise<Changed> }>()
  /** Marks of those. */
  readonly #moves = new Set<string>()

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /**
   * The partition keeps what is before `at`; a new one has the rest, on the same engine, and no record is moved.
   *
   * It takes two changes of the map, and a crash between them costs an id. The new one's orders must be durable before the map has it, and
   * they lie under its id. Were that merely the next one of the map, to be compared with the change itself, two processes that split at
   * once would write under the same id: who comes too late has put lower numbers by then where the other's partition counts on.
   */
  async split(id: number, at: Position): Promise<Changed> {
    const { maps, host, self, clock } = this.#options
    const owned = host.byId(id)
    splitPlan(id, at, self, 0n, 0)(maps.map)
    const half = await this.#takeId()
    await owned.purger.idle()
    return this.#holding([owned], [owned.gate], async () => {
      const { partition } = owned
      if (await isPurgingBuckets(partition)) {
        throw refused('uploads of a bucket that is gone are being removed')
      }
      // Versions of the keys that it takes over have orders up to here: those it makes must be newer.
      const value = reserveValue(partition.orders.end)
      partition.enqueue({ puts: [{ key: orderReserveKey(Number(half)), value }] })
      await partition.settled()
      return {
        plan: splitPlan(id, at, self, half, clock.nowMs()),
        apply: () => {
          partition.resize({ ...partition.range, end: at })
          owned.resized()
        },
      }
    })
  }

  /** @returns an id that is nobody else's, and never was */
  async #takeId(): Promise<bigint> {
    let id = 0n
    // Not of the map that comes back: where the answer was lost, others may have taken theirs since. What was planned last was made, or
    // the same by the same map, for a change is made only where that is still what the engine holds.
    await this.#options.maps.change((map) => {
      id = map.nextId
      return reserveIdPlan(map)
    })
    return id
  }

  /**
   * The left one goes on to where its right neighbour ended. Both are this process's, on one engine. The map is changed once, and again by
   * the tidier when nothing waits in the right one's outbox any more: until then that is read by its name.
   */
  async merge(left: number, right: number): Promise<Changed> {
    const { host, maps, self, clock } = this.#options
    mergePlan(left, right, self, 0)(maps.map)
    const one = host.byId(left)
    const other = host.byId(right)
    if (!one.partition.outbox.counted || !other.partition.outbox.counted) {
      throw refused('what waits in their outboxes is still being counted: try again')
    }
    return this.#holding([one, other], [one.gate, other.gate], async () => {
      one.partition.orders.raise(other.partition.orders.end)
      // Puts nothing but what the orders reserve.
      one.partition.enqueue({})
      await Promise.all([one.partition.settled(), other.partition.settled()])
      return {
        plan: mergePlan(left, right, self, clock.nowMs()),
        apply: () => {
          one.partition.adopt(other.partition)
          one.resized()
        },
      }
    })
  }

  /** Another process serves it from now on. */
  async move(id: number, to: string): Promise<Changed> {
    const { host, self } = this.#options
    const owned = host.byId(id)
    return this.#holding([owned], [owned.gate], async () => {
      await owned.partition.settled()
      return { plan: movePlan(id, self, to) }
    })
  }

  /** Its records lie on another engine from now on. Who asks for the same while it goes on gets the same answer. */
  moveEngine(id: number, to: string): Promise<Changed> {
    const known = this.#engineMoves.get(id)
    if (known?.to === to) return known.moved
    if (known !== undefined) return Promise.reject(refused('it is being moved to another engine already'))
    const moved = this.#moveEngine(id, to).finally(() => {
      this.#engineMoves.delete(id)
    })
    this.#engineMoves.set(id, { to, moved })
    return moved
  }

  /** Whether a move between engines is one of this process that goes on. */
  isMoving(move: string): boolean {
    return this.#moves.has(move)
  }

  /** Ends all copies that are being made on other engines. Resolves when nothing of them goes on. */
  async giveUpCopies(): Promise<void> {
    for (const { copying } of this.#options.host.served) {
      copying?.abort(refused('this process is about to end'))
    }
    await Promise.allSettled([...this.#engineMoves.values()].map(({ moved }) => moved))
  }

  async #moveEngine(id: number, to: string): Promise<Changed> {
    const { maps, host, self, clock, random, engines } = this.#options
    const owned = host.byId(id)
    const source = engines.get(owned.engine)
    const target = engines.get(to)
    if (target === undefined || source === undefined) {
      throw refused(`the metadata process ${self}, which serves it, does not reach engine ${to}`)
    }
    if (owned.copying !== undefined || owned.changing) throw refused('it is being changed already')
    const copying = new AbortController()
    owned.copying = copying
    const plan = { id, owner: self, from: owned.engine, to, move: newIdentifier(clock, random) }
    const { room, engine } = target
    const { signal } = copying
    const move = new EngineMove({ owned, plan, from: source.engine, to: engine, room, maps, random, signal })
    this.#moves.add(plan.move)
    try {
      await move.begin()
      // Until then tasks are moved among its outboxes, though no request asks for it.
      await owned.partition.counted
      return await this.#holdForRest(owned, move, endMovePlan(plan))
    } catch (error) {
      if (error instanceof MetadataError) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw refused(`it stays where it is, for it could not be copied: ${reason}`, error)
    } finally {
      move.close()
      this.#moves.delete(plan.move)
      owned.copying = undefined
    }
  }

  async #holdForRest(owned: OwnedPartition, move: EngineMove, plan: MapPlan): Promise<Changed> {
    for (let attempt = 1; ; attempt++) {
      await move.catchUp()
      let rest = Promise.resolve()
      try {
        const copyRest = async (): Promise<Step> => {
          await owned.partition.settled()
          rest = move.rest()
          await this.#soon(rest)
          return { plan }
        }
        return await this.#holding([owned], [owned.gate], copyRest, true)
      } catch (error) {
        const cause = error instanceof MetadataError ? error.cause : error
        const again = cause instanceof GateBusyError || cause instanceof HeldTooLongError
        if (!again || attempt === ENGINE_MOVE_HOLDS_MAX) throw error
      } finally {
        // Written later, what it read by now would replace what is newer.
        await rest
      }
    }
  }

  /** @throws {HeldTooLongError} */
  async #soon(done: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<undefined>()
    const cancel = this.#options.clock.after(ENGINE_MOVE_HOLD_MS_MAX, () => {
      late.reject(new HeldTooLongError('what was written last could not be copied in time'))
    })
    try {
      await Promise.race([done, late.promise])
    } finally {
      cancel()
    }
  }

  /** Another process has the root from now on. */
  async moveRoot(to: string): Promise<Changed> {
    const { host, self, buckets } = this.#options
    const root = host.servedRoot
    if (root === undefined) throw refused('this process does not have the root')
    return this.#holding([root], [root.gate, buckets.gate], async () => {
      await root.parts.partition.settled()
      return {
        plan: (map) => {
          if (map.rootOwner !== self) throw refused(`the root belongs to ${map.rootOwner} by now`)
          return { rootOwner: to }
        },
      }
    })
  }

  async #holding(
    changed: readonly (OwnedPartition | Root)[],
    gates: readonly Gate[],
    prepare: () => Promise<Step>,
    copied = false,
  ): Promise<Changed> {
    const { clock, host } = this.#options
    if (changed.some(({ changing, dropped }) => changing || dropped)) {
      throw refused('it is being changed already')
    }
    if (!copied && changed.some((one) => 'copying' in one && one.copying !== undefined)) {
      throw refused('it is being moved to another engine')
    }
    for (const one of changed) one.changing = true
    const since = clock.monotonicMs()
    const releases: (() => void)[] = []
    try {
      for (const one of changed) if ('purger' in one) await one.pausePurge()
      for (const gate of gates) releases.push(await gate.hold(clock, PARTITION_DRAIN_MS_MAX))
      if (changed.some(({ dropped }) => dropped)) throw refused('this process does not serve it any more')
      const { plan, apply } = await prepare()
      const map = await this.#change(plan, changed)
      if (!changed.some(({ dropped }) => dropped)) apply?.()
      return { map, heldMs: clock.monotonicMs() - since }
    } catch (error) {
      if (error instanceof GateBusyError) throw refused(error.message, error)
      throw error
    } finally {
      for (const one of changed) one.changing = false
      host.reconcile()
      for (const one of changed) if ('purger' in one) one.resumePurge()
      for (const release of releases) release()
    }
  }

  async #change(plan: MapPlan, changed: readonly Served[]): Promise<PartitionMap> {
    const { maps, host } = this.#options
    try {
      return await maps.change(plan)
    } catch (error) {
      if (error instanceof MetadataError && error.code === FailureCode.PARTITION_REFUSED) throw error
      for (const one of changed) one.drop()
      host.unsureOfMap()
      const message = 'the partition map could not be written; whether it changed is not known'
      throw new MetadataError(FailureCode.UNAVAILABLE, message, {}, { cause: error })
    }
  }
}
