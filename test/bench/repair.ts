/**
 * `npm run bench -- repair [--bytes 268435456] [--codes rs-4-2,rs-8-4,lrc-6-3-3] [--threads 1] [--parallel 4] [--rounds 3]`
 *
 * One lost shard of each stripe of a large blob, made again, proven, put, and read back from its node: MB/s of shards made,
 * processor seconds for a GB (10⁹ bytes) of them, all threads counted, the nodes' included, and bytes read for each byte made
 * (without reading back, which is one more). "Copied" is the same shard found on another node, as when a slot moves.
 *
 * - memory: nodes that keep bytes in a map and check nothing: what repair itself costs.
 * - nodes: real storage nodes in this process, segment files under the system's temporary folder, synced.
 *
 * The anchor is what the shard's way cannot do without: its bytes copied and their CRC32C taken, on one thread.
 */

import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { createStore, type ClosableStore } from '../../store/store.ts'
import { acceptAny, bytesOf, putRequest } from '../../store/testing/harness.ts'
import { startCluster, world } from '../store/cluster.ts'
import { memoryCluster, type BenchCluster } from './memory-cluster.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

/** A data shard. */
const LOST = 1
const CHUNK_BYTES = 64 * 1024

interface Settings {
  readonly bytes: number
  readonly threads: number
  readonly parallel: number
  readonly rounds: number
}

interface Outcome {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly made: number
  readonly read: number
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bytes: { type: 'string', default: String(256 * 1024 * 1024) },
      codes: { type: 'string', default: 'rs-4-2,rs-8-4,lrc-6-3-3' },
      threads: { type: 'string', default: '1' },
      parallel: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const settings = {
    bytes: positiveInteger('--bytes', values.bytes),
    threads: values.threads === '0' ? 0 : positiveInteger('--threads', values.threads),
    parallel: positiveInteger('--parallel', values.parallel),
    rounds: positiveInteger('--rounds', values.rounds),
  }
  const rows: string[][] = []
  for (const code of values.codes.split(',')) {
    const nodesPerZone = Math.ceil(parseCode(code).total / 3)
    const memory = memoryCluster({ small: '', large: code, nodesPerZone })
    rows.push(...(await measure(`memory, ${code}`, memory, code, settings)))
    const real = await startCluster({ disk: 'files', network: false, code })
    rows.push(...(await measure(`nodes, ${code}`, real, code, settings)))
  }
  console.log(`a shard copied and summed alone: ${(anchorSeconds(settings) ** -1 / 1e6).toFixed(0)} MB/s\n`)
  const head = ['shards to, code', 'way', 'MB/s made', 'MB/s read', 'CPU s/GB made', 'read for each byte']
  console.log(markdownTable(head, rows))
}

async function measure(
  name: string,
  cluster: BenchCluster,
  code: string,
  settings: Settings,
): Promise<string[][]> {
  const store = createStore({ ...world, ...cluster, settings: { computeWorkers: settings.threads } })
  try {
    const chunk = bytesOf(CHUNK_BYTES)
    const content = {
      size: settings.bytes,
      bytes: repeat(chunk, settings.bytes),
      digests: ['MD5'] as const,
      accept: acceptAny,
    }
    const record = await store.putObject(putRequest('large', content))
    assert.equal(record.blob?.code, code)
    const rows: string[][] = []
    for (const way of ['computed', 'copied'] as const) {
      let best: Outcome | undefined
      for (let round = 0; round < settings.rounds; round++) {
        const outcome = await repairAll(store, record, way, settings)
        if (best === undefined || outcome.seconds < best.seconds) best = outcome
      }
      assert.ok(best !== undefined)
      const { seconds, cpuSeconds, made, read } = best
      rows.push([
        name,
        way,
        (made / 1e6 / seconds).toFixed(0),
        (read / 1e6 / seconds).toFixed(0),
        (cpuSeconds / (made / 1e9)).toFixed(2),
        (read / made).toFixed(2),
      ])
    }
    return rows
  } finally {
    await store.close()
    await cluster.close()
  }
}

async function repairAll(
  store: ClosableStore,
  record: ObjectRecord,
  way: 'computed' | 'copied',
  { parallel }: Settings,
): Promise<Outcome> {
  const { blob, bucket, key, version } = record
  assert.ok(blob !== undefined)
  const { map } = store.cluster()
  const group = map?.pools.flatMap((pool) => pool.groups).find(({ id }) => id === blob.group)
  const slots = group?.slots.map(({ node }) => node) ?? []
  const home = slots[LOST] ?? ''
  // Copied to a node that lacks it, from where it is.
  const target = way === 'computed' ? home : (slots.find((node) => node !== home) ?? '')
  const sources = new Map(slots.map((node, shard) => [shard, [node]] as const))
  if (way === 'computed') sources.delete(LOST)
  const stripes = stripeCount(parseCode(blob.code), Number(blob.size))
  const owner = { bucket, key, version, part: 0 }
  let next = 0
  let made = 0
  let read = 0
  const cpu = process.cpuUsage()
  const began = process.hrtime.bigint()
  const worker = async (): Promise<void> => {
    while (next < stripes) {
      const stripe = next++
      const wanted = new Map([[LOST, target]])
      const epoch = Number(map?.epoch ?? 0)
      const repair = await store.repair.rebuildStripe({ blob, owner, stripe, sources, wanted, epoch })
      assert.ok(repair.stored.has(LOST), String(repair.failed.get(LOST)))
      made += repair.bytesWritten
      read += repair.bytesRead
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6, made, read }
}

/** Seconds a byte. */
function anchorSeconds({ rounds }: Settings): number {
  const [from, to] = [bytesOf(SHARD_BYTES_MAX), new Uint8Array(SHARD_BYTES_MAX)]
  const times = 200
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const began = process.hrtime.bigint()
    for (let i = 0; i < times; i++) {
      to.set(from)
      crc32cBlocks(to)
    }
    least = Math.min(least, Number(process.hrtime.bigint() - began) / 1e9)
  }
  return least / (times * SHARD_BYTES_MAX)
}

async function* repeat(chunk: Uint8Array, bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += chunk.length) yield chunk.subarray(0, bytes - at)
}
