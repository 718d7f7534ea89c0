import { writeFile } from 'node:fs/promises'
import { s3Rates } from '../../../core/admission/s3-rates.ts'
import { Run } from '../../cluster/lifetime.ts'
import { figure, type Panel } from '../figure.ts'
import { loadAverage } from '../proc.ts'
import { markdownTable } from '../table.ts'
import { Counter, KINDS, meanOf, type Second, sumOf } from './counter.ts'
import { Keys } from './keys.ts'
import { fill, type Offer, openLoop } from './load.ts'
import { MetadataTarget } from './metadata-target.ts'
import { panelOf } from './panels.ts'
import { type EngineName, startGateway, startProcesses } from './processes.ts'
import type { Target } from './target.ts'
import { rate, whole } from './words.ts'

export interface SplitSettings {
  readonly engine: EngineName
  readonly processes: number
  /** Undefined: straight into metadata. */
  readonly gateway: { readonly separate: boolean; readonly clients: number } | undefined
  readonly prefixes: readonly number[]
  readonly seconds: number
  /** Of S3's figures. */
  readonly scale: number
  /** What each prefix is asked for, of what a partition is held to. */
  readonly share: number
  readonly splitAfterSeconds: number
}

/** Seconds at the begin, before a rate can have lasted long enough for a split, and at the end, that are compared. */
const FIRST = 3
const LAST = 5

interface Measured {
  readonly prefixes: number
  readonly offer: Offer
  readonly seconds: readonly Second[]
  readonly skipped: number
  readonly overloaded: number
  /** Of what serves, in percent of one core. */
  readonly cpuPercent: number
}

/** Measures on each number of prefixes, prints the table and writes the figure. */
export async function split(file: string, settings: SplitSettings): Promise<void> {
  const where = whereOf(settings)
  const limits = s3Rates(settings.scale)
  console.log(
    `split: ${where}, partitions held to ${rate(limits.write, 'writes')} and ${rate(limits.read, 'reads')} (scale ${settings.scale}), each prefix asked for ${settings.share} of that`,
  )
  const all: Measured[] = []
  for (const prefixes of settings.prefixes) all.push(await measure(prefixes, settings))
  const kinds = KINDS.flatMap((kind) => [`${kind}/s offered`, 'first', 'last', 'ratio'])
  const head = ['load on', ...kinds, 'refused/s first', 'last', 'partitions', 'CPU']
  console.log(markdownTable(head, all.map(rowOf)))
  const sum = (of: (one: Measured) => number) => whole(all.reduce((total, one) => total + of(one), 0))
  console.log(
    `first: mean of ${FIRST} s, last: of ${LAST} s; ${sum(({ skipped }) => skipped)} could not be offered, ${sum(({ overloaded }) => overloaded)} refused for overload, ` +
      `${sum(({ seconds }) => sumOf(seconds, 'failed'))} failed; CPU is of what serves, 100 % a core; load average at the end ${loadAverage()}\n`,
  )
  await writeFile(
    file,
    figure({
      title: 'Ranges split by themselves, and the rate grows with the partitions',
      subtitle: `${where}; a partition is held to ${rate(limits.write, 'writes')} and ${rate(limits.read, 'reads')}`,
      panels: all.map(panelFor),
      compared: true,
    }),
  )
}

async function measure(prefixes: number, settings: SplitSettings): Promise<Measured> {
  const { scale, share, seconds } = settings
  const lifetime = new Run()
  try {
    const target = await start(lifetime, settings)
    const limits = s3Rates(scale)
    const keys = new Keys(prefixes)
    await fill(target, keys, limits.write / 2)
    const offer = {
      writes: Math.round(prefixes * share * limits.write),
      reads: Math.round(prefixes * share * limits.read),
    }
    const counter = new Counter()
    const before = { cpu: await target.cpuSeconds(), overloaded: await target.overloaded() }
    const skipped = await openLoop(target, keys, offer, seconds, counter)
    const cpu = ((await target.cpuSeconds()) ?? 0) - (before.cpu ?? 0)
    lifetime.passed = true
    return {
      prefixes,
      offer,
      seconds: counter.seconds,
      skipped,
      overloaded: (await target.overloaded()) - before.overloaded,
      cpuPercent: (100 * cpu) / (counter.elapsedMs / 1000),
    }
  } finally {
    await lifetime.end()
  }
}

async function start(lifetime: Run, settings: SplitSettings): Promise<Target> {
  const { engine, processes, gateway, scale, splitAfterSeconds } = settings
  const args = [`--emulate-s3-limits=${scale}`, '--split-after-seconds', String(splitAfterSeconds)]
  if (gateway !== undefined) return await startGateway(lifetime, { ...gateway, args })
  const { api, cpuSeconds } = await startProcesses(lifetime, engine, processes, args)
  return new MetadataTarget(api, { cpuSeconds })
}

function whereOf({ engine, processes, gateway }: SplitSettings): string {
  if (gateway === undefined) {
    return `${processes} metadata ${processes === 1 ? 'process' : 'processes'} on ${engine}, over gRPC`
  }
  return `S3 over HTTP through a gateway, ${gateway.separate ? 'a process for each service' : 'the cluster one process'}`
}

function rowOf({ prefixes, offer, seconds, cpuPercent }: Measured): string[] {
  const [first, last] = [seconds.slice(0, FIRST), seconds.slice(-LAST)]
  return [
    nameOf(prefixes),
    ...KINDS.flatMap((kind) => {
      const [before, after] = [meanOf(first, 'done', [kind]), meanOf(last, 'done', [kind])]
      return [whole(offer[kind]), whole(before), whole(after), `${(after / before).toFixed(2)}×`]
    }),
    whole(meanOf(first, 'refused')),
    whole(meanOf(last, 'refused')),
    String(seconds.at(-1)?.partitions ?? 1),
    `${cpuPercent.toFixed(0)} %`,
  ]
}

function panelFor({ prefixes, offer, seconds }: Measured): Panel {
  const title = `${nameOf(prefixes)}: ${whole(offer.writes)} writes/s and ${whole(offer.reads)} reads/s offered`
  return panelOf(title, seconds, ['writes', 'reads', 'refused'])
}

function nameOf(prefixes: number): string {
  return `${prefixes} ${prefixes === 1 ? 'prefix' : 'prefixes'}`
}
