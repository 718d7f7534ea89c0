import { writeFile } from 'node:fs/promises'
import { s3Rates } from '../../../core/admission/s3-rates.ts'
import { Run } from '../../cluster/lifetime.ts'
import { figure, type Panel } from '../figure.ts'
import { loadAverage } from '../proc.ts'
import { markdownTable } from '../table.ts'
import { Counter, type Kind, meanOf, type Outcome, type Second, settled, sumOf } from './counter.ts'
import { Keys } from './keys.ts'
import { fill, openLoop } from './load.ts'
import { MetadataTarget } from './metadata-target.ts'
import { panelOf } from './panels.ts'
import { startGateway, startHeldToLimits, startProcesses } from './processes.ts'
import type { Target } from './target.ts'
import { rate, whole } from './words.ts'

export interface LimitsSettings {
  readonly kinds: readonly Kind[]
  readonly through:
    | { readonly over: 'process' | 'network' }
    | { readonly over: 'gateway'; readonly separate: boolean; readonly clients: number }
  readonly seconds: number
  /** Of S3's figures. */
  readonly scale: number
  /** What the prefix is asked for, of what a partition is held to. */
  readonly share: number
}

/**
 * One prefix that is asked for more than a partition may do. Through a gateway both kinds at once, else each by itself, so that a small
 * machine can offer them. Prints a table and writes the figure, with a panel for each kind.
 */
export async function limits(file: string, settings: LimitsSettings): Promise<void> {
  const { kinds, through, scale, share } = settings
  const where = whereOf(through)
  console.log(`limits: one prefix, ${where}, --emulate-s3-limits=${scale}, asked for ${share} times that`)
  // What else may become of a request: that its client gives it up, or, where clients ask once, an overload that can be told apart.
  const lost = through.over === 'gateway' ? 'givenUp' : 'overload'
  const rows: string[][] = []
  const panels: Panel[] = []
  for (const together of through.over === 'gateway' ? [kinds] : kinds.map((kind) => [kind])) {
    const seconds = await measure(together, settings)
    for (const kind of together) {
      rows.push(...rowsOf(kind, seconds, limitOf(kind, scale), lost))
      panels.push(panelFor(kind, seconds, settings))
    }
  }
  const head = [
    'asked for',
    'partitions',
    'seconds',
    'done/s',
    'of the limit',
    'refused/s',
    `${LOST[lost]}/s`,
    'failed',
  ]
  console.log(markdownTable(head, rows))
  console.log(`load average at the end ${loadAverage()}\n`)
  await writeFile(
    file,
    figure({
      title: 'A hot prefix: refused at the limit, then the split, then twice the rate',
      subtitle: `${where}, --emulate-s3-limits${scale === 1 ? '' : `=${scale}`}`,
      panels,
    }),
  )
}

async function measure(kinds: readonly Kind[], settings: LimitsSettings): Promise<readonly Second[]> {
  const { scale, share, seconds } = settings
  const lifetime = new Run()
  try {
    const target = await start(lifetime, settings)
    const keys = new Keys(1)
    await fill(target, keys, limitOf('writes', scale) / 2)
    const offerOf = (kind: Kind) => (kinds.includes(kind) ? Math.round(share * limitOf(kind, scale)) : 0)
    const before = await target.overloaded()
    const counter = new Counter()
    const offer = { writes: offerOf('writes'), reads: offerOf('reads') }
    const skipped = await openLoop(target, keys, offer, seconds, counter)
    const overloaded = (await target.overloaded()) - before
    console.log(
      `${kinds.join(' and ')}: ${whole(skipped)} could not be offered, ${whole(overloaded)} refused for overload`,
    )
    lifetime.passed = true
    return counter.seconds
  } finally {
    await lifetime.end()
  }
}

async function start(lifetime: Run, { through, scale }: LimitsSettings): Promise<Target> {
  const args = [`--emulate-s3-limits=${scale}`]
  switch (through.over) {
    case 'gateway':
      return await startGateway(lifetime, { ...through, args })
    case 'network': {
      const { api, cpuSeconds } = await startProcesses(lifetime, 'level', 1, args)
      return new MetadataTarget(api, { cpuSeconds })
    }
    case 'process':
      return new MetadataTarget(await startHeldToLimits(lifetime, scale))
  }
}

function whereOf(through: LimitsSettings['through']): string {
  switch (through.over) {
    case 'gateway':
      return `S3 over HTTP through a gateway, ${through.separate ? 'a process for each service' : 'the cluster one process'}`
    case 'network':
      return 'metadata on level, over gRPC'
    case 'process':
      return 'metadata on level, asked from within its process'
  }
}

function limitOf(kind: Kind, scale: number): number {
  const { write, read } = s3Rates(scale)
  return kind === 'writes' ? write : read
}

const LOST = { overload: 'for overload', givenUp: 'given up' } as const

/** A row for each number of partitions there was, in the order in which they came. */
function rowsOf(kind: Kind, all: readonly Second[], limit: number, lost: keyof typeof LOST): string[][] {
  const counts = [...new Set(all.map(({ partitions }) => partitions))]
  return counts.map((partitions) => {
    const during = all.filter((second) => second.partitions === partitions)
    const steady = settled(all, partitions)
    const mean = (outcome: Outcome) => meanOf(steady, outcome, [kind])
    return [
      kind,
      String(partitions),
      String(during.length),
      whole(mean('done')),
      `${(mean('done') / limit).toFixed(2)}×`,
      whole(mean('refused')),
      whole(mean(lost)),
      String(sumOf(during, 'failed', [kind])),
    ]
  })
}

function panelFor(kind: Kind, seconds: readonly Second[], { scale, share }: LimitsSettings): Panel {
  const limit = limitOf(kind, scale)
  const lines = [kind, 'refused', ...(sumOf(seconds, 'overload') > 0 ? ['overload' as const] : [])] as const
  const name = scale === 1 ? "S3's figure for a prefix" : 'limit of a partition'
  // Before the split the lines are at one, after it at the other.
  const marks = [
    { y: limit, name: `${name}: ${rate(limit, kind)}`, at: 'end' as const },
    { y: 2 * limit, name: 'twice that', at: 'start' as const },
  ]
  return panelOf(`${rate(share * limit, kind)} asked for`, seconds, lines, marks)
}
