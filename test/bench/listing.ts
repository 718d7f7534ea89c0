/**
 * `npm run bench -- listing [--keys 1000000] [--rounds 3] [--requests 200]`
 *
 * Listings of three buckets of a million entries each: flat, in 1,000 folders, and 100,000 keys of ten versions. A cluster
 * of processes is started by the command in a temporary folder, and the records are put straight into the engine of its
 * metadata (`level`, on the real disk) while it is stopped; the bytes that they speak of are not there. Each is listed
 * through a gateway over HTTP with signatures, and from metadata itself over its gRPC stream, in turn; one request at a time,
 * pages of 1,000. Whole listings are the best of the rounds, latencies the median of the requests.
 *
 * Linux only (/proc).
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { connectMetadata, type MetadataConnection } from '../../cli/services/metadata-client.ts'
import { readSecret } from '../../cli/folder/secret.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { Run } from '../cluster/lifetime.ts'
import { servicePid, startTarget } from './cluster/targets.ts'
import { httpLister } from './listing/http-lister.ts'
import { metadataLister, type Lister, type Page, type PageRequest } from './listing/lister.ts'
import { createBuckets, fill, FLAT, FOLDERS, VERSIONS } from './listing/load.ts'
import { positiveInteger, UsageError } from './options.ts'
import { residentBytesOf } from './proc.ts'
import { markdownTable } from './table.ts'

/** Of the buckets; the root account of a cluster of one account may use them all. */
const OWNER = 'the-owner'

interface Settings {
  readonly keys: number
  readonly rounds: number
  readonly requests: number
}

type Ask = (lister: Lister, request: PageRequest) => Promise<Page>

/** Listed from one end to the other. */
const wholes: readonly (readonly [what: string, ask: Ask])[] = [
  ['flat, entries/s', (lister, request) => lister.objects(FLAT, request)],
  ['in 1,000 folders, entries/s', (lister, request) => lister.objects(FOLDERS, request)],
  ['versions, entries/s', (lister, request) => lister.versions(VERSIONS, request)],
]

/** Asked for once. */
const pages: readonly (readonly [what: string, entries: number, ask: Ask])[] = [
  ['first page of the flat bucket, ms', 1000, (lister) => lister.objects(FLAT, {})],
  ['first page of versions, ms', 1000, (lister) => lister.versions(VERSIONS, {})],
  ['the 1,000 folders by delimiter, ms', 1000, (lister) => lister.objects(FOLDERS, { delimiter: '/' })],
  ['one prefix of all keys by delimiter, ms', 1, (lister) => lister.objects(FLAT, { delimiter: '/' })],
]

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      keys: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '3' },
      requests: { type: 'string', default: '200' },
    },
  })
  const settings = {
    keys: positiveInteger('--keys', values.keys),
    rounds: positiveInteger('--rounds', values.rounds),
    requests: positiveInteger('--requests', values.requests),
  }
  if (settings.keys % 1000 !== 0) throw new UsageError('--keys takes a multiple of 1,000')
  if (process.platform !== 'linux') throw new UsageError('the benchmark of listings needs the /proc of Linux')
  const whole = new Run()
  const interrupt = (): void => {
    // What was started is killed as this process exits; its folder goes here.
    whole.passed = true
    void whole.end().finally(() => process.kill(process.pid, 'SIGTERM'))
  }
  process.once('SIGINT', interrupt)
  try {
    await measure(whole, settings)
    whole.passed = true
  } finally {
    process.off('SIGINT', interrupt)
    await whole.end()
  }
}

async function measure(whole: Run, { keys, rounds, requests }: Settings): Promise<void> {
  const { cluster, endpoint } = await startTarget(whole, 'separate', { separate: true })
  const connect = async (): Promise<MetadataConnection> => {
    const config: unknown = JSON.parse(await readFile(cluster.paths.config('gateway-1'), 'utf8'))
    const { metadata: address } = z.object({ metadata: z.string() }).parse(config)
    const secret = await readSecret(cluster.paths.secret)
    return connectMetadata(address, secret, { clock: systemClock, random: systemRandom })
  }
  const first = await connect()
  await createBuckets(first.api, OWNER)
  await first.close()
  await cluster.stop()
  const engine = await LevelEngine.open(cluster.paths.metadata)
  await fill(engine, OWNER, keys)
  await engine.close()
  await cluster.startAgain()
  const connection = await connect()
  whole.after(() => connection.close())
  const http = await httpLister(endpoint)
  whole.after(() => Promise.resolve(http.close()))
  const listers = [http, metadataLister(connection.api)]
  const services = ['gateway-1', 'metadata']
  const pids = await Promise.all(services.map((name) => servicePid(cluster, name)))
  const resident = async () => await Promise.all(pids.map(residentBytesOf))
  const memory = [await resident()]
  const rows: string[][] = []
  for (const [what, ask] of wholes) {
    const [gateway = 0, alone = 0] = await bestRates(listers, rounds, keys, ask)
    rows.push([what, format(gateway), format(alone), (gateway / alone).toFixed(2)])
    memory.push(await resident())
  }
  for (const [what, entries, ask] of pages) {
    const [gateway = 0, alone = 0] = await medians(listers, requests, entries, ask)
    rows.push([what, gateway.toFixed(2), alone.toFixed(2), (gateway / alone).toFixed(2)])
  }
  console.log(markdownTable(['listing', 'over HTTP', 'metadata alone', 'HTTP / alone'], rows))
  const held = services.map((name, index) => [name, ...memory.map((bytes) => mib(bytes[index] ?? 0))])
  const head = ['resident memory, MiB', 'before', 'flat listed', 'folders listed', 'versions listed']
  console.log(`\n${markdownTable(head, held)}`)
}

/** Entries a second of the whole listing, by each lister. */
async function bestRates(
  listers: readonly Lister[],
  rounds: number,
  expected: number,
  ask: Ask,
): Promise<number[]> {
  const best = listers.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    for (const [index, lister] of listers.entries()) {
      const began = performance.now()
      let entries = 0
      let after = ''
      do {
        const page = await ask(lister, { after })
        entries += page.entries
        after = page.next
      } while (after !== '')
      if (entries !== expected) throw new Error(`${entries} entries were listed of ${expected}`)
      best[index] = Math.max(best[index] ?? 0, (entries * 1000) / (performance.now() - began))
    }
  }
  return best
}

/** Milliseconds of one page, by each lister. */
async function medians(
  listers: readonly Lister[],
  requests: number,
  expected: number,
  ask: Ask,
): Promise<number[]> {
  const times: number[][] = listers.map(() => [])
  for (let request = 0; request < requests; request++) {
    for (const [index, lister] of listers.entries()) {
      const began = performance.now()
      const { entries } = await ask(lister, {})
      times[index]?.push(performance.now() - began)
      if (entries !== expected) throw new Error(`a page of ${entries} entries, not of ${expected}`)
    }
  }
  return times.map((all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0)
}

function format(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0)
}
