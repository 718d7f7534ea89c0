import { LOAD_REPORT_AGE_MS_MAX, PARTITION_LOOK_MS } from '../../core/limits.ts'
import {
  type Decided,
  decide,
  INITIAL_POLICY_STATE,
  type PolicyState,
} from '../../core/partitioning/decide.ts'
import type {
  NodeView,
  Obstacle,
  PartitionReport,
  PartitionSettings,
  PartitionView,
  Proposal,
} from '../../core/partitioning/view.ts'
import type { MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { MetadataMember, PartitionLoad } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'

/** What is asked for by a request to change partitions. */
export type PartitionChange = NonNullable<MetadataRequestInit<'changePartitions'>['change']>

export interface PartitionControllerOptions {
  readonly settings: PartitionSettings
  readonly table: () => PartitionTable
  readonly members: () => readonly MetadataMember[]
  readonly loads: () => readonly PartitionLoad[]
  /** Makes a change, wherever it is to be made. */
  readonly change: (change: PartitionChange) => Promise<unknown>
  readonly clock: Clock
  readonly log: Log
}

/** Splits what is hot or large, merges what is cold, and moves partitions so that all processes have their share. Runs with the root. */
export class PartitionController {
  readonly #options: PartitionControllerOptions
  readonly #busy = new Set<number>()
  readonly #sinceMs: number
  #state: PolicyState = INITIAL_POLICY_STATE
  #obstacles: readonly Obstacle[] = []
  #cancel: () => void
  #closed = false

  constructor(options: PartitionControllerOptions) {
    this.#options = options
    this.#sinceMs = options.clock.monotonicMs()
    this.#cancel = this.#schedule()
  }

  /** What should be done and cannot be. */
  get obstacles(): readonly Obstacle[] {
    return this.#obstacles
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  #schedule(): () => void {
    return this.#options.clock.after(PARTITION_LOOK_MS, () => {
      this.#look()
      if (!this.#closed) this.#cancel = this.#schedule()
    })
  }

  #look(): void {
    const { clock, settings } = this.#options
    const nowMs = clock.monotonicMs()
    // The others have not all reported yet: what is not known to be busy would be taken for idle.
    if (nowMs - this.#sinceMs < LOAD_REPORT_AGE_MS_MAX) return
    const decided: Decided = decide(
      {
        partitions: this.#partitions(),
        nodes: this.#nodes(),
        reports: this.#reports(),
        busy: this.#busy,
        settings,
        nowMs,
      },
      this.#state,
    )
    this.#state = decided.state
    this.#obstacles = decided.obstacles
    for (const proposal of decided.proposals) void this.#carryOut(proposal)
  }

  #partitions(): PartitionView[] {
    return this.#options.table().partitions.map(({ id, start, end, engine, owner }) => ({
      id,
      start,
      end,
      engine,
      owner: owner === '' ? undefined : owner,
    }))
  }

  #nodes(): NodeView[] {
    return this.#options.members().map(({ id, leaving, engines }) => ({
      id,
      state: leaving ? 'leaving' : 'up',
      engines: new Set(engines),
    }))
  }

  #reports(): Map<number, PartitionReport> {
    return new Map(this.#options.loads().map((load) => [Number(load.id), reportOf(load)]))
  }

  async #carryOut(proposal: Proposal): Promise<void> {
    const { log, change } = this.#options
    const asked = changeOf(proposal)
    if (asked === undefined) return
    const ids = 'partition' in proposal ? [proposal.partition] : [proposal.left, proposal.right]
    for (const id of ids) this.#busy.add(id)
    try {
      await change(asked)
      log.info('partitions were changed', { ...proposal })
    } catch (error) {
      log.warn('a change of partitions was not made', { ...proposal, error })
    } finally {
      for (const id of ids) this.#busy.delete(id)
    }
  }
}

function reportOf(load: PartitionLoad): PartitionReport {
  const { writes, reads, splitAt, splitShare, splitObstacle, entries, bytes, indivisible } = load
  return {
    rates: { writes, reads },
    split:
      splitAt === undefined
        ? { at: undefined, reason: splitObstacle === 'single-key' ? 'single-key' : 'too-few-samples' }
        : { at: splitAt, boundary: 'key', share: splitShare },
    entries: entries === undefined ? undefined : Number(entries),
    bytes: bytes === undefined ? undefined : Number(bytes),
    indivisible,
  }
}

/** Undefined for what is seen to elsewhere: who serves what nobody serves. */
function changeOf(proposal: Proposal): PartitionChange | undefined {
  switch (proposal.kind) {
    case 'assign':
      return undefined
    case 'split': {
      const { partition, at } = proposal
      return { case: 'split', value: { id: BigInt(partition), ...(at === undefined ? {} : { at }) } }
    }
    case 'merge':
      return { case: 'merge', value: { left: BigInt(proposal.left) } }
    case 'move':
      return { case: 'move', value: { id: BigInt(proposal.partition), owner: proposal.to } }
  }
}
