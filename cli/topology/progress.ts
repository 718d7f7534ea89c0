import { formatBytes, formatCount, formatSpan } from '../format.ts'
import { plural } from '../plural.ts'
import type { ClusterStatus } from '../status/assess.ts'

/** What is followed: the slots that leave one node or the nodes of a zone, those that come to one, or all that move. */
export type Followed =
  | { readonly kind: 'leaving'; readonly nodes: readonly string[] }
  | { readonly kind: 'coming'; readonly node: string }
  | { readonly kind: 'all' }

/** How far it is. */
export interface Progress {
  /** Slots that are still to move or to be filled. */
  readonly slotsLeft: number
  /** Shards still on the nodes that are left; 0 for what comes. */
  readonly shardsLeft: number
  readonly bytesPerSecond: number
  /** Undefined: not known. */
  readonly secondsLeft: number | undefined
  readonly done: boolean
  /** Why it cannot go on by itself; empty while it can. */
  readonly stuck: string
}

/** A look at some time, to tell the rate by. */
export interface Earlier {
  readonly atMs: number
  readonly slotsLeft: number
  readonly shardsLeft: number
}

/**
 * @param first the first look, to tell the time left by
 * @param nowMs on the same clock
 */
export function progressOf(
  status: ClusterStatus,
  followed: Followed,
  first: Earlier | undefined,
  nowMs: number,
): Progress {
  const all = status.zones.flatMap(({ nodes }) => nodes)
  const moving = status.moves.reduce((sum, { slots }) => sum + slots, 0)
  const rates = (status.risk?.work ?? []).map(({ bytesPerSecond }) => bytesPerSecond)
  const bytesPerSecond = rates.reduce((sum, rate) => sum + rate, 0)
  const leavers = followed.kind === 'leaving' ? all.filter(({ node }) => followed.nodes.includes(node)) : []
  const slotsLeft =
    followed.kind === 'all'
      ? moving
      : followed.kind === 'coming'
        ? (all.find(({ node }) => node === followed.node)?.slotsFilling ?? 0)
        : leavers.reduce((sum, { slots, slotsLeaving }) => sum + slots + slotsLeaving, 0)
  // What a node that is down holds is not known and cannot be cleared away.
  const shardsLeft = leavers
    .filter(({ state }) => state !== 'down' && state !== 'lost')
    .reduce((sum, { shards }) => sum + shards, 0)
  const homeless = leavers.filter(({ slots, slotsLeaving }) => slots > 0 && slotsLeaving === 0)
  return {
    slotsLeft,
    shardsLeft,
    bytesPerSecond,
    secondsLeft: timeLeft({ atMs: nowMs, slotsLeft, shardsLeft }, first),
    done: slotsLeft === 0 && shardsLeft === 0,
    stuck:
      homeless.length > 0 && moving === 0
        ? homeless
            .map(({ node, slots }) => `${plural(slots, 'slot')} of ${node} found no other node`)
            .join('; ')
        : '',
  }
}

function timeLeft(now: Earlier, first: Earlier | undefined): number | undefined {
  if (first === undefined || now.atMs <= first.atMs) return undefined
  const seconds = (now.atMs - first.atMs) / 1000
  // Where a slot has many shards, they tell more finely.
  const [before, left] =
    first.shardsLeft > first.slotsLeft ? [first.shardsLeft, now.shardsLeft] : [first.slotsLeft, now.slotsLeft]
  return before > left && left > 0 ? (left * seconds) / (before - left) : undefined
}

/** One line: `12 slots left, 34,567 shards, 12.3 MiB/s, about 3 min left`. */
export function renderProgress({
  slotsLeft,
  shardsLeft,
  bytesPerSecond,
  secondsLeft,
  done,
}: Progress): string {
  if (done) return 'done'
  return [
    `${plural(slotsLeft, 'slot')} left`,
    ...(shardsLeft > 0
      ? [shardsLeft === 1 ? '1 shard there' : `${formatCount(shardsLeft)} shards there`]
      : []),
    ...(bytesPerSecond > 0 ? [`${formatBytes(bytesPerSecond)}/s`] : []),
    ...(secondsLeft === undefined ? [] : [`about ${formatSpan(secondsLeft)} left`]),
  ].join(', ')
}
