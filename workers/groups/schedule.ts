/** Which groups need a pass, and in what order. No I/O. */

import { shardsToSpare } from '../../core/erasure/repair.ts'
import {
  GROUP_AGEING_MS,
  GROUP_REPEATS_MAX,
  GROUP_RETRY_MS_MAX,
  GROUP_RETRY_MS_MIN,
  SLOT_SETTLE_MS,
} from '../../core/limits.ts'
import { mix32 } from '../../core/placement/hash.ts'
import { sameSlots, type WorkGroup, type WorkView } from '../cluster/view.ts'

/**
 * What a pass leaves to be done.
 *
 * - `none`: nothing; or nothing that another look would show.
 * - `now`: shards were moved, a move ended, or the slots are others: another pass at once.
 * - `settle`: all that moves has its shards, as far as one look can tell: another in SLOT_SETTLE_MS.
 * - `ageing`: blobs that no record names are too young to be removed: another in GROUP_AGEING_MS.
 * - `later`: shards are not where they belong, and could not be brought there now.
 */
export type PassResult = 'none' | 'now' | 'settle' | 'ageing' | 'later'

const PAUSES_MS: Readonly<Partial<Record<PassResult, number>>> = {
  settle: SLOT_SETTLE_MS,
  ageing: GROUP_AGEING_MS,
}

interface GroupState {
  group: WorkGroup
  /** A pass is due. */
  due: boolean
  /** How often one was demanded. */
  demands: number
  /** Of the deep passes, the one whose time has come. */
  deepTurn: number
  /** Of the deep passes, the one that was made last. */
  deepDone: number
  failures: number
  /** Passes in a row that were followed by another at once. */
  repeats: number
  /** Monotonic milliseconds before which no pass is made. */
  notBeforeMs: number
  /** Monotonic milliseconds since when it is due. */
  sinceMs: number
}

export interface DuePass {
  readonly group: WorkGroup
  readonly deep: boolean
  /** Shards that the group's worst blobs may still lose, by what is known of the nodes. */
  readonly spare: number
  /** How often one had been demanded by then. */
  readonly demands: number
}

export class GroupSchedule {
  readonly #deepPassMs: number
  readonly #groups = new Map<number, GroupState>()
  /** What nodes could do at the look before. */
  #ableBefore: ReadonlySet<string> = new Set()
  #view: WorkView | undefined

  /** @param deepPassMs time in which a deep pass is made of every group */
  constructor(deepPassMs: number) {
    this.#deepPassMs = deepPassMs
  }

  /**
   * A look at the cluster. Due are new groups, groups whose slots are others, and all groups when a node came back, takes
   * writes again, or was started again: it may have lost what it was not there to see the loss of, and be back before its lease ended.
   */
  look(view: WorkView, nowMs: number, unixMs: number): void {
    const live = [...view.nodes.values()].filter((node) => node.up)
    const able = new Set(
      live.flatMap(({ id, startedMs, writable }) => [
        `${id} since ${startedMs}`,
        ...(writable ? [`${id} takes writes`] : []),
      ]),
    )
    const cameBack = this.#view !== undefined && [...able].some((one) => !this.#ableBefore.has(one))
    this.#ableBefore = able
    this.#view = view
    for (const id of this.#groups.keys()) if (!view.groups.has(id)) this.#groups.delete(id)
    for (const group of view.groups.values()) {
      const deepTurn = turnOf(group.id, unixMs, this.#deepPassMs)
      const state = this.#groups.get(group.id)
      if (state === undefined) {
        this.#groups.set(group.id, {
          group,
          due: true,
          demands: 0,
          deepTurn,
          // The first turn that comes while this process runs is its first.
          deepDone: deepTurn,
          failures: 0,
          repeats: 0,
          notBeforeMs: nowMs,
          sinceMs: nowMs,
        })
        continue
      }
      const moved = !sameSlots(state.group, group)
      state.group = group
      if (deepTurn < state.deepTurn) {
        // The clock was ahead: its turns do not count.
        state.deepTurn = deepTurn
        state.deepDone = Math.min(state.deepDone, deepTurn)
      }
      if (deepTurn > state.deepTurn) {
        state.deepTurn = deepTurn
        demand(state, nowMs)
        if (state.failures === 0) state.notBeforeMs = nowMs
      }
      if (moved || cameBack) {
        demand(state, nowMs)
        state.failures = 0
        state.notBeforeMs = nowMs
      }
    }
  }

  /** Groups that a pass may be made of now, the least redundant first, then those that wait longest. */
  due(nowMs: number, share: (group: WorkGroup) => boolean): DuePass[] {
    const view = this.#view
    if (view === undefined) return []
    return [...this.#groups.values()]
      .filter((state) => state.due && state.notBeforeMs <= nowMs && share(state.group))
      .map((state) => ({ state, spare: spareOfGroup(state.group, view) }))
      .sort((a, b) => a.spare - b.spare || a.state.sinceMs - b.state.sinceMs)
      .map(({ state, spare }) => ({
        group: state.group,
        deep: state.deepTurn > state.deepDone,
        spare,
        demands: state.demands,
      }))
  }

  /** Notes what became of a pass. */
  passed({ group, deep, demands }: DuePass, result: PassResult, nowMs: number): void {
    const state = this.#groups.get(group.id)
    if (state === undefined) return
    // What a deep pass could not do is done by the light ones that follow.
    if (deep) state.deepDone = state.deepTurn
    state.sinceMs = nowMs
    state.repeats = result === 'now' ? state.repeats + 1 : 0
    if (result === 'later' || state.repeats > GROUP_REPEATS_MAX) {
      this.#retryLater(state, nowMs)
      return
    }
    state.failures = 0
    state.notBeforeMs = nowMs + (PAUSES_MS[result] ?? 0)
    // What was demanded during the pass is still due.
    if (result === 'none') state.due = state.demands !== demands || state.deepTurn > state.deepDone
  }

  /** The pass did not come to its end. */
  failed({ group }: DuePass, nowMs: number): void {
    const state = this.#groups.get(group.id)
    if (state !== undefined) this.#retryLater(state, nowMs)
  }

  #retryLater(state: GroupState, nowMs: number): void {
    state.notBeforeMs = nowMs + Math.min(GROUP_RETRY_MS_MAX, GROUP_RETRY_MS_MIN * 2 ** state.failures)
    state.failures++
  }
}

function demand(state: GroupState, nowMs: number): void {
  if (!state.due) state.sinceMs = nowMs
  state.due = true
  state.demands++
}

/** Turns of the deep pass come once in its time, at another time for each group, whichever process counts. */
function turnOf(group: number, unixMs: number, deepPassMs: number): number {
  const phase = (mix32(group) / 2 ** 32) * deepPassMs
  return Math.floor((unixMs + phase) / deepPassMs)
}

/** How many more shards blobs of the group can lose, if all were on the slots' nodes or, of slots that move, on sources. */
function spareOfGroup({ slots, pool }: WorkGroup, view: WorkView): number {
  const lost = slots.flatMap(({ node, source, filling }, shard) =>
    view.isUp(filling ? source : node) ? [] : [shard],
  )
  return shardsToSpare(pool.code, lost)
}
