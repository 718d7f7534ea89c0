import type { NodeStatus } from '../status/nodes.ts'

/** One slot that goes from one node to another; `from` empty: what was there is lost, and is rebuilt. */
export interface Move {
  readonly from: string
  readonly to: string
}

/** What goes to one node. */
export interface Arrival {
  readonly to: string
  readonly slots: number
  /** Estimated. */
  readonly bytes: number
  readonly from: readonly { readonly node: string; readonly slots: number }[]
}

/**
 * What moves take: for each slot as many bytes as the slots of its present node hold on average, and where that is lost as
 * many as those of all nodes. The largest arrival first.
 */
export function estimateMoves(moves: readonly Move[], nodes: readonly NodeStatus[]): Arrival[] {
  const perSlot = new Map(nodes.map((node) => [node.node, bytesPerSlot([node])]))
  const average = bytesPerSlot(nodes)
  const byTarget = Map.groupBy(moves, ({ to }) => to)
  return [...byTarget]
    .map(([to, those]) => ({
      to,
      slots: those.length,
      bytes: Math.round(those.reduce((sum, { from }) => sum + (perSlot.get(from) ?? average), 0)),
      from: [...Map.groupBy(those, ({ from }) => from)]
        .map(([node, slots]) => ({ node, slots: slots.length }))
        .toSorted((a, b) => b.slots - a.slots || a.node.localeCompare(b.node)),
    }))
    .toSorted((a, b) => b.slots - a.slots || a.to.localeCompare(b.to))
}

function bytesPerSlot(nodes: readonly NodeStatus[]): number {
  let bytes = 0
  let slots = 0
  for (const node of nodes) {
    bytes += node.liveBytes
    slots += node.slots + node.slotsLeaving
  }
  return slots === 0 ? 0 : bytes / slots
}
