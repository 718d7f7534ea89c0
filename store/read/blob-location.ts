/** Which nodes may have a shard, by the record and the map. */

import type { Code } from '../../core/erasure/code.ts'
import { parseCode } from '../../core/erasure/code.ts'
import { relocatedTo, type Relocation } from '../../core/placement/relocation.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'

export interface Blob {
  readonly id: string
  readonly size: number
  readonly code: Code
  readonly group: number
  readonly relocations: readonly Relocation[]
}

export function blobOf(record: BlobRecord): Blob {
  const { id, size, code, group, relocations } = record
  return { id, size: Number(size), code: parseCode(code), group, relocations }
}

/**
 * The nodes that may have a shard, likeliest first: where the write put it, its slot's node (repair brings it there), and
 * the source of a slot that moves. Empty when the map does not know the group.
 */
export function locations(snapshot: ClusterSnapshot, blob: Blob, stripe: number, shard: number): string[] {
  const slot = snapshot.group(blob.group)?.slots[shard]
  const nodes: string[] = []
  const add = (node: string | undefined): void => {
    if (node !== undefined && node !== '' && !nodes.includes(node)) nodes.push(node)
  }
  if (blob.relocations.length > 0) add(relocatedTo(blob.relocations, shard, stripe))
  add(slot?.node)
  add(slot?.source)
  return nodes
}
