/**
 * `npm run bench -- cluster [--bytes 268435456] [--seconds 2] [--rounds 3] [--upload 5368709120]`
 *
 * Whole clusters, started by the command in temporary folders, over HTTP with signatures: `start` in one process and
 * `start --separate`, beside a server that does the least a server of objects can (cluster/anchor-server.ts). All are up at
 * once and measured in turn, so that a busy machine meets all alike; figures are medians of the rounds, ratios medians of the
 * ratios within a round. Every byte that is read is compared with what was written. The load comes from a process of its own;
 * CPU is of the target's processes, all their threads, user and system.
 *
 * `--upload 0` leaves out the uploads whose memory is watched. Linux only (/proc).
 */
import { parseArgs } from 'node:util'
import type { LoadJob, Outcome } from './cluster/job.ts'
import { measureMemory } from './cluster/memory.ts'
import { Run } from '../cluster/lifetime.ts'
import { Generator } from './cluster/run.ts'
import { startAnchor, startTarget, type ClusterTarget, type Target } from './cluster/targets.ts'
import { positiveInteger, UsageError } from './options.ts'
import { markdownTable } from './table.ts'

const SMALL_BYTES = 4096
/** Far more than a run with the default sizes takes; a hang ends here. */
const TIMEOUT_MS = 30 * 60_000
/** A zone whose nodes are killed at the end. */
const LOST_ZONE = ['zone-b-1', 'zone-b-2']
/** Object numbers of the small objects start here; each round gets a range of its own. */
const SMALL_FIRST = 1_000_000
const REHEARSAL_FIRST = 1_000_000_000
const REHEARSAL_BYTES = 32 * 1024 * 1024

interface Cell {
  readonly what: string
  readonly kind: LoadJob['kind']
  readonly size: number
  readonly clients: number
  /** Operations; without it as many as fit in `seconds`. */
  readonly operations?: number
}

interface Sample extends Outcome {
  readonly perSecond: number
  readonly cpuSeconds: number
}

interface Settings {
  readonly bytes: number
  readonly seconds: number
  readonly rounds: number
  readonly upload: number
  /** Number of the first object. */
  readonly first: number
}

