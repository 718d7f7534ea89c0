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
  /** Those whose grace is over. */
  readonly records: readonly OutboxRecord[]
  /** Up to which the page is dealt with: it may be gone on after this one. Absent: not even the first. */
  readonly through?: bigint
  /** Milliseconds until the next one is due; absent when all of them are. */
  readonly waitMs?: number
}

/**
 * Sequences grow with time, whatever the clock says that the times are of: what comes before one that is due is due as well.
 * Those that say they are of the future, since the clock was ahead once, hold up nobody, and are due with the next after them.
 *
 * @param records in order of sequence; @param nowMs by the clock that their times are of
 */
export function dueOf(records: readonly OutboxRecord[], nowMs: number, graceMs: number): Due {
  const last = records.findLastIndex(({ createdMs }) => Number(createdMs) + graceMs <= nowMs)
  const due = records.slice(0, last + 1)
  const left = records.slice(last + 1)
  const first = left.findIndex(({ createdMs }) => Number(createdMs) <= nowMs)
  const young = left[first]
  const through = (young === undefined ? records.at(-1) : (left[first - 1] ?? due.at(-1)))?.sequence
  return {
    records: due,
    ...(through === undefined ? {} : { through }),
    ...(young === undefined ? {} : { waitMs: Number(young.createdMs) + graceMs - nowMs }),
  }
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
