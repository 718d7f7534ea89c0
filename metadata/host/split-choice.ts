import type { Position } from '../../core/keyspace/partitions.ts'
import type { MetadataNode } from '../node.ts'
import { refused } from './map-plans.ts'

/** Where a partition of this process is to be split that nobody named a position for. @throws {MetadataError} PARTITION_REFUSED */
export async function chooseSplit(node: MetadataNode, id: number): Promise<Position> {
  throw refused(`where is partition ${id} to be split? ${node.options.id}`)
}
