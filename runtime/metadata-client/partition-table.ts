import {
  comparePositions,
  type PartitionRange,
  partitionOf,
  type Position,
} from '../../core/keyspace/partitions.ts'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'

/** One partition, as the map has it. */
export interface MappedPartition extends PartitionRange {
  /** Id of the engine that its records lie in. */
  readonly engine: string
  /** Metadata node; empty: nobody yet. */
  readonly owner: string
  /** Outboxes that its workers' tasks lie in, by partition id. */
  readonly outboxes: readonly number[]
  /** Unix time at which it got its range; 0: it was the first. */
  readonly sinceMs: number
}

/** A partition map, to be searched. Immutable. */
export class PartitionTable {
  readonly map: PartitionMap
  readonly version: bigint
  /** In order, without gap or overlap. */
  readonly partitions: readonly MappedPartition[]
  readonly #byOutbox = new Map<number, MappedPartition>()

  /** @throws {RangeError} when partitions are not in order, or the first does not begin at the beginning */
  constructor(map: PartitionMap) {
    this.map = map
    this.version = map.version
    this.partitions = map.partitions.map(({ id, start, engine, owner, outboxes, sinceMs }, index) => ({
      id: Number(id),
      start: { bucket: start?.bucket ?? '', key: start?.key ?? '' },
      end: map.partitions[index + 1]?.start,
      engine,
      owner,
      outboxes: outboxes.map(Number),
      sinceMs: Number(sinceMs),
    }))
    const [first] = this.partitions
    if (first === undefined || first.start.bucket !== '' || first.start.key !== '') {
      throw new RangeError('the partition map does not begin at the beginning')
    }
    for (const partition of this.partitions) {
      const { start, end } = partition
      if (end !== undefined && comparePositions(start, end) >= 0) {
        throw new RangeError('the partitions of the map are not in order')
      }
      for (const outbox of partition.outboxes) this.#byOutbox.set(outbox, partition)
    }
  }

  /** Metadata node that has the cluster's own records; empty: nobody yet. */
  get rootOwner(): string {
    return this.map.rootOwner
  }

  /** Ids of all that own something. */
  get owners(): ReadonlySet<string> {
    const owners = new Set([this.rootOwner, ...this.partitions.map(({ owner }) => owner)])
    owners.delete('')
    return owners
  }

  /** Ids of all outboxes, in order. */
  get outboxes(): readonly number[] {
    return [...this.#byOutbox.keys()].sort((a, b) => a - b)
  }

  /** The partition that holds a position. */
  at(position: Position): MappedPartition {
    const [only] = this.partitions
    if (only !== undefined && this.partitions.length === 1) return only
    return partitionOf(this.partitions, position)
  }

  /** The partition that follows the one that holds a position; undefined after the last. */
  after(position: Position): MappedPartition | undefined {
    const { end } = this.at(position)
    return end === undefined ? undefined : this.at(end)
  }

  /** The partition whose owner has that outbox; undefined where the map lists none such. */
  byOutbox(outbox: number): MappedPartition | undefined {
    return this.#byOutbox.get(outbox)
  }
}
