/** When a slot's move is at its end, and telling the map of many at once. */

import { SLOT_FINISH_INTERVAL_MS } from '../../core/limits.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import type { WorkContext } from '../blob/context.ts'

/** A slot that has all of its shards, as `FinishSlots` has it. */
export interface FinishedSlot {
  readonly group: number
  readonly shard: number
  readonly node: string
  readonly source: string
  readonly since: bigint
}

/**
 * The slots of a group whose moves are at their end. Pure.
 *
 * A blob that no listed node holds cannot be seen to lack anything; that takes as many slots whose holders were not listed as
 * the fewest shards that an acknowledged blob has. Where so many are away, nothing ends.
 *
 * @param listed nodes that gave all of their lists
 * @param lacking shard numbers of which the slot's node lacked one at this look, or may have
 */
export function finishedSlots(
  view: WorkView,
  group: WorkGroup,
  listed: ReadonlySet<string>,
  lacking: ReadonlySet<number>,
): FinishedSlot[] {
  const { code } = group.pool
  const blind = group.slots.filter(({ node, source, filling }) => {
    const holder = filling ? source : node
    if (holder === '' || listed.has(holder)) return false
    const known = view.nodes.get(holder)
    return known !== undefined && !known.lost
  })
  if (blind.length > Math.min(code.k, code.m)) return []
  return group.slots.flatMap(({ node, source, filling, since }, shard) =>
    filling && listed.has(node) && !lacking.has(shard)
      ? [{ group: group.id, shard, node, source, since }]
      : [],
  )
}

/** Gathers what passes over groups have finished, and changes the map for all of it together, seldom. */
export class SlotFinisher {
  readonly #context: WorkContext
  /** Of the next change, while it waits for its time. */
  #gathered: FinishedSlot[] | undefined
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(context: WorkContext) {
    this.#context = context
  }

  /**
   * Has the slots finished with the next change. Nobody waits for it: a pass waits for others, and passes over groups with
   * nothing in them are many. When the map has changed, or if it could not be changed, the groups are passed over again.
   */
  finish(slots: readonly FinishedSlot[]): void {
    if (this.#gathered === undefined) {
      this.#gathered = []
      void this.#change(this.#gathered)
    }
    this.#gathered.push(...slots)
  }

  /** Never rejects. */
  async #change(slots: readonly FinishedSlot[]): Promise<void> {
    const { metadata, clock, watch, log } = this.#context
    try {
      await clock.sleep(Math.max(0, this.#lastMs + SLOT_FINISH_INTERVAL_MS - clock.monotonicMs()))
      this.#gathered = undefined
      this.#lastMs = clock.monotonicMs()
      await metadata.call('changeCluster', { change: { case: 'finishSlots', value: { slots: [...slots] } } })
      log.info('slots have all of their shards', { slots: slots.length })
      await watch.refresh()
    } catch (error) {
      log.warn('slots that have all of their shards could not be finished', { slots: slots.length, error })
    }
  }
}
