import type { ShardAddress } from '../../proto/shard-transport.ts'
import { type Prior, shardName } from '../index/plan.ts'
import type { IndexChanges, Location } from '../index/shard-index.ts'
import type { InventoryChange } from './inventory.ts'

/** A shard whose place in the index changes. */
export interface Change {
  readonly address: ShardAddress
  readonly before: Location | undefined
  readonly after: Location | undefined
}

/** What changes in the index, each shard with where it was before. */
export function changesOf(changes: IndexChanges, prior: Prior): Change[] {
  const places = new Map<string, Location>()
  for (const entries of prior.blobs.values()) {
    for (const { address, location } of entries) places.set(shardName(address), location)
  }
  const before = (address: ShardAddress): Location | undefined => {
    const name = shardName(address)
    return prior.shards.get(name) ?? places.get(name)
  }
  return [
    ...changes.put.map(({ address, location }) => ({ address, before: before(address), after: location })),
    ...changes.remove.map((address) => ({ address, before: before(address), after: undefined })),
  ]
}

/**
 * What follows from changes for the list of damage and the inventory. A shard that is put, moved or removed is not damaged
 * any more.
 *
 * @param damaged those of the shards that are damaged, by {@link shardName}
 */
export function planAccounts(
  changes: readonly Change[],
  damaged: { has(name: string): boolean },
): { mend: ShardAddress[]; inventory: InventoryChange[] } {
  const inventory: InventoryChange[] = []
  const mend: ShardAddress[] = []
  for (const { address, before, after } of changes) {
    const wasDamaged = damaged.has(shardName(address))
    if (wasDamaged) mend.push(address)
    if (address.stripe !== 0) continue
    const counted = before !== undefined && !wasDamaged ? 1 : 0
    const counts = after === undefined ? 0 : 1
    if (counts !== counted) {
      inventory.push({ group: address.group, shard: address.shard, by: counts - counted })
    }
  }
  return { mend, inventory }
}
