/** Which nodes have been away for so long that others are to take their slots. Pure: times are given. */

import { NODES_SUBSTITUTED_MIN, NODES_SUBSTITUTED_SHARE } from '../../limits.ts'

export interface Sighting {
  readonly id: string
  readonly zone: string
  /** `unknown`: whoever looks was away itself. A node that is up and takes no writes is up. */
  readonly liveness: 'up' | 'down' | 'unknown'
}

interface NodeHistory {
  readonly down: boolean
  /** Time it has been down since it last was up for long enough to forget it. */
  readonly downMs: number
  /** Time it has been up without a break; 0 while it is down. */
  readonly upMs: number
}

/** By node id. */
export type FailureHistory = ReadonlyMap<string, NodeHistory>

export interface FailureRules {
  /** Time down after which a node's slots go to others. */
  readonly graceMs: number
  /** Time up after which the time down is forgotten. */
  readonly flapMs: number
}

const FRESH: NodeHistory = { down: false, downMs: 0, upMs: 0 }

/**
 * The history after another look. Time counts where a node was seen in the same state at both ends of it. While it is not
 * known who is away, nothing is, and what was known is forgotten: that errs by one grace period at most, and towards
 * leaving shards where they are.
 *
 * @param elapsedMs since the last look
 */
export function observe(
  history: FailureHistory,
  nodes: readonly Sighting[],
  elapsedMs: number,
  { flapMs }: FailureRules,
): FailureHistory {
  return new Map(
    nodes.map(({ id, liveness }): [string, NodeHistory] => {
      if (liveness === 'unknown') return [id, FRESH]
      const before = history.get(id) ?? FRESH
      if (liveness === 'down') {
        return [id, { down: true, downMs: before.downMs + (before.down ? elapsedMs : 0), upMs: 0 }]
      }
      const upMs = before.down ? 0 : before.upMs + elapsedMs
      return [id, { down: false, downMs: upMs >= flapMs ? 0 : before.downMs, upMs }]
    }),
  )
}

export interface Verdict {
  /** Nodes whose slots are to be given to others, those that have been away for longest first. */
  readonly substitute: readonly string[]
  /** Why some that are overdue are left alone; empty if none is. */
  readonly held: string
}

/**
 * Which nodes to substitute now.
 *
 * Substitutes lie in the same zone, so a zone that is away as a whole moves nothing, whichever side of a partition this is
 * on. Beyond that, what looks more like a network or a power failure than like a broken machine is left to people:
 *
 * - a zone with more nodes down than up: those that are left could not bear it, and most likely all come back together;
 * - several zones at a time, unless each misses one node only;
 * - more nodes at a time than `NODES_SUBSTITUTED_MIN`, or that share of all.
 *
 * @param filling nodes whose slots others have been given, and are being filled
 */
export function judge(
  history: FailureHistory,
  nodes: readonly Sighting[],
  filling: ReadonlySet<string>,
  { graceMs }: FailureRules,
): Verdict {
  const overdue = nodes.filter(({ id }) => isOverdue(history.get(id), graceMs))
  const byZone = Map.groupBy(overdue, ({ zone }) => zone)
  if (byZone.size > 1 && [...byZone.values()].some((inZone) => inZone.length > 1)) {
    return { substitute: [], held: `nodes of ${byZone.size} zones are away, and several of one` }
  }
  const held: string[] = []
  const candidates: string[] = []
  for (const [zone, away] of byZone) {
    const members = nodes.filter((node) => node.zone === zone)
    const down = members.filter(({ liveness }) => liveness === 'down').length
    if (down * 2 > members.length) held.push(`${down} of ${members.length} nodes of zone ${zone} are down`)
    else candidates.push(...away.map(({ id }) => id))
  }
  const timeDown = (id: string): number => history.get(id)?.downMs ?? 0
  candidates.sort((a, b) => timeDown(b) - timeDown(a) || (a < b ? -1 : 1))
  const most = Math.max(NODES_SUBSTITUTED_MIN, Math.floor(nodes.length * NODES_SUBSTITUTED_SHARE))
  const underWay = overdue.filter(({ id }) => filling.has(id)).length
  const fresh = candidates.filter((id) => !filling.has(id))
  const room = Math.max(0, most - underWay)
  if (fresh.length > room) held.push(`others are being substituted already, ${most} at a time`)
  // Those that are under way may have had slots that nobody could take before.
  return {
    substitute: [...candidates.filter((id) => filling.has(id)), ...fresh.slice(0, room)],
    held: held.join('; '),
  }
}

/** Nodes that have been up for so long that slots may be given to them without asking anybody. */
export function settled(history: FailureHistory, { flapMs }: FailureRules): string[] {
  return [...history].filter(([, { upMs }]) => upMs >= flapMs).map(([id]) => id)
}

function isOverdue(node: NodeHistory | undefined, graceMs: number): boolean {
  return node !== undefined && node.down && node.downMs >= graceMs
}
