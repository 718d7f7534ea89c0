/** The placement groups in which nodes may have shards: those of the map's pools, and those that no pool has. */

import { FSCK_REQUESTS_IN_FLIGHT_MAX, PLACEMENT_GROUPS_PER_POOL } from '../../core/limits.ts'
import { groupId } from '../../core/placement/group.ts'
import { eachOf, inTime } from '../blob/context.ts'
import type { WorkView } from '../cluster/view.ts'
import type { FsckContext } from './context.ts'

/** In order of their ids. Of pools that are gone, or never were, only groups are told of which some node has shards. */
export async function groupsToCheck(context: FsckContext, view: WorkView): Promise<number[]> {
  const known = new Set(view.pools.map(({ id }) => id))
  const perPool = Math.max(PLACEMENT_GROUPS_PER_POOL, ...view.pools.map(({ groups }) => groups.length))
  const highest = Math.max(view.map.poolIdMax, ...known) + 1
  const asked: number[] = []
  for (let pool = 0; pool <= highest; pool++) {
    const has = view.pools.find(({ id }) => id === pool)?.groups.length ?? 0
    for (let index = has; index < perPool; index++) asked.push(groupId(pool, index))
  }
  const strange = await groupsWithShards(context, view, asked)
  return [...view.groups.keys(), ...strange].toSorted((a, b) => a - b)
}

async function groupsWithShards(
  context: FsckContext,
  view: WorkView,
  groups: readonly number[],
): Promise<number[]> {
  const { world, signal } = context
  const found: number[] = []
  const nodes = context.nodesOf(view)
  await eachOf(groups, FSCK_REQUESTS_IN_FLIGHT_MAX, async (group) => {
    for (const node of nodes) {
      if (context.silent.has(node)) continue
      try {
        const { shards } = await inTime(world.clock, signal, (ending) =>
          world.shards.node(node).list({ group, limit: 1 }, ending),
        )
        if (shards.length === 0) continue
        found.push(group)
        return
      } catch (error) {
        signal.throwIfAborted()
        context.silent.set(node, String(error))
      }
    }
  })
  return found
}
