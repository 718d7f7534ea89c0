import { create } from '@bufbuild/protobuf'
import { comparePositions, holds, type Position } from '../../core/keyspace/partitions.ts'
import { PARTITIONS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  EngineLeftoverSchema,
  type PartitionEntry,
  PartitionEntrySchema,
  type PartitionMap,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { MapPlan } from '../coordination/partition-maps.ts'

/** Changes of the partition map, each by what the map is then. All throw PARTITION_REFUSED for what cannot be done. */

export function refused(message: string, cause?: unknown): MetadataError {
  return new MetadataError(FailureCode.PARTITION_REFUSED, message, {}, cause === undefined ? {} : { cause })
}

/** @throws {MetadataError} PARTITION_REFUSED */
export function entryOf(map: PartitionMap, id: number): { entry: PartitionEntry; index: number } {
  const index = map.partitions.findIndex((one) => Number(one.id) === id)
  const entry = map.partitions[index]
  if (entry === undefined) throw refused(`there is no partition ${id}`)
  return { entry, index }
}

export function positionOf(start: { readonly bucket: string; readonly key: string } | undefined): Position {
  return { bucket: start?.bucket ?? '', key: start?.key ?? '' }
}

/** Takes an id that no partition has had: the `nextId` of the map that it is planned by. */
export function reserveIdPlan(map: PartitionMap): Pick<PartitionMap, 'nextId'> {
  return { nextId: map.nextId + 1n }
}

/**
 * A new partition with an outbox of its own, of the same owner, from `at` on.
 * @param half its id, which {@link reserveIdPlan} took
 */
export function splitPlan(id: number, at: Position, owner: string, half: bigint, nowMs: number): MapPlan {
  return (map) => {
    const { entry, index } = entryOf(map, id)
    assertOwner(entry, owner)
    if (map.partitions.length >= PARTITIONS_MAX) {
      throw refused(`there are ${PARTITIONS_MAX} partitions already`)
    }
    if (map.partitions.some(({ outboxes }) => outboxes.includes(half))) {
      throw refused(`another partition has the number ${half}`)
    }
    const start = positionOf(entry.start)
    const end = map.partitions[index + 1]?.start
    const inside = comparePositions(start, at) < 0 && holds({ id, start, end: end && positionOf(end) }, at)
    if (!inside) throw refused(`partition ${id} cannot be split there: that is not inside it`)
    const right = create(PartitionEntrySchema, {
      id: half,
      start: at,
      engine: entry.engine,
      owner,
      outboxes: [half],
      sinceMs: BigInt(nowMs),
    })
    return { partitions: map.partitions.toSpliced(index + 1, 0, right) }
  }
}

/** The left one goes on to where the right one ended, and takes its outboxes. */
export function mergePlan(left: number, right: number, owner: string, nowMs: number): MapPlan {
  return (map) => {
    const { entry, index } = entryOf(map, left)
    const other = map.partitions[index + 1]
    if (Number(other?.id) !== right || other === undefined) {
      throw refused(`partition ${right} is not the right neighbour of ${left}`)
    }
    assertOwner(entry, owner)
    assertOwner(other, owner)
    if (entry.engine !== other.engine) {
      throw refused('the two lie on different engines: move one of them first')
    }
    if (map.leftovers.some(({ partition }) => partition === entry.id || partition === other.id)) {
      throw refused('one of the two is being moved to another engine, or was to be: try again later')
    }
    const merged = changed(entry, {
      outboxes: [...entry.outboxes, ...other.outboxes],
      sinceMs: BigInt(nowMs),
    })
    return { partitions: map.partitions.toSpliced(index, 2, merged) }
  }
}

/** @param outboxes adopted ones, in which nothing waits any more */
export function forgetOutboxesPlan(id: number, owner: string, outboxes: readonly number[]): MapPlan {
  return (map) => {
    const { entry, index } = entryOf(map, id)
    assertOwner(entry, owner)
    const left = entry.outboxes.filter((outbox) => outbox === entry.id || !outboxes.includes(Number(outbox)))
    return { partitions: map.partitions.with(index, changed(entry, { outboxes: left })) }
  }
}

/** @param to the new owner */
export function movePlan(id: number, owner: string, to: string): MapPlan {
  return (map) => {
    const { entry } = entryOf(map, id)
    assertOwner(entry, owner)
    return withOwners(map, new Map([[id, to]]))
  }
}

/** @param owners by partition, of all that get another */
export function withOwners(
  map: PartitionMap,
  owners: ReadonlyMap<number, string>,
): Pick<PartitionMap, 'partitions' | 'leftovers'> {
  return {
    // What the owner before was copying to another engine is not completed by anybody.
    leftovers: map.leftovers.map((one) => {
      if (one.move === '' || !owners.has(Number(one.partition))) return one
      const { $typeName: _, ...before } = one
      return create(EngineLeftoverSchema, { ...before, move: '' })
    }),
    partitions: map.partitions.map((entry) => {
      const owner = owners.get(Number(entry.id))
      return owner === undefined ? entry : changed(entry, { owner })
    }),
  }
}

export function changed(entry: PartitionEntry, fields: Partial<PartitionEntry>): PartitionEntry {
  const { $typeName: _, ...before } = { ...entry, ...fields }
  return create(PartitionEntrySchema, before)
}

function assertOwner(entry: PartitionEntry, owner: string): void {
  if (entry.owner === owner) return
  throw refused(`partition ${entry.id} belongs to ${entry.owner === '' ? 'nobody' : entry.owner} by now`)
}
