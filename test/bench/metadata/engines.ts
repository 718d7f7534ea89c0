import { join } from 'node:path'
import { routeMetadata } from '../../../cli/services/metadata-client.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { atEnd, Run, type Lifetime } from '../../cluster/lifetime.ts'
import { temporaryFolder } from '../../cluster/harness.ts'
import { EtcdServers, etcdMissing } from '../../servers/etcd.ts'
import { postgresMissing, startPostgres } from '../../servers/postgres.ts'
import { loadAverage } from '../proc.ts'
import { markdownTable } from '../table.ts'
import { patiently } from './patiently.ts'
import { startBenchMetadata } from './service.ts'
import { BUCKET, type Rate, Workloads } from './workload.ts'

export interface EnginesSettings {
  readonly milliseconds: number
  readonly rounds: number
  readonly clients: readonly number[]
}

/** Each starts an engine that is empty; servers are of this machine. */
const engines: readonly {
  readonly name: string
  readonly missing: () => Promise<string | false>
  readonly start: (run: Lifetime) => Promise<string>
}[] = [
  {
    name: 'level',
    missing: async () => false,
    start: async (run) => `level:${join(await temporaryFolder(run), 'metadata')}`,
  },
  {
    name: 'etcd',
    missing: etcdMissing,
    async start(run) {
      const servers = await EtcdServers.start()
      atEnd(run, () => servers.stop())
      return servers.url()
    },
  },
  {
    name: 'postgres',
    missing: postgresMissing,
    async start(run) {
      const server = await startPostgres()
      atEnd(run, () => server.dispose())
      return server.url
    },
  },
]

/**
 * The same service on each engine, in this process: all engines are up at once and measured in turn; medians of the rounds. CPU is
 * of this process, without the engine's servers.
 */
export async function compareEngines({ milliseconds, rounds, clients }: EnginesSettings): Promise<void> {
  const run = new Run()
  try {
    const contestants: { name: string; workloads: Workloads }[] = []
    for (const { name, missing, start } of engines) {
      const reason = await missing()
      if (reason !== false) {
        console.log(`${name} is left out: ${reason}\n`)
        continue
      }
      const api = await serviceOn(run, await start(run))
      const bucket = { name: BUCKET, owner: '123456789012' }
      await patiently(() => api.call('createBucket', { bucket }))
      const workloads = new Workloads(api)
      await workloads.prepare()
      contestants.push({ name, workloads })
    }
    const rows: string[][] = []
    for (const [what, of] of [
      ['commits/s', (workloads: Workloads) => workloads.commits],
      ['HEAD/s', (workloads: Workloads) => workloads.gets],
      ['list entries/s', (workloads: Workloads) => workloads.lists()],
    ] as const) {
      for (const lanes of clients) {
        const rates: Rate[][] = contestants.map(() => [])
        for (let round = 0; round < rounds; round++) {
          for (const [index, { workloads }] of contestants.entries()) {
            rates[index]?.push(await of(workloads)(lanes, milliseconds))
          }
        }
        const cells = rates.flatMap((all) => [
          Math.round(median(all.map(({ perSecond }) => perSecond))).toLocaleString('en'),
          median(all.map(({ cpuMicros }) => cpuMicros)).toFixed(1),
        ])
        rows.push([`${what}, ${lanes} ${lanes === 1 ? 'client' : 'clients'}`, ...cells])
      }
    }
    const head = contestants.flatMap(({ name }) => [name, 'CPU µs'])
    console.log(markdownTable(['operation', ...head], rows))
    console.log(`load average at the end ${loadAverage()}\n`)
  } finally {
    await run.end()
  }
}

async function serviceOn(run: Lifetime, engine: string) {
  const api = await startBenchMetadata(run, { engines: [engine] })
  // As in a gateway of the same process: what was not done, since the process had to make sure that it may, is asked again.
  const routed = routeMetadata(api, '', { clock: systemClock, random: systemRandom })
  atEnd(run, routed.close)
  return routed.api
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
