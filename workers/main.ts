import { availableParallelism } from 'node:os'
import { GARBAGE_GRACE_MS, GROUP_DEEP_PASS_MS, WORK_STRIPES_IN_FLIGHT_MAX } from '../core/limits.ts'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import { createStore, defaultComputeWorkers, type StoreSettings } from '../store/store.ts'
import type { WorkContext } from './blob/context.ts'
import { Budget } from './budget.ts'
import { WorkWatch } from './cluster/watch.ts'
import { garbageJob } from './garbage/job.ts'
import { Gate } from './gate.ts'
import { groupJobs } from './groups/job.ts'
import { recodeJob } from './recode/job.ts'
import { repairJob } from './repair/job.ts'
import { Runner, type JobReport } from './runner/runner.ts'

export interface WorkerConfig {
  /** Of the process, unique in the cluster: who holds a lease is known by it. */
  readonly name: string
  /** Bytes a second that repair, moves and re-encoding may read and write together in this process; 0: no limit. */
  readonly repairBytesPerS: number
  /** How long what became garbage stays, for reads that began before; GARBAGE_GRACE_MS by default. */
  readonly garbageGraceMs?: number
  /** Time in which every blob is held against its record once; GROUP_DEEP_PASS_MS by default. */
  readonly deepPassMs?: number
  /** Of the store that does the work; as a gateway's by default. */
  readonly store?: Partial<StoreSettings>
}

export interface WorkerWorld {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface RunningWorker {
  /** Every job that this process does or would do, and how far it is; for metrics and the admin interface. */
  reports(): readonly JobReport[]
  /** Ends what is under way at the next safe point, and gives the leases back. */
  close(): Promise<void>
}

/** Starts the background work of a cluster. Several such processes share it. */
export async function startWorker(config: WorkerConfig, world: WorkerWorld): Promise<RunningWorker> {
  const { metadata, shards, clock, random } = world
  const log = world.log.child({ service: 'worker', worker: config.name })
  const computeWorkers = defaultComputeWorkers(availableParallelism())
  const settings = { computeWorkers, ...config.store }
  const store = createStore({ metadata, shards, clock, random, log, settings })
  const watch = new WorkWatch({ metadata, clock, log })
  const budget = new Budget(clock, config.repairBytesPerS)
  const gate = new Gate(WORK_STRIPES_IN_FLIGHT_MAX)
  const context: WorkContext = { metadata, shards, clock, log, store: store.repair, budget, watch, gate }
  const graceMs = config.garbageGraceMs ?? GARBAGE_GRACE_MS
  const jobs = [
    repairJob(context),
    ...groupJobs(context, config.deepPassMs ?? GROUP_DEEP_PASS_MS),
    recodeJob(context),
    garbageJob({ ...context, graceMs }),
  ]
  const holder = `${config.name}/${Buffer.from(random.bytes(4)).toString('hex')}`
  const runner = new Runner({ metadata, clock, random, log, holder }, jobs)
  return {
    reports: () => runner.reports(),
    async close() {
      await runner.close()
      await watch.close()
      await store.close()
    },
  }
}
