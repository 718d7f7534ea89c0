/** What of the outbox is garbage by now, and where it may lie. Pure. */

import type { GarbageTask, OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** As much of the cluster as decides where a blob may lie. */
export interface GarbageView {
  readonly nodes: ReadonlyMap<string, { readonly up: boolean }>
  readonly groups: ReadonlyMap<
    number,
    { readonly slots: readonly { readonly node: string; readonly source: string }[] }
  >
}

/** One blob on one node. */
export interface Delete {
  readonly node: string
  readonly group: number
  readonly blob: string
}

export interface Due {
  /** Those at the front of the page whose grace is over. */
  readonly records: readonly OutboxRecord[]
  /** Milliseconds until the next one is due; absent when all of them are. */
  readonly waitMs?: number
}

/** @param records in order of sequence; @param nowMs by the clock that their times are of */
export function dueOf(records: readonly OutboxRecord[], nowMs: number, graceMs: number): Due {
  const young = records.findIndex(({ createdMs }) => Number(createdMs) + graceMs > nowMs)
  const first = records[young]
  if (first === undefined) return { records }
  return { records: records.slice(0, young), waitMs: Number(first.createdMs) + graceMs - nowMs }
}

/**
 * Deletes of a task's blobs on every node that is up and may hold some of a blob: the nodes of its slots, the sources of
 * those that move, and the substitutes that its record names; of a group that the map does not know, all. Nodes that are down
 * are reconciled when they come back.
 */
export function deletesOf(view: GarbageView, task: GarbageTask): Delete[] {
  return task.blobs.flatMap(({ id, group, relocations }) => {
    const slots = view.groups.get(group)?.slots
    const named =
      slots === undefined
        ? [...view.nodes.keys()]
        : [...slots.flatMap(({ node, source }) => [node, source]), ...relocations.map(({ node }) => node)]
    return [...new Set(named)]
      .filter((node) => view.nodes.get(node)?.up === true)
      .map((node) => ({ node, group, blob: id }))
  })
}
