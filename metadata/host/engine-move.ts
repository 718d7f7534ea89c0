import { CLEARING_PARTITION } from '../../core/keyspace/keys.ts'
import { ENGINE_MOVE_HELD_KEYS, ENGINE_MOVE_ROUNDS_MAX } from '../../core/limits.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { Engine } from '../engine/engine.ts'
import { takeLease } from '../partition/lease.ts'
import type { Room } from '../room.ts'
import { EngineCopy, WrittenKeys } from './engine-copy.ts'
import { recordsOf } from './engine-records.ts'
import { beginMovePlan, type EngineMovePlan } from './leftover-plans.ts'
import { refused } from './map-plans.ts'
import type { OwnedPartition } from './owned.ts'

export interface EngineMoveOptions {
  readonly owned: OwnedPartition
  readonly plan: EngineMovePlan
  readonly from: Engine
  readonly to: Engine
  /** Of the engine that is moved to. */
  readonly room: Room | undefined
  readonly maps: PartitionMaps
  readonly random: Random
  readonly signal: AbortSignal
}

/**
 * Copies a partition to another engine while it is being served: all of it, then again and again what was written meanwhile, until so
 * little is left that requests can be held for it.
 *
 * Where it copies to is listed in the map, so that nobody removes anything there, and what an aborted move leaves is removed some
 * time. It writes there under the partition's own lease on that engine, which whoever removes that takes first.
 */
export class EngineMove {
  readonly #options: EngineMoveOptions
  readonly #written: WrittenKeys
  readonly #stopListening: () => void
  #copy: EngineCopy | undefined

  constructor(options: EngineMoveOptions) {
    const { owned } = options
    this.#options = options
    this.#written = new WrittenKeys(recordsOf(owned.range, owned.partition.outboxes))
    this.#stopListening = owned.partition.onWrites((writes) => {
      this.#written.add(writes)
    })
  }

  /** Makes sure of its place. @throws {MetadataError} PARTITION_REFUSED; what an engine throws */
  async begin(): Promise<void> {
    const { owned, plan, from, to, maps, random } = this.#options
    await maps.change(beginMovePlan(plan))
    // Whoever is removing what was left there is stopped, and finds, when they look, that it is left over no more.
    await takeLease(to, CLEARING_PARTITION, random)
    const fence = await takeLease(to, plan.id, random)
    // Were it given up meanwhile, the lease may have been taken from whoever removes what it left.
    await maps.refresh()
    if (!maps.map.leftovers.some(({ move }) => move === plan.move)) {
      throw refused('the move was given up meanwhile')
    }
    const ranges = recordsOf(owned.range, owned.partition.outboxes)
    this.#copy = new EngineCopy({ from, to, fence, ranges, proceed: () => this.#proceed() })
    await this.#copy.all()
  }

  /** Copies until little is left. @throws {MetadataError} PARTITION_REFUSED when it does not come to that; what an engine throws */
  async catchUp(): Promise<void> {
    for (let round = 0; this.#written.size > ENGINE_MOVE_HELD_KEYS; round++) {
      if (round === ENGINE_MOVE_ROUNDS_MAX) {
        throw refused('more is written to it than can be copied meanwhile')
      }
      await this.rest()
    }
  }

  /** Copies all that was written so far. */
  async rest(): Promise<void> {
    const keys = this.#written.take()
    if (keys === undefined) await this.#copy?.all()
    else await this.#copy?.keys(keys)
  }

  /** Nothing is copied any more. */
  close(): void {
    this.#stopListening()
  }

  async #proceed(): Promise<void> {
    const { owned, room, signal } = this.#options
    signal.throwIfAborted()
    if (owned.dropped) throw refused('this process does not serve it any more')
    await room?.requireMore()
  }
}
