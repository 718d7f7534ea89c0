import { CLEARING_PARTITION } from '../../core/keyspace/keys.ts'
import { LEFTOVERS_BATCH } from '../../core/limits.ts'
import { equals } from '@bufbuild/protobuf'
import {
  type EngineLeftover,
  EngineLeftoverSchema,
  type PartitionMap,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Random } from '../../runtime/ports/random.ts'
import type { Members } from '../coordination/members.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { Engine, Fence } from '../engine/engine.ts'
import { takeLease } from '../partition/lease.ts'
import { next } from '../../core/keyspace/bytes.ts'
import { recordsOf } from './engine-records.ts'
import { abandonPlan, isInUse, removedPlan } from './leftover-plans.ts'
import { positionOf } from './map-plans.ts'

export interface LeftoversOptions {
  readonly self: string
  readonly maps: PartitionMaps
  readonly members: Members
  /** Those that this process reaches, by their ids. */
  readonly engines: ReadonlyMap<string, { readonly engine: Engine }>
  /** Whether a move between engines, by its mark, is one of this process that goes on. */
  readonly isMoving: (move: string) => boolean
  readonly random: Random
}

/**
 * Removes what moves between engines have left behind, by the partition map: what is not listed is not touched. A move to where
 * something is left over first takes its place off the list, and then the lease under which it is removed.
 */
export class Leftovers {
  readonly #options: LeftoversOptions
  #closed = false

  constructor(options: LeftoversOptions) {
    this.#options = options
  }

  /** Removes all that is this process's to remove. @throws {FencedError} another process does, or a move has begun; what an engine throws */
  async remove(): Promise<void> {
    const { maps } = this.#options
    for (const one of maps.map.leftovers) if (one.partition !== 0n) await this.#abandon(one)
    for (const one of maps.map.leftovers) {
      if (this.#closed) return
      if (one.partition !== 0n) continue
      const found = this.#options.engines.get(one.engine)
      if (found !== undefined && this.#isRemover(one.engine)) await this.#remove(one, found.engine)
    }
  }

  /** Removes no more after the batch under way. */
  close(): void {
    this.#closed = true
  }

  /** What a move that does not go on has copied becomes a leftover, once it can copy no more. */
  async #abandon(one: EngineLeftover): Promise<void> {
    const { self, maps, engines, isMoving, random } = this.#options
    const partition = maps.map.partitions.find(({ id }) => id === one.partition)
    const own = one.move === '' ? this.#isRemover(one.engine) : partition?.owner === self
    if (!own || isMoving(one.move)) return
    // Its owner begins again: whoever copied before is fenced by that.
    if (maps.map.leftovers.some((other) => other.partition === one.partition && isMoving(other.move))) return
    const found = engines.get(one.engine)
    if (found === undefined) return
    // One that lies there by now has taken its lease since.
    if (partition?.engine !== one.engine) await takeLease(found.engine, Number(one.partition), random)
    await maps.change(abandonPlan(one))
  }

  async #remove(one: EngineLeftover, engine: Engine): Promise<void> {
    const { maps, random } = this.#options
    const fence = await takeLease(engine, CLEARING_PARTITION, random)
    // A move that begins now takes it off the list before it takes the lease.
    const map = await maps.refresh()
    if (!isListed(map, one) || isInUse(map, one)) return
    const range = { start: positionOf(one.start), end: one.end && positionOf(one.end) }
    for (const records of recordsOf(range, one.outboxes.map(Number))) {
      let { gte } = records
      for (;;) {
        if (this.#closed) return
        const limit = Math.min(LEFTOVERS_BATCH, engine.limits.operations)
        const found = await engine.scan({ gte, lt: records.lt, limit })
        await removeAll(
          engine,
          fence,
          found.map(({ key }) => key).filter((key) => records.holds(key)),
        )
        const last = found.at(-1)
        if (last === undefined || found.length < limit) break
        gte = next(last.key)
      }
    }
    await maps.change(removedPlan(one))
  }

  /** One process for each engine: the coordinator, or the first that reaches it. */
  #isRemover(engine: string): boolean {
    const { self, maps, members } = this.#options
    const able = members.alive.filter(({ engines }) => engines.includes(engine)).map(({ id }) => id)
    const chosen = able.includes(maps.map.rootOwner) ? maps.map.rootOwner : able[0]
    return chosen === self
  }
}

function isListed(map: PartitionMap, one: EngineLeftover): boolean {
  return map.leftovers.some((other) => equals(EngineLeftoverSchema, one, other))
}

async function removeAll(engine: Engine, fence: Fence, keys: readonly Uint8Array[]): Promise<void> {
  let some: Uint8Array[] = []
  let bytes = 0
  for (const key of keys) {
    if (bytes + key.length > engine.limits.bytes) {
      await engine.commit({ fence, puts: [], deletes: some })
      some = []
      bytes = 0
    }
    some.push(key)
    bytes += key.length
  }
  if (some.length > 0) await engine.commit({ fence, puts: [], deletes: some })
}
