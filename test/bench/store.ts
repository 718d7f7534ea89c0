/**
 * `npm run bench -- store [--bytes 268435456] [--objects 2000] [--threads 0,1,2] [--rounds 3]`
 *
 * The store alone, without HTTP: MB/s of one large object, ops/s of 4 KiB objects by 1 and by 32 callers, and processor
 * seconds for a GB (10⁹ bytes), all threads of the process counted, the nodes' included where they are in it.
 *
 * - memory: nodes that keep bytes in a map and check nothing: what the store itself costs.
 * - nodes: real storage nodes and metadata in this process, segment files under the system's temporary folder, the network
 *   protocol over loopback: nodes and store share the processors.
 *
 * The anchor is MD5 by node:crypto, which an ETag needs and which no thread can share with another.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Content } from '../../store/api.ts'
import { createStore, type ClosableStore } from '../../store/store.ts'
import { acceptAny, bytesOf, putRequest } from '../../store/testing/harness.ts'
import { startCluster, world } from '../store/cluster.ts'
import { memoryCluster, type BenchCluster } from './memory-cluster.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

const SMALL_BYTES = 4096
const CALLERS = 32
/** As a socket gives them. */
const CHUNK_BYTES = 64 * 1024

interface Settings {
  readonly bytes: number
  readonly objects: number
  readonly rounds: number
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bytes: { type: 'string', default: String(256 * 1024 * 1024) },
      objects: { type: 'string', default: '2000' },
      threads: { type: 'string', default: '0,1,2' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const settings = {
    bytes: positiveInteger('--bytes', values.bytes),
    objects: positiveInteger('--objects', values.objects),
    rounds: positiveInteger('--rounds', values.rounds),
  }
  const chunk = bytesOf(CHUNK_BYTES)
  console.log(`MD5 alone: ${mbPerSecond(settings.bytes, md5Seconds(chunk, settings))} MB/s on one thread\n`)
  const rows: string[][] = []
  for (const threads of values.threads.split(',')) {
    const computeWorkers = threads === '0' ? 0 : positiveInteger('--threads', threads)
    rows.push(await measure(`memory, ${threads}`, memoryCluster(), computeWorkers, settings))
    const real = await startCluster({ disk: 'files', network: true })
    rows.push(await measure(`nodes, ${threads}`, real, computeWorkers, settings))
  }
  const head = [
    'shards to, threads',
    'put MB/s',
    'CPU s/GB',
    'get MB/s',
    'CPU s/GB',
    'zone down MB/s',
    'CPU s/GB',
    'put 4K/s 1',
    `${CALLERS}`,
    'get 4K/s 1',
    `${CALLERS}`,
  ]
  console.log(markdownTable(head, rows))
}

async function measure(
  name: string,
  cluster: BenchCluster,
  computeWorkers: number,
  { bytes, objects, rounds }: Settings,
): Promise<string[]> {
  const store = createStore({ ...world, ...cluster, settings: { computeWorkers } })
  const chunk = bytesOf(CHUNK_BYTES)
  try {
    const content = (): Content => ({
      size: bytes,
      bytes: repeat(chunk, bytes),
      digests: ['MD5'],
      accept: acceptAny,
    })
    let record: ObjectRecord | undefined
    const put = await best(rounds, async () => {
      cluster.clear?.()
      record = await store.putObject(putRequest('large', content()))
    })
    assert.ok(record !== undefined)
    const whole = record
    const get = await best(rounds, () => readAll(store, whole))
    const lost = zoneOfFirstShard(store, whole)
    await cluster.setDown(lost)
    await readAll(store, whole)
    const degraded = await best(rounds, () => readAll(store, whole))
    await cluster.setDown([])
    const small = bytesOf(SMALL_BYTES)
    const records: ObjectRecord[] = []
    const putSmall = async (i: number): Promise<void> => {
      const once = {
        size: SMALL_BYTES,
        bytes: repeat(small, SMALL_BYTES),
        digests: ['MD5'] as const,
        accept: acceptAny,
      }
      records[i] = await store.putObject(putRequest(`small-${i}`, once))
    }
    const getSmall = async (i: number): Promise<void> => {
      const found = records[i]
      assert.ok(found !== undefined)
      await readAll(store, found)
    }
    const rates: string[] = []
    for (const each of [putSmall, getSmall]) {
      for (const callers of [1, CALLERS]) {
        const { seconds } = await best(rounds, () => inParallel(objects, callers, each))
        rates.push((objects / seconds).toFixed(0))
      }
    }
    const large = [put, get, degraded].flatMap(({ seconds, cpuSeconds }) => [
      mbPerSecond(bytes, seconds),
      (cpuSeconds / (bytes / 1e9)).toFixed(2),
    ])
    return [name, ...large, ...rates]
  } finally {
    await store.close()
    await cluster.close()
  }
}

interface Timing {
  readonly seconds: number
  readonly cpuSeconds: number
}

async function best(rounds: number, once: () => Promise<void>): Promise<Timing> {
  let found: Timing = { seconds: Number.POSITIVE_INFINITY, cpuSeconds: 0 }
  for (let round = 0; round < rounds; round++) {
    const cpu = process.cpuUsage()
    const began = process.hrtime.bigint()
    await once()
    const seconds = Number(process.hrtime.bigint() - began) / 1e9
    const { user, system } = process.cpuUsage(cpu)
    if (seconds < found.seconds) found = { seconds, cpuSeconds: (user + system) / 1e6 }
  }
  return found
}

async function readAll(store: ClosableStore, record: ObjectRecord): Promise<void> {
  let bytes = 0
  const whole = { start: 0, end: Number(record.size) }
  for await (const piece of store.readObject(record, whole)) bytes += piece.length
  assert.equal(bytes, Number(record.size))
}

async function inParallel(count: number, callers: number, each: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < count) await each(next++)
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

async function* repeat(chunk: Uint8Array, bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += chunk.length) yield chunk.subarray(0, bytes - at)
}

function md5Seconds(chunk: Uint8Array, { bytes, rounds }: Settings): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const began = process.hrtime.bigint()
    const hash = createHash('md5')
    for (let at = 0; at < bytes; at += chunk.length) hash.update(chunk)
    hash.digest()
    least = Math.min(least, Number(process.hrtime.bigint() - began) / 1e9)
  }
  return least
}

function mbPerSecond(bytes: number, seconds: number): string {
  return (bytes / 1e6 / seconds).toFixed(0)
}

/** The nodes of the zone that holds the blob's first data shard: its loss costs data, not parity. */
function zoneOfFirstShard(store: ClosableStore, record: ObjectRecord): string[] {
  const { map, nodes } = store.cluster()
  const group = map?.pools.flatMap((pool) => pool.groups).find(({ id }) => id === record.blob?.group)
  const zone = nodes.find(({ id }) => id === group?.slots[0]?.node)?.zone
  return nodes.filter((node) => node.zone === zone).map(({ id }) => id)
}
