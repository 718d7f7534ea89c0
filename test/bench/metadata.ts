import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultPools, startMetadata } from '../../metadata/main.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { compareEngines } from './metadata/engines.ts'
import { measureSize } from './metadata/size.ts'
import { BUCKET, type Workload, Workloads } from './metadata/workload.ts'
import { positiveInteger, UsageError } from './options.ts'
import { markdownTable } from './table.ts'

/**
 * Three parts, of which `--only` takes some:
 *
 * **wire**: the service on the `level` engine, in this process: called directly, and over its gRPC stream on loopback (client and
 * service then share the event loop, so that column is a lower bound). Beside the commits stands what the disk does alone: an
 * append of the same size and an fdatasync, one after the other. Best of `--rounds`.
 *
 * **engines**: the service in this process on `level`, etcd (three members) and PostgreSQL, as far as they are installed, by 1, 8
 * and 64 clients (`--clients`). Medians of `--rounds`.
 *
 * **size**: memory, start and rates of a metadata process with `--objects` objects. Linux only (/proc).
 *
 * `--seconds` is of each measurement; `--directory` measures another disk than that of the temporary files (**wire**).
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: 'wire,engines,size' },
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3' },
      clients: { type: 'string', default: '1,8,64' },
      objects: { type: 'string', default: '200000' },
      directory: { type: 'string', default: tmpdir() },
    },
  })
  const milliseconds = positiveInteger('--seconds', values.seconds) * 1000
  const rounds = positiveInteger('--rounds', values.rounds)
  const clients = values.clients.split(',').map((one) => positiveInteger('--clients', one))
  const objects = positiveInteger('--objects', values.objects)
  const parts: Readonly<Record<string, () => Promise<void>>> = {
    wire: () => overWire(values.directory, milliseconds, rounds),
    engines: () => compareEngines({ milliseconds, rounds, clients }),
    size: () => measureSize(objects),
  }
  for (const name of values.only.split(',')) {
    const part = parts[name]
    if (part === undefined) throw new UsageError(`--only takes wire, engines and size, not ${name}`)
    console.log(`## ${name}\n`)
    await part()
  }
}

async function overWire(parent: string, milliseconds: number, rounds: number): Promise<void> {
  const directory = await mkdtemp(join(parent, 'ashlar-bench-metadata-'))
  const world = { clock: systemClock, random: systemRandom, log: silentLog, nextTurn }
  const secret = 'bench'
  const service = await startMetadata(
    {
      dataDirectory: join(directory, 'metadata'),
      engine: 'level',
      listen: true,
      host: '127.0.0.1',
      port: 0,
      secret,
      clusterId: 'bench',
      bootstrap: { nodes: [{ id: 'n', zone: 'z', weight: 1 }], pools: defaultPools() },
    },
    world,
  )
  const client = new GrpcMetadata({ address: service.address ?? '', secret, ...world })
  try {
    await service.api.call('createBucket', { bucket: { name: BUCKET, owner: 'o' } })
    const direct = new Workloads(service.api)
    await direct.prepare()
    const disk = async () => diskSyncs(join(directory, 'disk'), milliseconds)
    const faces = [direct, direct.by(client)]
    const measure = (of: (workloads: Workloads) => Workload, lanes: number) =>
      faces.map((face) => async () => (await of(face)(lanes, milliseconds)).perSecond)
    const rows: string[][] = []
    for (const lanes of [1, 32, 128]) {
      const measures = measure((face) => face.commits, lanes)
      const [inProcess = 0, overGrpc = 0, alone = 0] = await bestOf(rounds, [...measures, disk])
      const ratio = (inProcess / alone).toFixed(1)
      rows.push([`commits/s, ${lanes} in flight`, ...[inProcess, overGrpc, alone].map(whole), ratio])
    }
    for (const lanes of [1, 32, 128]) {
      const rates = await bestOf(
        rounds,
        measure((face) => face.gets, lanes),
      )
      rows.push([`gets/s, ${lanes} in flight`, ...rates.map(whole), '', ''])
    }
    for (const [name, delimiter] of [
      ['list entries/s, pages of 1,000', ''],
      ['list common prefixes/s', '/'],
    ] as const) {
      const rates = await bestOf(
        rounds,
        measure((face) => face.lists(delimiter), 1),
      )
      rows.push([name, ...rates.map(whole), '', ''])
    }
    console.log(
      markdownTable(['operation', 'in process', 'gRPC stream', 'disk alone', 'in process / disk'], rows),
    )
    console.log()
  } finally {
    await client.close()
    await service.close()
    await rm(directory, { recursive: true })
  }
}

/** About what a commit writes to the log of the engine. */
const RECORD_BYTES = 350

/** The best of each, in turn, so that a busy machine meets all alike. */
async function bestOf(rounds: number, measures: readonly (() => Promise<number>)[]): Promise<number[]> {
  const best = measures.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    for (const [index, measure] of measures.entries()) {
      best[index] = Math.max(best[index] ?? 0, await measure())
    }
  }
  return best
}

function diskSyncs(path: string, milliseconds: number): number {
  const file = openSync(path, 'a')
  const record = Buffer.alloc(RECORD_BYTES, 1)
  const start = performance.now()
  let count = 0
  while (performance.now() - start < milliseconds) {
    writeSync(file, record)
    fdatasyncSync(file)
    count++
  }
  const elapsed = performance.now() - start
  closeSync(file)
  return (count * 1000) / elapsed
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}
