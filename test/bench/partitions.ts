import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { S3_READS_PER_SECOND, S3_WRITES_PER_SECOND } from '../../core/limits.ts'
import { Run } from '../cluster/lifetime.ts'
import { etcdMissing } from '../servers/etcd.ts'
import { postgresMissing } from '../servers/postgres.ts'
import { figure, type Panel } from './figure.ts'
import { positiveInteger, UsageError } from './options.ts'
import { Counter, type Kind, meanOf, panelOf, type Second } from './partitions/counter.ts'
import { closedLoop, fill, openLoop } from './partitions/load.ts'
import { type EngineName, startHeldToLimits, startProcesses } from './partitions/processes.ts'
import { loadAverage } from './proc.ts'
import { markdownTable } from './table.ts'

/**
 * `npm run bench -- partitions`: two experiments with ranges that split by themselves, on real `ashlar metadata` processes.
 *
 * **split**: clients that wait for their answers, half of which write and half of which read, on 1, 2, 4 and 8 prefixes; each on a
 * new engine. Several processes share PostgreSQL or etcd; on `level` there is one. The triggers of a split are lower than the
 * defaults, so that a small machine reaches them.
 *
 * **limits**: requests for one prefix at a rate that is more than twice what S3 documents for a prefix, with
 * `--emulate-s3-limits` and the default triggers: refusals, then a split, then twice the rate.
 *
 * Requests go straight into metadata: of **split** over gRPC, by the client that gateways use; of **limits** within the process,
 * so that a small machine can offer them, or over gRPC with `--network`. The load runs in this process and shares the
 * machine with all others. Linux only (/proc).
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: 'string' },
      processes: { type: 'string', default: '2' },
      prefixes: { type: 'string', default: '1,2,4,8' },
      seconds: { type: 'string', default: '40' },
      clients: { type: 'string', default: '64' },
      'split-writes-per-second': { type: 'string', default: '500' },
      'split-reads-per-second': { type: 'string', default: '2000' },
      'split-after-seconds': { type: 'string', default: '4' },
      limits: { type: 'string', default: 'reads' },
      network: { type: 'boolean', default: false },
      'limits-seconds': { type: 'string', default: '60' },
      offer: { type: 'string' },
      only: { type: 'string', default: 'split,limits' },
      figures: { type: 'string', default: 'docs/figures' },
    },
  })
  await mkdir(values.figures, { recursive: true })
  const parts = values.only.split(',')
  const unknown = parts.find((part) => part !== 'split' && part !== 'limits')
  if (unknown !== undefined) throw new UsageError(`--only takes split and limits, not ${unknown}`)
  if (parts.includes('split')) {
    const engine = engineNamed(
      '--engine',
      values.engine ?? ((await postgresMissing()) === false ? 'postgres' : 'level'),
    )
    await requireEngine(engine)
    await split(join(values.figures, 'partitions-split.svg'), {
      engine,
      processes: engine === 'level' ? 1 : positiveInteger('--processes', values.processes),
      prefixes: values.prefixes.split(',').map((one) => positiveInteger('--prefixes', one)),
      seconds: positiveInteger('--seconds', values.seconds),
      clients: positiveInteger('--clients', values.clients),
      options: (
        ['split-writes-per-second', 'split-reads-per-second', 'split-after-seconds'] as const
      ).flatMap((name) => [`--${name}`, String(positiveInteger(`--${name}`, values[name]))]),
    })
  }
  if (parts.includes('limits')) {
    const kind = values.limits
    if (kind !== 'reads' && kind !== 'writes') throw new UsageError('--limits takes reads or writes')
    const figureOf = kind === 'reads' ? S3_READS_PER_SECOND : S3_WRITES_PER_SECOND
    await limits(join(values.figures, `partitions-limits-${kind}.svg`), {
      kind,
      network: values.network,
      limit: figureOf,
      offer:
        values.offer === undefined ? Math.round(figureOf * 2.2) : positiveInteger('--offer', values.offer),
      seconds: positiveInteger('--limits-seconds', values['limits-seconds']),
    })
  }
}

interface SplitSettings {
  readonly engine: EngineName
  readonly processes: number
  readonly prefixes: readonly number[]
  readonly seconds: number
  readonly clients: number
  /** Of the metadata processes. */
  readonly options: readonly string[]
}

/** Seconds at the begin and at the end that are compared. */
const COMPARED = 8

