/** Requests by the newest map, for as long as the shards of a group belong where they did. */

import { STALE_MAP_RETRIES_MAX } from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { sameSlots, type WorkGroup } from '../cluster/view.ts'
import type { WorkContext } from './context.ts'

/** The shards of a group belong elsewhere than what is being done went by. */
export class SlotsChanged extends Error {
  override readonly name = 'SlotsChanged'

  constructor(group: number) {
    super(`the slots of group ${group} are others by now`)
  }
}

/**
 * Asks with the epoch of the newest map, and again with a newer one when a node knows one. The map changes every few seconds
 * while much moves, and hardly ever for this group.
 *
 * @throws {SlotsChanged}, what `ask` throws, or the signal's reason
 */
export async function byNewestMap<T>(
  { watch }: Pick<WorkContext, 'watch'>,
  group: WorkGroup,
  signal: AbortSignal,
  ask: (epoch: number) => Promise<T>,
): Promise<T> {
  for (let retries = 0; ; retries++) {
    const view = await watch.view(signal)
    const newest = view.groups.get(group.id)
    if (newest === undefined || !sameSlots(newest, group)) throw new SlotsChanged(group.id)
    try {
      return await ask(view.epoch)
    } catch (error) {
      const stale = error instanceof ShardError && error.code === 'stale-map'
      if (!stale || retries >= STALE_MAP_RETRIES_MAX) throw error
      await watch.newerThan(view.epoch)
    }
  }
}
