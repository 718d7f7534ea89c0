import { BALANCE_DIFFERENCE_PERCENT_MIN, BALANCE_LEFT_PERCENT_MIN } from '../limits.ts'
import type { Observed } from './observe.ts'
import type { NodeView, Obstacle, PartitionSettings, Proposal } from './view.ts'

type Propose = (proposal: Proposal, ...ids: readonly number[]) => void

/** Which node serves what, and what it carries, with what is proposed already done. */
export class Placement {
  readonly #nodes: ReadonlyMap<string, NodeView>
  readonly #partitions: ReadonlyMap<number, Observed>
  /** Weight that each node carries. */
  readonly #loads = new Map<string, number>()
  /** Owners by partition. */
  readonly #owners = new Map<number, string>()

  constructor(nodes: readonly NodeView[], partitions: ReadonlyMap<number, Observed>) {
    this.#nodes = new Map(nodes.map((node) => [node.id, node]))
    this.#partitions = partitions
    for (const { id, state } of nodes) if (state !== 'down') this.#loads.set(id, 0)
    for (const [id, { view }] of partitions) {
      if (view.owner !== undefined && this.#loads.has(view.owner)) this.move(id, view.owner)
    }
  }

  /** Whether the node may be given partitions of an engine. */
  accepts(node: string, engine: string): boolean {
    const view = this.#nodes.get(node)
    return view?.state === 'up' && view.engines.has(engine)
  }

  move(partition: number, to: string): void {
    const weight = this.#partitions.get(partition)?.weight ?? 0
    const from = this.#owners.get(partition)
    if (from !== undefined) this.#loads.set(from, this.loadOf(from) - weight)
    this.#owners.set(partition, to)
    this.#loads.set(to, this.loadOf(to) + weight)
  }

  loadOf(node: string): number {
    return this.#loads.get(node) ?? 0
  }

  /** The node with the least load among those that accept the engine, `except` one; by name where equal. */
  least(engine: string, except?: string): string | undefined {
    return [...this.#loads.keys()]
      .filter((node) => node !== except && this.accepts(node, engine))
      .sort((a, b) => this.loadOf(a) - this.loadOf(b) || byName(a, b))[0]
  }

  /** Nodes that serve, the busiest first. */
  busiest(): string[] {
    return [...this.#loads.keys()].sort((a, b) => this.loadOf(b) - this.loadOf(a) || byName(a, b))
  }

  /** Partitions without a node that serves them, the heaviest first. */
  orphans(): Observed[] {
    return byWeight([...this.#partitions.values()].filter(({ view }) => !this.#owners.has(view.id)))
  }

  /** What a node serves, the heaviest first. */
  of(node: string): Observed[] {
    return byWeight([...this.#partitions.values()].filter(({ view }) => this.#owners.get(view.id) === node))
  }

  isLeaving(node: string): boolean {
    return this.#nodes.get(node)?.state === 'leaving'
  }
}

/** Gives what nobody serves to the nodes that carry least, all of it at once: until then its requests fail. */
export function assignOrphans(
  placement: Placement,
  taken: ReadonlySet<number>,
  propose: Propose,
  obstacles: Obstacle[],
): void {
  for (const { view } of placement.orphans()) {
    if (taken.has(view.id)) continue
    const to = placement.least(view.engine)
    if (to === undefined) {
      obstacles.push({ partition: view.id, reason: 'no-node' })
      continue
    }
    placement.move(view.id, to)
    propose({ kind: 'assign', partition: view.id, to }, view.id)
  }
}

export interface BalanceInput {
  readonly placement: Placement
  readonly settings: PartitionSettings
  readonly nowMs: number
  readonly taken: ReadonlySet<number>
  readonly mayMove: () => boolean
}

/** Empties nodes that leave, then moves partitions from busy nodes to idle ones while that gains enough. */
export function balance(
  { placement, settings, nowMs, taken, mayMove }: BalanceInput,
  propose: Propose,
): void {
  const { restMs } = settings
  const move = ({ view }: Observed, to: string, reason: 'leaving' | 'balance'): void => {
    placement.move(view.id, to)
    propose({ kind: 'move', partition: view.id, to, reason }, view.id)
  }
  for (const node of placement.busiest().filter((one) => placement.isLeaving(one))) {
    for (const partition of placement.of(node)) {
      const to = placement.least(partition.view.engine)
      if (to !== undefined && mayMove() && !taken.has(partition.view.id)) move(partition, to, 'leaving')
    }
  }
  while (mayMove()) {
    const free = ({ view, ownerSinceMs }: Observed): boolean =>
      !taken.has(view.id) && nowMs - ownerSinceMs >= restMs
    const best = bestMove(placement, free)
    if (best === undefined) return
    move(best.partition, best.to, 'balance')
  }
}

/**
 * Of the busiest node that can be relieved, the partition whose move brings the two nodes closest. Each such move lowers the
 * sum of the squares of all loads by a least amount, so that they end.
 */
function bestMove(
  placement: Placement,
  free: (partition: Observed) => boolean,
): { partition: Observed; to: string } | undefined {
  for (const from of placement.busiest()) {
    const load = placement.loadOf(from)
    let best: { partition: Observed; to: string; gain: number } | undefined
    for (const partition of placement.of(from)) {
      if (!free(partition)) continue
      const to = placement.least(partition.view.engine, from)
      if (to === undefined) continue
      const difference = load - placement.loadOf(to)
      const left = difference - partition.weight
      if (difference * 100 < load * BALANCE_DIFFERENCE_PERCENT_MIN) continue
      if (left * 100 < BALANCE_LEFT_PERCENT_MIN) continue
      const gain = Math.min(partition.weight, left)
      if (gain > (best?.gain ?? 0)) best = { partition, to, gain }
    }
    if (best !== undefined) return best
  }
  return undefined
}

function byWeight(partitions: Observed[]): Observed[] {
  return partitions.sort((a, b) => b.weight - a.weight || a.view.id - b.view.id)
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1
}
