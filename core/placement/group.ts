import { mix32 } from './hash.ts'

/**
 * The placement group, by its index in the pool, of a blob: 0 ≤ group < `groupCount`.
 *
 * @param blobId 32 lower-case hex digits whose last 20 are random (the first 12 are the time)
 */
export function groupOf(blobId: string, groupCount: number): number {
  const random = Number.parseInt(blobId.slice(-16, -8), 16) ^ Number.parseInt(blobId.slice(-8), 16)
  return Math.floor((mix32(random) / 2 ** 32) * groupCount)
}

/** Bits of a group id that hold its index in the pool; the pool's id is above them. */
const INDEX_BITS = 16

/** Groups of one pool, by the width of the index in a group id. */
export const GROUPS_PER_POOL_MAX = 2 ** INDEX_BITS

/** The id of a group, unique in the cluster. `pool` is 1 or more. */
export function groupId(pool: number, index: number): number {
  return pool * GROUPS_PER_POOL_MAX + index
}

/** The id of the pool that a group is of. */
export function poolOfGroup(group: number): number {
  return Math.floor(group / GROUPS_PER_POOL_MAX)
}

/** A pool that no map has: its groups hold what the cluster keeps for itself. Passes, the ledger and sweeps go by the map's pools. */
const SYSTEM_POOL = GROUPS_PER_POOL_MAX - 1

/** The copies of the metadata. Their stripes count from 1, so that inventories, which count stripes 0, do not have them. */
export const JOURNAL_GROUP: number = groupId(SYSTEM_POOL, 0)

/** Whether a group is of no pool of the cluster map, ever. */
export function isSystemGroup(group: number): boolean {
  return poolOfGroup(group) === SYSTEM_POOL
}
