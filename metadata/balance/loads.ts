import {
  type ReportLoadReply,
  ReportLoadReplySchema,
  type ReportLoadRequest,
  type PartitionLoad,
  type ProcessState,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { create } from '@bufbuild/protobuf'
import { LOAD_REPORT_AGE_MS_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Cluster, CommittingOthers } from '../cluster/cluster.ts'
import type { Backlog } from '../partition/outbox.ts'

interface Report {
  readonly request: ReportLoadRequest
  /** Monotonic time at which it came. */
  readonly atMs: number
}

export interface LoadsOptions {
  readonly clock: Clock
  /** Of this process. */
  readonly self: string
  /** Ids of the processes that live, this one included. */
  readonly alive: () => readonly string[]
  /** What the partitions of this process do. */
  readonly own: () => PartitionLoad[]
  /** What waits in their outboxes: asked far more often than their loads. */
  readonly ownBacklog: () => readonly Readonly<Backlog>[]
  readonly ownState: () => ProcessState
}

/** What the owners of partitions report to the coordinator, and what it tells them in turn. */
export class Loads implements CommittingOthers {
  readonly #options: LoadsOptions
  readonly #reports = new Map<string, Report>()
  #cluster: Cluster | undefined

  constructor(options: LoadsOptions) {
    this.#options = options
  }

  goBy(cluster: Cluster): void {
    this.#cluster = cluster
  }

  report(request: ReportLoadRequest): ReportLoadReply {
    this.#reports.set(request.node, { request, atMs: this.#options.clock.monotonicMs() })
    const cluster = this.#cluster
    if (cluster === undefined) return create(ReportLoadReplySchema)
    return create(ReportLoadReplySchema, {
      ...(request.epoch === cluster.map.epoch ? {} : { map: cluster.map }),
      closedPools: cluster.closedPools,
    })
  }

  /** Of all partitions whose owners have reported lately. */
  get all(): PartitionLoad[] {
    return [...this.#options.own(), ...this.#fresh().flatMap(({ request }) => request.loads)]
  }

  /** What all processes that have reported lately say of themselves. */
  get processes(): ProcessState[] {
    return [this.#options.ownState(), ...this.#fresh().flatMap(({ request }) => request.process ?? [])]
  }

  /** Tasks in all outboxes. */
  get backlog(): Readonly<Backlog> {
    const sum = { garbage: 0, repair: 0 }
    for (const { garbage, repair } of this.#options.ownBacklog()) {
      sum.garbage += garbage
      sum.repair += repair
    }
    for (const { garbageWaiting, repairsWaiting } of this.#fresh().flatMap(({ request }) => request.loads)) {
      sum.garbage += Number(garbageWaiting)
      sum.repair += Number(repairsWaiting)
    }
    return sum
  }

  get none(): boolean {
    return this.#others().length === 0
  }

  haveClosed(pool: number): boolean {
    const fresh = new Map(this.#fresh().map(({ request }) => [request.node, request]))
    return this.#others().every((id) => fresh.get(id)?.closedPools.includes(pool) === true)
  }

  #others(): string[] {
    return this.#options.alive().filter((id) => id !== this.#options.self)
  }

  #fresh(): Report[] {
    const { clock, self } = this.#options
    const now = clock.monotonicMs()
    return [...this.#reports.values()].filter(
      ({ request, atMs }) => request.node !== self && now - atMs <= LOAD_REPORT_AGE_MS_MAX,
    )
  }
}
