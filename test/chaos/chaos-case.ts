import type { S3Client } from '@aws-sdk/client-s3'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { runAshlar, type Finished } from '../cluster/processes.ts'
import { startCluster, type Cluster, type ClusterOptions } from '../cluster/harness.ts'
import type { Lifetime } from '../cluster/lifetime.ts'
import { Ledger, startLoad, verifyEverything, type Load } from '../cluster/load.ts'
import { inspect, type Inspector } from './inspector.ts'
import type { Chance } from './seeded.ts'

export interface RunOptions {
  readonly chance: Chance
  readonly rounds: number
  tell(progress: string): void
}

/** One way to hurt a cluster. Ends with every acknowledged object read back byte for byte, or fails. */
export interface ChaosCase {
  /** One word or two with a dash: names the case on the command line. */
  readonly name: string
  readonly what: string
  /** The test that does the same in short; without one, `npm test` runs the case itself. */
  readonly shortForm?: string
  /** Why it cannot run on this machine; undefined: it can. */
  unable?(): Promise<string | undefined>
  /**
   * @param rounds how often to hurt it; 1 is the short form that `npm test` runs
   * @param tell takes how far it is, after each round
   * @returns what was done, in one line
   */
  run(t: Lifetime, options: RunOptions): Promise<string>
}

/** A cluster under attack, and what its only client knows of it. */
export interface Victim {
  /** What it ends with. */
  readonly lifetime: Lifetime
  readonly cluster: Cluster
  readonly inspector: Inspector
  readonly ledger: Ledger
  readonly client: S3Client
  /** Names of the storage nodes, as `ashlar start` made them. */
  readonly nodes: readonly string[]
  load(writers: number, readers?: number): Load
  /** Writes so many objects, and fails if one was refused. */
  fill(objects: number): Promise<void>
  /** Reads everything back. */
  verify(): Promise<void>
  /** Runs `ashlar` on the folder of the cluster; fails unless it ends well. */
  ashlar(...args: string[]): Promise<Finished>
}

export const BUCKET = 'chaos'

/** Periods short enough to see the end of. */
const FAST = ['--node-grace-seconds', '4', '--garbage-grace-seconds', '1', '--scrub-days', '0.0002'] as const

export async function startVictim(
  t: Lifetime,
  {
    nodesPerZone = 2,
    code = 'rs-4-2',
    ...options
  }: ClusterOptions & { nodesPerZone?: number; code?: string },
): Promise<Victim> {
  const args = [...FAST, '--nodes-per-zone', String(nodesPerZone), '--code', code, ...(options.args ?? [])]
  const cluster = await startCluster(t, { separate: true, ...options, args })
  const inspector = await inspect(t, cluster.paths)
  const ledger = new Ledger()
  const client = cluster.client(0, 5)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const load = (writers: number, readers = 0): Load =>
    startLoad(t, [client], BUCKET, ledger, { writers, readers })
  return {
    lifetime: t,
    cluster,
    inspector,
    ledger,
    client,
    nodes: ['a', 'b', 'c'].flatMap((zone) =>
      Array.from({ length: nodesPerZone }, (_node, n) => `zone-${zone}-${n + 1}`),
    ),
    load,
    async fill(objects) {
      const running = load(4)
      await running.progress(objects)
      const [failure] = await running.stop()
      if (failure !== undefined) throw failure
    },
    verify: () => verifyEverything(client, BUCKET, ledger),
    async ashlar(...line) {
      const finished = await runAshlar([...line, '--data', cluster.paths.folder])
      if (finished.code !== 0) {
        throw new Error(
          `ashlar ${line.join(' ')} ended with ${finished.code ?? 'a signal'}: ${finished.stderr}`,
        )
      }
      return finished
    },
  }
}

export const serviceOf = (node: string): string => `storage-node-${node}`
