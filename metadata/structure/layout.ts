import { ROOT_PARTITION } from '../../core/keyspace/keys.ts'
import {
  comparePositions,
  holds,
  type PartitionRange,
  partitionOf,
  type Position,
  WHOLE_RANGE,
} from '../../core/keyspace/partitions.ts'
import type { EngineLeftover, PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { positionOf } from '../host/map-plans.ts'

export interface LaidPartition extends PartitionRange {
  /** Index of its engine; -1: it is none of those that are looked at. */
  readonly engine: number
}

/** What records of a partition are, on an engine: where they belong, or what a move between engines has left or is making, or neither. */
type Standing = 'here' | 'left over' | 'stray'

/** Which partition's records lie on which engine, by the partition map. */
export class Layout {
  readonly partitions: readonly LaidPartition[]
  /** Ids of engines that partitions lie on, and that are none of those that are looked at. */
  readonly unreached: readonly string[]
  readonly #engines: readonly string[]
  readonly #leftovers: readonly EngineLeftover[]
  /** Index of the engine of each outbox. */
  readonly #outboxes: ReadonlyMap<number, number>

  /** @param map undefined: one partition has everything, as a service that starts on such an engine makes it */
  constructor(map: PartitionMap | undefined, engines: readonly string[]) {
    this.#engines = engines
    const seen = (map?.partitions ?? []).map(({ engine }) => engine)
    this.unreached = [...new Set(seen)].filter((id) => !engines.includes(id))
    this.#leftovers = map?.leftovers ?? []
    this.partitions =
      map === undefined
        ? [{ ...WHOLE_RANGE, engine: 0 }]
        : map.partitions.map(({ id, start, engine }, index) => {
            const end = map.partitions[index + 1]?.start
            return {
              id: Number(id),
              start: positionOf(start),
              end: end && positionOf(end),
              engine: engines.indexOf(engine),
            }
          })
    const outboxes = new Map([[ROOT_PARTITION, 0]])
    for (const { id, engine } of this.partitions) outboxes.set(id, engine)
    for (const { engine, outboxes: all } of map?.partitions ?? []) {
      for (const outbox of all) outboxes.set(Number(outbox), engines.indexOf(engine))
    }
    this.#outboxes = outboxes
  }

  /** @throws {RangeError} no partition has it */
  at(position: Position): LaidPartition {
    return partitionOf(this.partitions, position)
  }

  /** What the records of a position are on an engine. */
  standing(engine: number, position: Position): Standing {
    if (this.at(position).engine === engine) return 'here'
    const left = this.#leftOn(engine).some((one) => {
      const end = one.end && positionOf(one.end)
      return holds({ id: 0, start: positionOf(one.start), end }, position)
    })
    return left ? 'left over' : 'stray'
  }

  /** The same of an outbox. */
  outboxStanding(engine: number, outbox: number): Standing {
    if (this.#outboxes.get(outbox) === engine) return 'here'
    const left = this.#leftOn(engine).some(({ outboxes }) => outboxes.includes(BigInt(outbox)))
    return left ? 'left over' : 'stray'
  }

  #leftOn(engine: number): EngineLeftover[] {
    return this.#leftovers.filter((one) => one.engine === this.#engines[engine])
  }
}

/** What is wrong with a partition map; undefined: nothing. */
export function faultOfMap({ partitions, nextId, coordinationEngine }: PartitionMap): string | undefined {
  const [first] = partitions
  if (first === undefined) return 'it has no partition'
  const start = positionOf(first.start)
  if (start.bucket !== '' || start.key !== '') {
    return `nobody has what lies before ${start.bucket}/${start.key}`
  }
  const outboxes = new Set<bigint>()
  for (const [index, { id, start: from, outboxes: all }] of partitions.entries()) {
    const following = partitions[index + 1]
    if (following !== undefined && comparePositions(positionOf(from), positionOf(following.start)) >= 0) {
      return `partition ${id} ends before it begins`
    }
    if (id === 0n || id >= nextId) return `partition ${id} has a number that may be given again`
    if (all[0] !== id) return `partition ${id} does not have its own outbox`
    for (const outbox of all) {
      if (outboxes.has(outbox)) return `two partitions have the outbox ${outbox}`
      outboxes.add(outbox)
    }
  }
  return coordinationEngine === '' ? 'it does not say which engine it lies on' : undefined
}
