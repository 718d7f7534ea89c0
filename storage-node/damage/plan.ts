import { SHARD_DAMAGE_REASON_CHARACTERS_MAX } from '../../core/limits.ts'
import { shardName } from '../index/plan.ts'
import type { Damage, IndexEntry, Location } from '../index/shard-index.ts'
import type { InventoryChange } from '../inventory/inventory.ts'

/** A shard that could not be read where the index said it was. */
export interface Finding extends IndexEntry {
  /** For people. */
  readonly reason: string
}

/** What findings add to the list: nothing for those that lie elsewhere by now, or are in it. */
export function planDamage({
  findings,
  locations,
  known,
  foundMs,
}: {
  readonly findings: readonly Finding[]
  /** Where the shards are, by the order of the findings. */
  readonly locations: readonly (Location | undefined)[]
  /** Shards in the list, by {@link shardName}. */
  readonly known: { has(name: string): boolean }
  readonly foundMs: number
}): { damage: Damage[]; inventory: InventoryChange[]; marked: Finding[] } {
  const marked = new Map<string, Finding>()
  for (const [i, finding] of findings.entries()) {
    const name = shardName(finding.address)
    if (samePlace(locations[i], finding.location) && !known.has(name)) marked.set(name, finding)
  }
  const found = [...marked.values()]
  return {
    marked: found,
    damage: found.map(({ address, location, reason }) => ({
      address,
      sequence: location.sequence,
      foundMs,
      reason: reason.slice(0, SHARD_DAMAGE_REASON_CHARACTERS_MAX),
    })),
    inventory: found
      .filter(({ address }) => address.stripe === 0)
      .map(({ address: { group, shard } }) => ({ group, shard, by: -1 })),
  }
}

/** Whether two locations are the same record at the same place. */
export function samePlace(a: Location | undefined, b: Location): boolean {
  return a?.segment === b.segment && a.offset === b.offset && a.sequence === b.sequence
}
