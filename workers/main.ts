import { availableParallelism } from 'node:os'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import { createStore, defaultComputeWorkers } from '../store/store.ts'
import { Runner, type JobReport } from './runner/runner.ts'

export interface WorkerConfig {
  /** Of the process, unique in the cluster: who holds a lease is known by it. */
  readonly name: string
  /** Bytes a second that repair, moves and re-encoding may read and write together in this process; 0: no limit. */
  readonly repairBytesPerS: number
  /** Threads that encode; as many as the machine has use for by default. */
  readonly computeWorkers?: number
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
  const computeWorkers = config.computeWorkers ?? defaultComputeWorkers(availableParallelism())
  const store = createStore({ metadata, shards, clock, random, log, settings: { computeWorkers } })
  const holder = `${config.name}/${Buffer.from(random.bytes(4)).toString('hex')}`
  const runner = new Runner({ metadata, clock, random, log, holder }, [])
  return {
    reports: () => runner.reports(),
    async close() {
      await runner.close()
      await store.close()
    },
  }
}
