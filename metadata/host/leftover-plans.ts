import { create, equals } from '@bufbuild/protobuf'
import { comparePositions, type Position } from '../../core/keyspace/partitions.ts'
import {
  type EngineLeftover,
  EngineLeftoverSchema,
  type PartitionEntry,
  type PartitionMap,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { MapPlan } from '../coordination/partition-maps.ts'
import { changed, entryOf, positionOf, refused } from './map-plans.ts'

/** Changes of the partition map for moves between engines. All throw PARTITION_REFUSED for what cannot be done. */

export interface EngineMovePlan {
  readonly id: number
  readonly owner: string
  /** Engine ids. */
  readonly from: string
  readonly to: string
  /** The move's own mark. */
  readonly move: string
}

/** What is copied has its place: nobody removes what lies there, as long as the move goes on. */
export function beginMovePlan({ id, owner, from, to, move }: EngineMovePlan): MapPlan {
  return (map) => {
    const { entry, index } = entryOf(map, id)
    assertMovable(entry, owner, from)
    const place = placeOf(map, entry, index, to)
    const others = map.leftovers.filter(({ partition }) => Number(partition) !== id)
    const busy = others.some((one) => one.partition !== 0n && one.engine === to && meet(one, place))
    if (busy) throw refused('what another move left there is still being removed: try again')
    const filled = leftover({ ...place, partition: BigInt(id), move })
    return { leftovers: [...without(map.leftovers, place), filled] }
  }
}

/** The partition lies on the other engine from now on, and what it had on this one is left over. */
export function endMovePlan({ id, owner, from, to, move }: EngineMovePlan): MapPlan {
  return (map) => {
    const { entry, index } = entryOf(map, id)
    assertMovable(entry, owner, from)
    if (!map.leftovers.some((one) => one.move === move)) throw refused('the move was given up meanwhile')
    const left = leftover(placeOf(map, entry, index, from))
    return {
      partitions: map.partitions.with(index, changed(entry, { engine: to })),
      leftovers: [...map.leftovers.filter((one) => one.move !== move), left],
    }
  }
}

/** Nobody copies to there any more: whoever did was fenced out. */
export function abandonPlan(one: EngineLeftover): MapPlan {
  return (map) => ({
    leftovers: map.leftovers.map((other) =>
      equals(EngineLeftoverSchema, one, other) ? leftover({ ...one, partition: 0n, move: '' }) : other,
    ),
  })
}

/** Nothing is there any more. */
export function removedPlan(one: EngineLeftover): MapPlan {
  return (map) => {
    const leftovers = map.leftovers.filter((other) => !equals(EngineLeftoverSchema, one, other))
    if (leftovers.length === map.leftovers.length) throw refused('what is left over there is another by now')
    return { leftovers }
  }
}

/** Whether a partition lies where something is left over, or has its outboxes: then nothing there may be removed. */
export function isInUse(map: PartitionMap, one: EngineLeftover): boolean {
  return map.partitions.some(
    (entry, index) => entry.engine === one.engine && meet(one, placeOf(map, entry, index, entry.engine)),
  )
}

interface Place {
  readonly engine: string
  readonly start: Position
  readonly end: Position | undefined
  readonly outboxes: readonly bigint[]
}

function placeOf(map: PartitionMap, entry: PartitionEntry, index: number, engine: string): Place {
  const end = map.partitions[index + 1]?.start
  return {
    engine,
    start: positionOf(entry.start),
    end: end && positionOf(end),
    outboxes: entry.outboxes,
  }
}

function assertMovable(entry: PartitionEntry, owner: string, engine: string): void {
  if (entry.owner !== owner) throw refused(`partition ${entry.id} belongs to another process by now`)
  if (entry.engine !== engine) throw refused(`partition ${entry.id} lies on another engine by now`)
}

function meet(one: EngineLeftover, place: Place): boolean {
  if (one.outboxes.some((outbox) => place.outboxes.includes(outbox))) return true
  const start = positionOf(one.start)
  const end = one.end && positionOf(one.end)
  return isBefore(later(start, place.start), earlier(end, place.end))
}

/** What is left over but for a place. */
function without(leftovers: readonly EngineLeftover[], place: Place): EngineLeftover[] {
  return leftovers.flatMap((one) => {
    if (one.engine !== place.engine || !meet(one, place)) return [one]
    const start = positionOf(one.start)
    const end = one.end && positionOf(one.end)
    const outboxes = one.outboxes.filter((outbox) => !place.outboxes.includes(outbox))
    const pieces = [
      { start, end: earlier(end, place.start) },
      { start: place.end === undefined ? undefined : later(start, place.end), end },
    ].filter((piece): piece is { start: Position; end: Position | undefined } => {
      return piece.start !== undefined && isBefore(piece.start, piece.end)
    })
    const [first = { start, end: start }, ...more] = pieces
    const kept = [{ ...first, outboxes }, ...more.map((piece) => ({ ...piece, outboxes: [] }))]
    return kept
      .filter((piece) => piece.outboxes.length > 0 || isBefore(piece.start, piece.end))
      .map((piece) => leftover({ ...piece, engine: one.engine, partition: one.partition, move: '' }))
  })
}

function leftover(fields: Partial<EngineLeftover> | Place): EngineLeftover {
  const { $typeName: _, ...init } = { $typeName: undefined, ...fields }
  return create(EngineLeftoverSchema, { ...init, outboxes: [...(init.outboxes ?? [])] })
}

/** Undefined is the end of everything. */
function isBefore(start: Position, end: Position | undefined): boolean {
  return end === undefined || comparePositions(start, end) < 0
}

function later(one: Position, other: Position): Position {
  return comparePositions(one, other) < 0 ? other : one
}

function earlier(one: Position | undefined, other: Position | undefined): Position | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return comparePositions(one, other) < 0 ? one : other
}
