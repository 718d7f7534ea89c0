/**
 * `npm run bench -- <name> [options]` measures one thing; `npm run bench` lists all and runs them one after another.
 *
 * A benchmark is a module beside this file that exports `run`, and a row below. It prints its figures to stdout, each with
 * what it stands beside (a simpler implementation, another tool, the hardware), measured in the same run: the ratio is what
 * carries over to another machine. See measure.ts and table.ts.
 */

import { UsageError } from './options.ts'

interface Benchmark {
  readonly name: string
  /** One line for the list. */
  readonly what: string
  /** Loaded only when it runs. `args` are the words after the name; see options.ts for bad ones. */
  readonly load: () => Promise<{ run(args: readonly string[]): Promise<void> }>
}

const benchmarks: readonly Benchmark[] = [
  {
    name: 'erasure',
    what: 'erasure kernel: GB/s of encode, verify and reconstruct, beside the table version and ISA-L',
    load: () => import('./erasure.ts'),
  },
  {
    name: 'store',
    what: 'store: MB/s of large objects, ops/s of small ones, healthy and around a lost zone, CPU seconds per GB',
    load: () => import('./store.ts'),
  },
  {
    name: 'repair',
    what: 'repair: GB/s of lost shards made again, CPU seconds per GB, bytes read for each byte, by code',
    load: () => import('./repair.ts'),
  },
  {
    name: 'checksum',
    what: 'checksums of S3 and of shard blocks: GB/s, and as a multiple of MD5',
    load: () => import('./checksum.ts'),
  },
  {
    name: 'shards',
    what: 'a storage node: puts and gets of shards, in process and over the network, beside the disk alone',
    load: () => import('./shards.ts'),
  },
  {
    name: 'scrub',
    what: 'the scrub of a storage node: GB/s of a cycle and CPU seconds per GB, beside reading the same files',
    load: () => import('./scrub.ts'),
  },
  {
    name: 'reclaim',
    what: 'a storage node: bytes that come back after deletes, what is written anew for it, seconds and CPU',
    load: () => import('./reclaim.ts'),
  },
  {
    name: 'metadata',
    what: 'the metadata service: commits, gets and listings, in process and over gRPC, beside the fsync of the disk',
    load: () => import('./metadata.ts'),
  },
  {
    name: 'partitions',
    what: 'ranges that split by themselves: ops/s and partitions over time, and a hot prefix held to the figures of S3 (--help)',
    load: () => import('./partitions.ts'),
  },
  {
    name: 'listing',
    what: 'listings of a million keys over HTTP: entries/s, latency of a page and memory, beside metadata alone',
    load: () => import('./listing.ts'),
  },
  {
    name: 'moves',
    what: 'nodes added, drained and lost: bytes moved beside the fewest possible, CPU, and what clients feel',
    load: () => import('./moves.ts'),
  },
  {
    name: 'space',
    what: 'bytes on disk for each byte of an object, by size, beside what the code asks for',
    load: () => import('./space.ts'),
  },
  {
    name: 'cluster',
    what: 'whole clusters over HTTP: MB/s, ops/s, CPU and memory, beside the least a server of objects can do',
    load: () => import('./cluster.ts'),
  },
]

function list(): string {
  const width = Math.max(...benchmarks.map(({ name }) => name.length))
  const rows = benchmarks.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}`)
  return ['npm run bench -- <name> [options]', '', ...rows, ''].join('\n')
}

const [name, ...args] = process.argv.slice(2)
const chosen = name === undefined ? benchmarks : benchmarks.filter((benchmark) => benchmark.name === name)

if (name === undefined || name === '--help' || chosen.length === 0) console.log(list())
if (name !== undefined && name !== '--help' && chosen.length === 0) {
  console.error(`no benchmark is called ${name}`)
  process.exitCode = 2
}
for (const benchmark of chosen) {
  console.log(`# ${benchmark.name}: ${benchmark.what}\n`)
  const { run } = await benchmark.load()
  try {
    await run(args)
  } catch (error) {
    if (!isUsageError(error)) throw error
    console.error(error.message)
    process.exitCode = 2
  }
}

/** Unknown options (parseArgs' own errors) and values they cannot have are the user's slip: no stack trace. */
function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}
