import { comparePositions, type Position } from '../../keyspace/partitions.ts'
import { LOAD_SECONDS, SPLIT_SAMPLES_MIN } from '../../limits.ts'
import { mix32 } from '../../placement/hash.ts'
import { decide, INITIAL_POLICY_STATE, type Decided, type PolicyState } from '../decide.ts'
import type { WeightedPosition } from '../load.ts'
import { chooseSplitKey } from '../split-key.ts'
import type { NodeView, PartitionReport, PartitionSettings, PartitionView, Proposal } from '../view.ts'

/** A key that is asked for so often. */
export interface Spot extends Position {
  readonly writes: number
  readonly reads: number
  /** Entries that lie there. */
  readonly entries?: number
}

interface Simulated {
  view: PartitionView
  /** Of the range and the owner as they are. */
  sinceMs: number
}

type Standing = Omit<PartitionReport, 'rates'>

/** Partitions whose load is given, and on which every proposal is carried out at once; time runs as told. */
export class SimulatedPartitions {
  nodes: readonly NodeView[]
  spots: readonly Spot[]
  readonly settings: PartitionSettings
  /** All that was proposed, and when. */
  readonly history: { readonly atMs: number; readonly proposal: Proposal }[] = []
  nowMs = 0
  /** Share by which rates vary from second to second. */
  noise = 0
  readonly #known = new Map<string, { spots: readonly Spot[]; standing: Standing }>()
  readonly #partitions: Simulated[]
  #state: PolicyState = INITIAL_POLICY_STATE
  #nextId: number

  constructor(
    nodes: readonly NodeView[],
    spots: readonly Spot[],
    settings: PartitionSettings,
    partitions: readonly PartitionView[],
  ) {
    this.nodes = nodes
    this.spots = spots
    this.settings = settings
    this.#partitions = partitions.map((view) => ({ view, sinceMs: 0 }))
    this.#nextId = Math.max(...partitions.map(({ id }) => id)) + 1
  }

  get partitions(): PartitionView[] {
    return this.#partitions.map(({ view }) => view)
  }

  /** Runs decisions for so long, one each `stepMs`. Returns the last. */
  run(ms: number, stepMs = 2000): Decided {
    const end = this.nowMs + ms
    let decided = this.#decide()
    while (this.nowMs < end) {
      this.nowMs += stepMs
      decided = this.#decide()
      for (const proposal of decided.proposals) {
        this.history.push({ atMs: this.nowMs, proposal })
        this.#carryOut(proposal)
      }
    }
    return decided
  }

  /** A coordinator that knows nothing of what was before. */
  forget(): void {
    this.#state = INITIAL_POLICY_STATE
  }

  /** Writes and reads a second of a partition. */
  ratesOf(view: PartitionView): { writes: number; reads: number } {
    const inside = this.spots.filter((spot) => within(view, spot))
    return {
      writes: inside.reduce((sum, { writes }) => sum + writes, 0),
      reads: inside.reduce((sum, { reads }) => sum + reads, 0),
    }
  }

  #decide(): Decided {
    const reports = new Map(this.#partitions.map((one) => [one.view.id, this.#reportOf(one)]))
    const { nodes, settings, nowMs, partitions } = this
    const decided = decide({ partitions, nodes, reports, busy: new Set(), settings, nowMs }, this.#state)
    this.#state = decided.state
    return decided
  }

  #reportOf({ view, sinceMs }: Simulated): PartitionReport {
    const seconds = Math.min(LOAD_SECONDS, Math.max(0, Math.floor((this.nowMs - sinceMs) / 1000) - 1))
    const { writes, reads } = this.ratesOf(view)
    const vary = (rate: number, salt: number): number[] =>
      Array.from({ length: seconds }, (_, index) => {
        const second = Math.floor(this.nowMs / 1000) - seconds + index
        return rate * (1 + this.noise * ((2 * mix32(second * 31 + view.id * 7 + salt)) / 2 ** 32 - 1))
      })
    return { rates: { writes: vary(writes, 1), reads: vary(reads, 2) }, ...this.#standing(view) }
  }

  /** What of a report stays as it is while the range and the spots do. */
  #standing(view: PartitionView): Standing {
    const name = JSON.stringify([view.start, view.end])
    const known = this.#known.get(name)
    if (known?.spots === this.spots) return known.standing
    const inside = this.spots.filter((spot) => within(view, spot))
    const weights = { write: 1 / this.settings.writesPerSecond, read: 1 / this.settings.readsPerSecond }
    const sample = sampleOf(inside, ({ writes, reads }) => writes * weights.write + reads * weights.read)
    const standing = {
      split: chooseSplitKey(view, sample),
      entries: inside.reduce((sum, { entries }) => sum + (entries ?? 0), 0),
      bytes: undefined,
      indivisible: this.#middle(view) === undefined,
    }
    this.#known.set(name, { spots: this.spots, standing })
    return standing
  }

  #carryOut(proposal: Proposal): void {
    const at = (id: number): number => {
      const index = this.#partitions.findIndex(({ view }) => view.id === id)
      if (index === -1) throw new Error(`no partition ${id}`)
      return index
    }
    const put = (index: number, ...views: readonly PartitionView[]): void => {
      this.#partitions.splice(index, 1, ...views.map((view) => ({ view, sinceMs: this.nowMs })))
    }
    if (proposal.kind === 'split') {
      const index = at(proposal.partition)
      const { view } = this.#of(index)
      const cut = proposal.at ?? this.#middle(view)
      if (cut === undefined) throw new Error('cannot be cut')
      put(index, { ...view, end: cut }, { ...view, id: this.#nextId++, start: cut })
    } else if (proposal.kind === 'merge') {
      const [left, right] = [at(proposal.left), at(proposal.right)]
      const [a, b] = [this.#of(left).view, this.#of(right).view]
      if (right !== left + 1 || a.owner !== b.owner || a.engine !== b.engine) {
        throw new Error('cannot be merged')
      }
      this.#partitions.splice(right, 1)
      put(left, { ...a, end: b.end })
    } else {
      const index = at(proposal.partition)
      const { view } = this.#of(index)
      const node = this.nodes.find(({ id }) => id === proposal.to)
      if (node?.state !== 'up' || !node.engines.has(view.engine)) throw new Error('the node cannot serve it')
      put(index, { ...view, owner: proposal.to })
    }
  }

  #of(index: number): Simulated {
    const found = this.#partitions[index]
    if (found === undefined) throw new Error('no such partition')
    return found
  }

  /** As an owner finds it among its records. */
  #middle(view: PartitionView): Position | undefined {
    const inside = this.spots.filter((spot) => within(view, spot))
    return chooseSplitKey(
      view,
      sampleOf(inside, ({ entries }) => entries ?? 0),
    ).at
  }
}

/** Each spot so often that the sample is large enough. */
function sampleOf(spots: readonly Spot[], weightOf: (spot: Spot) => number): WeightedPosition[] {
  return spots.flatMap((spot) =>
    Array.from({ length: SPLIT_SAMPLES_MIN }, () => ({
      bucket: spot.bucket,
      key: spot.key,
      weight: weightOf(spot),
    })),
  )
}

function within({ start, end }: PartitionView, position: Position): boolean {
  if (comparePositions(position, start) < 0) return false
  return end === undefined || comparePositions(position, end) < 0
}
