import { PARTITION_MOVES_MAX } from '../limits.ts'
import { assignOrphans, balance, Placement } from './balance.ts'
import { mergesOf } from './merges.ts'
import { observe, type Observed } from './observe.ts'
import { splitsOf } from './splits.ts'
import type {
  NodeView,
  Obstacle,
  PartitionReport,
  PartitionSettings,
  PartitionView,
  Proposal,
} from './view.ts'

export interface PolicyInput {
  /** In order. */
  readonly partitions: readonly PartitionView[]
  readonly nodes: readonly NodeView[]
  /** By partition. */
  readonly reports: ReadonlyMap<number, PartitionReport>
  /** Partitions that something is being done with; nothing else is proposed for them. */
  readonly busy: ReadonlySet<number>
  readonly settings: PartitionSettings
  readonly nowMs: number
}

/** What the policy remembers from one decision to the next. A coordinator that takes over begins with none, and waits longer. */
export interface PolicyState {
  readonly observed: ReadonlyMap<number, Observed>
  /** Since when two neighbours have been cold, by their ids. */
  readonly coldSince: ReadonlyMap<string, number>
}

export const INITIAL_POLICY_STATE: PolicyState = { observed: new Map(), coldSince: new Map() }

export interface Decided {
  /** Each is about other partitions: they may be done in any order, or at once. */
  readonly proposals: readonly Proposal[]
  readonly obstacles: readonly Obstacle[]
  readonly state: PolicyState
}

/**
 * What should become of the partitions now: those that nobody serves are given to nodes, hot and large ones split, cold
 * neighbours merge, and what is left of the moves evens out the nodes' loads.
 *
 * It comes to an end: under a load that stays as it is, and with its proposals carried out, it soon proposes nothing. A split
 * leaves at most three quarters on either side, and needs a whole trigger; a merge needs less than a tenth, for long; a move
 * must lower the load of the busier of its two nodes by more than noise.
 */
export function decide(input: PolicyInput, before: PolicyState): Decided {
  const { partitions, nodes, reports, busy, settings, nowMs } = input
  const observed = observe(partitions, reports, before.observed, settings, nowMs)
  const placement = new Placement(nodes, observed)
  const taken = new Set(busy)
  const obstacles: Obstacle[] = []
  const proposals: Proposal[] = []
  const propose = (proposal: Proposal, ...ids: readonly number[]): void => {
    proposals.push(proposal)
    for (const id of ids) taken.add(id)
  }
  assignOrphans(placement, taken, propose, obstacles)
  splitsOf(observed, settings, nowMs, taken, propose, obstacles)
  let moves = PARTITION_MOVES_MAX - busy.size
  const moveWithin = (proposal: Proposal, ...ids: readonly number[]): void => {
    if (proposal.kind === 'move') moves--
    propose(proposal, ...ids)
  }
  const coldSince = mergesOf(
    { observed, placement, settings, nowMs, taken, coldSince: before.coldSince, mayMove: () => moves > 0 },
    moveWithin,
  )
  balance({ placement, settings, nowMs, taken, mayMove: () => moves > 0 }, moveWithin)
  return { proposals, obstacles, state: { observed, coldSince } }
}
