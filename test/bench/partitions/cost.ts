import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { Run } from '../../cluster/lifetime.ts'
import { patiently, REST_MS } from '../metadata/patiently.ts'
import { loadAverage } from '../proc.ts'
import { markdownTable } from '../table.ts'
import { Counter, type Kind, meanOf, sumOf } from './counter.ts'
import { Keys, prefixOf } from './keys.ts'
import { closedLoop, fill } from './load.ts'
import { BUCKET, MetadataTarget } from './metadata-target.ts'
import { type EngineName, startProcesses } from './processes.ts'
import { whole } from './words.ts'

export interface CostSettings {
  readonly engine: EngineName
  readonly processes: number
  /** One after another, each more than the one before, and a divisor of the last. */
  readonly partitions: readonly number[]
  readonly seconds: number
  /** Shared among the kinds. */
  readonly clients: number
  readonly kinds: readonly Kind[]
}

/**
 * The same load, as much as the machine can do, on one range cut into more and more partitions by hand: what they cost where it is
 * not they that are the bound.
 */
export async function cost(settings: CostSettings): Promise<void> {
  const { engine, processes, seconds, clients, kinds } = settings
  console.log(`cost: ${processes} metadata on ${engine}, ${clients} clients, ${kinds.join(' and ')}`)
  const most = Math.max(...settings.partitions)
  const never = ['--split-writes-per-second', '1000000', '--split-reads-per-second', '1000000']
  const lifetime = new Run()
  const rows: string[][] = []
  try {
    const { api, cpuSeconds } = await startProcesses(lifetime, engine, processes, never)
    const target = new MetadataTarget(api, { cpuSeconds, restMs: REST_MS })
    const keys = new Keys(most)
    await fill(target, keys, Number.POSITIVE_INFINITY)
    for (const count of settings.partitions) {
      await cutInto(api, count, most)
      // So that no figure is of connections and code that are not warm yet.
      await load(target, keys, settings, 2)
      const before = await cpuSeconds()
      const counter = await load(target, keys, settings, seconds)
      const cpu = (await cpuSeconds()) - before
      rows.push([
        String(count),
        ...kinds.map((kind) => whole(meanOf(counter.seconds, 'done', [kind]))),
        ((cpu / sumOf(counter.seconds, 'done')) * 1e6).toFixed(0),
        whole(sumOf(counter.seconds, 'overload') + sumOf(counter.seconds, 'failed')),
      ])
    }
    lifetime.passed = true
  } finally {
    await lifetime.end()
  }
  console.log(
    markdownTable(['partitions', ...kinds.map((kind) => `${kind}/s`), 'CPU µs/op', 'not done'], rows),
  )
  console.log(`means of ${seconds} s; load average at the end ${loadAverage()}\n`)
}

async function load(
  target: MetadataTarget,
  keys: Keys,
  { clients, kinds }: CostSettings,
  seconds: number,
): Promise<Counter> {
  const counter = new Counter()
  const of = (kind: Kind) => (kinds.includes(kind) ? Math.ceil(clients / kinds.length) : 0)
  await closedLoop(target, keys, { writes: of('writes'), reads: of('reads') }, seconds, counter)
  return counter
}

/** Cuts between prefixes, so that each range has as many of them. */
async function cutInto(api: MetadataApi, count: number, prefixes: number): Promise<void> {
  for (let part = 1; part < count; part++) {
    const key = prefixOf((part * prefixes) / count)
    const { map } = await api.call('getPartitions', { knownVersion: 0n, fresh: true })
    // The last that starts before it holds it.
    const holder = map?.partitions.findLast(
      ({ start }) =>
        start === undefined || start.bucket < BUCKET || (start.bucket === BUCKET && start.key <= key),
    )
    if (holder === undefined || (holder.start?.bucket === BUCKET && holder.start.key === key)) continue
    const change = { case: 'split', value: { id: holder.id, at: { bucket: BUCKET, key } } } as const
    await patiently(() => api.call('changePartitions', { change }))
  }
}
