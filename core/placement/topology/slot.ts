import type { TopologySlot } from './model.ts'

/**
 * The slot once its shards belong on `to`.
 *
 * Readers look at `node`, then at `source`, and reconstruct what neither has. A slot has room for one source, so a slot
 * that already moves from S to T and is given to U cannot name both. The rules, which {@link mayMove} and the planner
 * keep together:
 *
 * - Back to S: it has all that was there before, and T what was written since; T becomes the source.
 * - T leaves in order (drain, balance) while S still is the source: nothing is done until the move to T is finished. All
 *   that is stored stays within reach of readers that way, and no more is copied than if the move began again.
 * - T is lost: S is kept as the source, for all that is left is there.
 * - T is down, and may come back: S is kept as well. What only T has is out of reach while T is down, whatever the map
 *   says; should T return, the passes over the group look at all nodes, and fetch it.
 * - S is lost or unnamed: T is the source, for it has the part that was brought there.
 */
export function moveSlot(slot: TopologySlot, to: string, isLost: (node: string) => boolean): TopologySlot {
  if (slot.node === to) return slot
  if (slot.source === to) {
    return { node: to, source: isLost(slot.node) ? '' : slot.node, filling: true }
  }
  const source = slot.source !== '' && !isLost(slot.source) ? slot.source : slot.node
  return { node: to, source: isLost(source) ? '' : source, filling: true }
}

/** Whether the slot may be given to any node now without taking stored shards out of readers' reach. */
export function mayMove(slot: TopologySlot): boolean {
  return slot.source === ''
}
