/** Which nodes may have a shard, by the record and the map. */

import type { Code } from '../../core/erasure/code.ts'
import { parseCode } from '../../core/erasure/code.ts'
import { relocatedTo, type Relocation } from '../../core/placement/relocation.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'
import type { RepairHint } from '../repair/reports.ts'

export interface Blob {
  readonly id: string
  readonly size: number
  readonly code: Code
  readonly group: number
  readonly relocations: readonly Relocation[]
  readonly owner: BlobOwner
  /** Part number of a multipart object; 0: not a part. */
  readonly part: number
}

/** Whose bytes a blob is. */
export interface BlobOwner {
  readonly bucket: string
  readonly key: string
  /** Of a multipart object: the upload id, which its parts have too. */
  readonly version: string
  /** Absent: not an annotation. */
  readonly annotation?: string
}

/** @param owner kept as it is */
export function blobOf(record: BlobRecord, owner: BlobOwner, part: number): Blob {
  const { id, size, code, group, relocations } = record
  return { id, size: Number(size), code: parseCode(code), group, relocations, owner, part }
}

/** What is told to metadata of a blob that needs repair. */
export function hintOf({ id, size, code, group, relocations, owner, part }: Blob): RepairHint {
  const { bucket, key, version, annotation = '' } = owner
  const moved = relocations.map(({ shard, firstStripe, stripeCount, node }) => {
    return { shard, firstStripe, stripeCount, node }
  })
  const blob = { id, size: BigInt(size), code: code.name, group, relocations: moved }
  return { bucket, key, version, part, annotation, blob }
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
