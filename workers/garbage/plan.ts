/** What of the outbox is garbage by now, and where it may lie. Pure. */

import { GARBAGE_EVERYWHERE_NODES_MAX, GARBAGE_MOTION_MS } from '../../core/limits.ts'
import type { GarbageTask, OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** As much of the cluster as decides where a blob may lie. */
export interface GarbageView {
  readonly epoch: number
  readonly nodes: ReadonlyMap<string, { readonly up: boolean }>
  readonly groups: ReadonlyMap<
    number,
    { readonly slots: readonly { readonly node: string; readonly source: string }[] }
  >
}

/** Says whether slots have moved lately. */
export class MapMotion {
  #epoch: number | undefined
  #sinceMs = 0

  /** @param nowMs monotonic. What was before the first look is not known, so it counts as a change. */
  look({ epoch }: Pick<GarbageView, 'epoch'>, nowMs: number): void {
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#sinceMs = nowMs
  }

  /** Whether garbage is to be looked for on all nodes: they are few, or the map was another not long ago. */
  everywhere(nodes: number, nowMs: number, graceMs: number): boolean {
    return nodes <= GARBAGE_EVERYWHERE_NODES_MAX || nowMs - this.#sinceMs < graceMs + GARBAGE_MOTION_MS
  }
}

/** One blob on one node. */
export interface Delete {
  readonly node: string
  readonly group: number
  readonly blob: string
  /** The map or the record names the node: the task is not done before the node has done it. */
  readonly named: boolean
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
 *
 * @param everywhere ask all nodes: a slot that has just moved leaves shards behind on a node that nothing names any more,
 *   which, without a record, would be taken for those of a write under way, and stay for a day
 */
export function deletesOf(view: GarbageView, task: GarbageTask, everywhere: boolean): Delete[] {
  return task.blobs.flatMap(({ id, group, relocations }) => {
    const slots = view.groups.get(group)?.slots
    const all = [...view.nodes.keys()]
    const named = new Set([
      ...(slots?.flatMap(({ node, source }) => [node, source]) ?? all),
      ...relocations.map(({ node }) => node),
    ])
    return [...new Set([...named, ...(everywhere ? all : [])])]
      .filter((node) => view.nodes.get(node)?.up === true)
      .map((node) => ({ node, group, blob: id, named: named.has(node) }))
  })
}