async function split(file: string, settings: SplitSettings): Promise<void> {
  const { engine, processes, seconds, clients, options } = settings
  const panels: Panel[] = []
  const rows: string[][] = []
  console.log(`split: ${processes} metadata on ${engine}, ${clients} clients, ${options.join(' ')}`)
  for (const prefixes of settings.prefixes) {
    const [counter, cpu] = await within(engine, processes, options, async ({ api, cpuSeconds }) => {
      await fill(api, prefixes)
      const before = await cpuSeconds()
      const counting = new Counter()
      counting.begin()
      const lanes = { writes: Math.ceil(clients / 2), reads: Math.floor(clients / 2) }
      await closedLoop(api, lanes, prefixes, seconds, counting)
      counting.end()
      return [counting, (await cpuSeconds()) - before] as const
    })
    const all = counter.seconds
    const [first, last] = [all.slice(1, 1 + COMPARED), all.slice(-COMPARED)]
    const ratio = (kind: Kind) => (meanOf(last, kind) / meanOf(first, kind)).toFixed(2)
    const done = all.reduce((sum, { writes, reads }) => sum + writes + reads, 0)
    rows.push([
      `${prefixes} ${prefixes === 1 ? 'prefix' : 'prefixes'}`,
      ...(['writes', 'reads'] as const).flatMap((kind) => [
        whole(meanOf(first, kind)),
        whole(meanOf(last, kind)),
        `${ratio(kind)}×`,
      ]),
      String(all.at(-1)?.partitions ?? 1),
      String(sumOf(all, 'overload')),
      String(sumOf(all, 'failed')),
      ((cpu / done) * 1e6).toFixed(0),
    ])
    const one = `${prefixes} ${prefixes === 1 ? 'prefix' : 'prefixes'}`
    panels.push(panelOf(one, all, ['writes', 'reads', 'overload']))
  }
  console.log(
    markdownTable(
      [
        'load on',
        'writes/s first',
        'last',
        'of it',
        'reads/s first',
        'last',
        'of it',
        'partitions',
        'for overload',
        'failed',
        'CPU µs/op',
      ],
      rows,
    ),
  )
  console.log(`first and last: means of ${COMPARED} s; load average at the end ${loadAverage()}\n`)
  const title = `Ranges split by themselves: ${processes} metadata on ${engine}`
  await writeFile(file, figure(title, panels))
}

interface LimitSettings {
  readonly kind: Kind
  readonly network: boolean
  /** A second, of one partition. */
  readonly limit: number
  readonly offer: number
  readonly seconds: number
}

async function limits(file: string, { kind, network, limit, offer, seconds }: LimitSettings): Promise<void> {
  const lifetime = new Run()
  const counter = new Counter()
  let skipped = 0
  try {
    const api = network
      ? (await startProcesses(lifetime, 'level', 1, ['--emulate-s3-limits'])).api
      : await startHeldToLimits(lifetime)
    await fill(api, 1)
    counter.begin()
    skipped = await openLoop(api, kind, offer, seconds, counter)
    counter.end()
  } finally {
    await lifetime.end()
  }
  const all = counter.seconds
  const rows = [...new Set(all.map(({ partitions }) => partitions))].map((partitions) => {
    const during = all.filter((second) => second.partitions === partitions)
    // The second in which the map changes is of neither.
    const settled = during.length > 2 ? during.slice(1, -1) : during
    return [
      String(partitions),
      String(during.length),
      whole(meanOf(settled, kind)),
      `${(meanOf(settled, kind) / limit).toFixed(2)}×`,
      whole(meanOf(settled, 'refused')),
      whole(meanOf(settled, 'overload')),
      String(sumOf(during, 'failed')),
    ]
  })
  console.log(
    `limits: ${offer} ${kind}/s offered to one prefix, one metadata process on level${network ? ' over gRPC' : ''}, --emulate-s3-limits`,
  )
  console.log(
    markdownTable(
      ['partitions', 'seconds', `${kind}/s`, `of ${limit}`, 'refused/s', 'for overload', 'failed'],
      rows,
    ),
  )
  console.log(`${skipped} could not be offered; load average at the end ${loadAverage()}\n`)
  const marks = [
    { y: limit, name: `${limit.toLocaleString('en')}: S3's figure for a prefix` },
    { y: 2 * limit, name: 'twice that' },
  ]
  const title = `A hot prefix under --emulate-s3-limits: ${offer.toLocaleString('en')} ${kind}/s offered`
  await writeFile(file, figure(title, [panelOf('one prefix', all, [kind, 'refused', 'overload'], marks)]))
}

/** Runs a measurement on processes of its own. */
async function within<T>(
  engine: EngineName,
  processes: number,
  options: readonly string[],
  measure: (started: Awaited<ReturnType<typeof startProcesses>>) => Promise<T>,
): Promise<T> {
  const lifetime = new Run()
  try {
    return await measure(await startProcesses(lifetime, engine, processes, options))
  } finally {
    await lifetime.end()
  }
}

function engineNamed(option: string, name: string): EngineName {
  if (name === 'level' || name === 'postgres' || name === 'etcd') return name
  throw new UsageError(`${option} takes level, postgres or etcd, not ${name}`)
}

async function requireEngine(engine: EngineName): Promise<void> {
  const missing = { level: async () => false as const, postgres: postgresMissing, etcd: etcdMissing }[engine]
  const reason = await missing()
  if (reason !== false) throw new UsageError(reason)
}

function sumOf(seconds: readonly Second[], what: keyof Second): number {
  return seconds.reduce((sum, second) => sum + second[what], 0)
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}