function cellsOf({ bytes }: Settings): Cell[] {
  const large = (kind: Cell['kind'], clients: number): Cell => ({
    what: `${kind.toUpperCase()} ${bytes / 1024 / 1024} MiB, ${clients} at once`,
    kind,
    size: bytes,
    clients,
    operations: clients,
  })
  const small = (kind: Cell['kind'], clients: number): Cell => ({
    what: `${kind.toUpperCase()} 4 KiB, ${clients} at once`,
    kind,
    size: SMALL_BYTES,
    clients,
  })
  return [
    large('put', 1),
    large('get', 1),
    large('put', 4),
    large('get', 4),
    small('put', 1),
    small('get', 1),
    small('put', 32),
    small('get', 32),
  ]
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bytes: { type: 'string', default: String(256 * 1024 * 1024) },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      upload: { type: 'string', default: String(5 * 1024 ** 3) },
    },
  })
  const settings = {
    bytes: positiveInteger('--bytes', values.bytes),
    seconds: positiveInteger('--seconds', values.seconds),
    rounds: positiveInteger('--rounds', values.rounds),
    upload: values.upload === '0' ? 0 : positiveInteger('--upload', values.upload),
    first: 0,
  }
  if (process.platform !== 'linux') throw new UsageError('the benchmark of clusters needs the /proc of Linux')
  const ending = new AbortController()
  const interrupt = (): void => {
    ending.abort(new UsageError('interrupted'))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    console.log(await measureSpeed(settings, signal))
    if (settings.upload > 0) console.log(`\n${await measureMemory(settings.upload, signal)}`)
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

async function measureSpeed(settings: Settings, signal: AbortSignal): Promise<string> {
  const whole = new Run()
  try {
    const anchor = await startAnchor(whole)
    const one = await startTarget(whole, 'one process', { separate: false })
    const separate = await startTarget(whole, 'separate', { separate: true })
    const targets = [anchor, one, separate]
    const generator = new Generator(whole, signal)
    for (const { endpoint } of targets) await generator.do({ kind: 'create-bucket', endpoint })
    const cells = cellsOf(settings)
    // Once through everything, so that no figure is of code that is not compiled yet.
    const rehearsal = { ...settings, rounds: 1, seconds: 1, first: REHEARSAL_FIRST }
    for (const cell of cells) {
      const brief =
        cell.operations === undefined ? cell : { ...cell, size: Math.min(cell.size, REHEARSAL_BYTES) }
      await inTurn(generator, targets, brief, rehearsal)
    }
    const rows: string[][] = []
    for (const cell of cells) {
      const samples = await inTurn(generator, targets, cell, settings)
      rows.push(...targets.map((target, i) => rowOf(cell, target.name, samples[i] ?? [], samples[0] ?? [])))
    }
    rows.push(await degraded(generator, anchor, separate, settings))
    whole.passed = true
    const head = [
      'operation',
      'target',
      'MB/s',
      'ops/s',
      'of anchor',
      'p50 ms',
      'p99 ms',
      'CPU s/GB',
      'CPU ms/op',
    ]
    return markdownTable(head, rows)
  } finally {
    await whole.end()
  }
}

/** The samples of each target, round by round. */
async function inTurn(
  generator: Generator,
  targets: readonly Target[],
  cell: Cell,
  settings: Settings,
): Promise<Sample[][]> {
  const samples: Sample[][] = targets.map(() => [])
  for (let round = 0; round < settings.rounds; round++) {
    for (const [i, target] of targets.entries()) {
      samples[i]?.push(await measure(generator, target, cell, round, settings))
    }
  }
  return samples
}

/** Small objects that were put to be read, by target: gets go round what the last put of as many clients wrote. */
const smallPut = new Map<string, number>()

async function measure(
  generator: Generator,
  target: Target,
  { kind, size, clients, operations }: Cell,
  round: number,
  { seconds, rounds, first }: Settings,
): Promise<Sample> {
  const key = `${target.name} ${clients} ${round}`
  const small = operations === undefined
  const known = small && kind === 'get' ? smallPut.get(key) : operations
  const firstObject = first + (small ? SMALL_FIRST * (clients * rounds + round) : clients * (1000 + round))
  const before = await target.cpu()
  const outcome = await generator.do({
    kind,
    endpoint: target.endpoint,
    size,
    clients,
    firstObject,
    objects: known ?? SMALL_FIRST,
    operations: operations ?? Number.MAX_SAFE_INTEGER,
    seconds: small ? seconds : Number.MAX_SAFE_INTEGER,
  })
  const cpuSeconds = (await target.cpu()) - before
  if (small && kind === 'put') smallPut.set(key, outcome.operations)
  return { ...outcome, cpuSeconds, perSecond: outcome.operations / outcome.seconds }
}

function rowOf(cell: Cell, name: string, samples: readonly Sample[], anchor: readonly Sample[]): string[] {
  const of = (figure: (sample: Sample) => number): number => median(samples.map(figure))
  const ratio = median(samples.map(({ perSecond }, i) => perSecond / (anchor[i]?.perSecond ?? 1)))
  const megabytes = cell.size / 1e6
  const small = cell.operations === undefined
  return [
    cell.what,
    name,
    small ? '' : of(({ perSecond }) => perSecond * megabytes).toFixed(0),
    small ? of(({ perSecond }) => perSecond).toFixed(0) : '',
    samples === anchor ? '' : `${ratio.toFixed(2)}×`,
    small ? of(({ p50Ms }) => p50Ms).toFixed(2) : '',
    small ? of(({ p99Ms }) => p99Ms).toFixed(2) : '',
    small ? '' : of(({ cpuSeconds, operations }) => cpuSeconds / ((operations * megabytes) / 1e3)).toFixed(2),
    small ? of(({ cpuSeconds, operations }) => (cpuSeconds * 1e3) / operations).toFixed(2) : '',
  ]
}

/** Reads of large objects, most of which lost a data shard with both nodes of a zone, killed. */
async function degraded(
  generator: Generator,
  anchor: Target,
  target: ClusterTarget,
  settings: Settings,
): Promise<string[]> {
  const { cluster } = target
  await cluster.kill(
    LOST_ZONE.map((node) => `storage-node-${node}`),
    'SIGKILL',
  )
  await cluster.nodesDown(LOST_ZONE)
  const cell = {
    what: `GET ${settings.bytes / 1024 / 1024} MiB, a zone lost`,
    kind: 'get',
    size: settings.bytes,
  } as const
  // Another object each round: four in six of their placement groups have a data shard there, the rest only parity.
  const samples = await inTurn(generator, [anchor, target], { ...cell, clients: 1, operations: 1 }, settings)
  return rowOf({ ...cell, clients: 1, operations: 1 }, target.name, samples[1] ?? [], samples[0] ?? [])
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = [sorted[middle - 1], sorted[middle]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}
