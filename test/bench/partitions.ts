import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { S3_SCALE_MIN } from '../../core/limits.ts'
import { etcdMissing } from '../servers/etcd.ts'
import { postgresMissing } from '../servers/postgres.ts'
import { positiveInteger, positiveNumber, UsageError } from './options.ts'
import { cost } from './partitions/cost.ts'
import { KINDS } from './partitions/counter.ts'
import { limits } from './partitions/limits.ts'
import type { EngineName } from './partitions/processes.ts'
import { split } from './partitions/split.ts'

const USAGE = `npm run bench -- partitions [--only split,limits,cost] [options]

  split    1, 2, 4 and 8 prefixes, each asked for nearly what one partition is held to: ranges split by themselves until each prefix
           has one of its own, and the rate grows with them
  limits   one hot prefix, asked for twice and more of what one partition is held to: refusals, then a split, then twice the rate
  cost     the same load on one range cut into 1, 2, 4 and 8 by hand, as much as the machine can do; held to nothing

  --only NAMES                which of them (split,limits)
  --gateway                   split and limits: PUT, GET and HEAD of 1 KiB over HTTP, through the gateway and the storage nodes of a
                              cluster, by clients that repeat what is answered 503 as the SDK does; else straight into metadata
  --separate                  with --gateway: a process for each service of the cluster; else one for all
  --network                   limits without --gateway: over gRPC, and not from within the process
  --scale NUMBER              of S3's 3,500 writes and 5,500 reads a second (split 0.1, limits 1; with --gateway 0.03 and 0.1)
  --share NUMBER              asked of a prefix, of what a partition is held to (split 0.9, limits 2.2)
  --seconds NUMBER            of each measurement (split 36, limits 50, cost 8)
  --clients NUMBER            with --gateway: connections for each kind of request (128); cost: clients that wait for answers (64)
  --prefixes NUMBERS          split (1,2,4,8)
  --split-after-seconds N     split (3): for how long a rate must last; limits has the default of the program
  --kinds NAMES               limits and cost (writes,reads)
  --engine NAME               split and cost: level, postgres or etcd (level)
  --processes NUMBER          of metadata, on an engine that can be shared (1)
  --figures FOLDER            where figures are written (docs/figures)
`

/**
 * `npm run bench -- partitions`: experiments with ranges that split by themselves, on real processes; {@link USAGE} says which.
 * The load runs in this process and shares the machine with all others. Linux only (/proc).
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  if (values.help) {
    console.log(USAGE)
    return
  }
  const { gateway, separate, network, figures } = values
  const only = listOf('--only', values.only, ['split', 'limits', 'cost'])
  if (gateway && network) throw new UsageError('--gateway is over the network anyway: give one of the two')
  if (separate && !gateway) throw new UsageError('--separate is for --gateway')
  const number = (name: 'scale' | 'share', fallback: number) =>
    positiveNumber(`--${name}`, values[name] ?? String(fallback))
  const integer = (name: 'seconds' | 'clients', fallback: number) =>
    positiveInteger(`--${name}`, values[name] ?? String(fallback))
  const scaleOf = (fallback: number) => {
    const scale = number('scale', fallback)
    if (scale < S3_SCALE_MIN || scale > 1) {
      throw new UsageError(`--scale takes ${S3_SCALE_MIN} to 1, not ${scale}`)
    }
    return scale
  }
  const engine = engineNamed(values.engine)
  if (gateway && engine !== 'level') throw new UsageError('--engine is not for --gateway')
  await requireEngine(engine)
  const processes = positiveInteger('--processes', values.processes)
  if (engine === 'level' && processes > 1) throw new UsageError('level is for one process: give --engine')
  const through = { separate, clients: integer('clients', 128) }
  await mkdir(figures, { recursive: true })
  if (only.includes('split')) {
    await split(join(figures, `partitions-split${gateway ? '-gateway' : ''}.svg`), {
      engine,
      processes,
      gateway: gateway ? through : undefined,
      prefixes: values.prefixes.split(',').map((one) => positiveInteger('--prefixes', one)),
      seconds: integer('seconds', 36),
      scale: scaleOf(gateway ? 0.03 : 0.1),
      share: number('share', 0.9),
      splitAfterSeconds: positiveInteger('--split-after-seconds', values['split-after-seconds']),
    })
  }
  if (only.includes('limits')) {
    await limits(join(figures, `partitions-limits${gateway ? '-gateway' : ''}.svg`), {
      kinds: listOf('--kinds', values.kinds, KINDS),
      through: gateway ? { over: 'gateway', ...through } : { over: network ? 'network' : 'process' },
      seconds: integer('seconds', 50),
      scale: scaleOf(gateway ? 0.1 : 1),
      share: number('share', 2.2),
    })
  }
  if (only.includes('cost')) {
    const partitions = [1, 2, 4, 8]
    const [seconds, clients] = [integer('seconds', 8), integer('clients', 64)]
    const kinds = listOf('--kinds', values.kinds, KINDS)
    await cost({ engine, processes, partitions, seconds, clients, kinds })
  }
}

const OPTIONS = {
  help: { type: 'boolean', default: false },
  only: { type: 'string', default: 'split,limits' },
  gateway: { type: 'boolean', default: false },
  separate: { type: 'boolean', default: false },
  network: { type: 'boolean', default: false },
  scale: { type: 'string' },
  share: { type: 'string' },
  seconds: { type: 'string' },
  clients: { type: 'string' },
  prefixes: { type: 'string', default: '1,2,4,8' },
  'split-after-seconds': { type: 'string', default: '3' },
  kinds: { type: 'string', default: 'writes,reads' },
  engine: { type: 'string', default: 'level' },
  processes: { type: 'string', default: '1' },
  figures: { type: 'string', default: 'docs/figures' },
} as const

function listOf<T extends string>(option: string, text: string, known: readonly T[]): readonly T[] {
  return text.split(',').map((word) => {
    const found = known.find((one) => one === word)
    if (found === undefined) throw new UsageError(`${option} takes ${known.join(', ')}, not ${word}`)
    return found
  })
}

function engineNamed(name: string): EngineName {
  if (name === 'level' || name === 'postgres' || name === 'etcd') return name
  throw new UsageError(`--engine takes level, postgres or etcd, not ${name}`)
}

async function requireEngine(engine: EngineName): Promise<void> {
  const missing = { level: async () => false as const, postgres: postgresMissing, etcd: etcdMissing }[engine]
  const reason = await missing()
  if (reason !== false) throw new UsageError(reason)
}
