import { poolOfGroup } from '../placement/group.ts'

/** Blobs whose shard of this index a node holds and could read last. */
export interface InventoryLine {
  readonly group: number
  readonly shard: number
  readonly blobs: number
}

/** Blobs that some node holds a shard of, by pool id: at least so many, in pools that hold any. */
export function blobsByPool(inventories: Iterable<Iterable<InventoryLine>>): Map<number, number> {
  const most = new Map<number, number>()
  for (const lines of inventories) {
    for (const { group, blobs } of lines) most.set(group, Math.max(most.get(group) ?? 0, blobs))
  }
  const pools = new Map<number, number>()
  for (const [group, blobs] of most) {
    const pool = poolOfGroup(group)
    pools.set(pool, (pools.get(pool) ?? 0) + blobs)
  }
  return pools
}
