/**
 * `npm run bench -- shards [--folder <folder>] [--seconds 2] [--rounds 3]`
 *
 * One storage node on a real folder (default: the system's temporary one), in this process and as a process of its own
 * behind the shard protocol. The anchor is the disk itself: the same bytes appended by writev and fdatasync, one after
 * another, without index, checksums or anything else. CPU is of both processes, all threads, user and system.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import type { ShardService } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from '../contract/shard-requests.ts'
import { positiveInteger } from './options.ts'
import { cpuSecondsOf } from './proc.ts'
import { markdownTable } from './table.ts'

const world = { clock: systemClock, random: systemRandom, log: silentLog }
const WORKER = fileURLToPath(new URL('../contract/storage-node-worker.ts', import.meta.url))
const SMALL_BYTES = 4096

/** Something that can be asked for one operation at a time. */
interface Target {
  readonly name: string
  put(number: number, data: Uint8Array): Promise<void>
  get?(number: number): Promise<unknown>
  /** CPU seconds spent so far. */
  cpu(): Promise<number>
  close(): Promise<void>
}

interface Cell {
  readonly what: string
  readonly bytes: number
  readonly inFlight: number
  readonly kind: 'put' | 'get'
}

const cells: readonly Cell[] = [
  { what: 'put 4 KiB, 1 in flight', bytes: SMALL_BYTES, inFlight: 1, kind: 'put' },
  { what: 'put 4 KiB, 32 in flight', bytes: SMALL_BYTES, inFlight: 32, kind: 'put' },
  { what: 'get 4 KiB, 1 in flight', bytes: SMALL_BYTES, inFlight: 1, kind: 'get' },
  { what: 'get 4 KiB, 32 in flight', bytes: SMALL_BYTES, inFlight: 32, kind: 'get' },
  { what: 'put 1 MiB, 1 in flight', bytes: SHARD_BYTES_MAX, inFlight: 1, kind: 'put' },
  { what: 'put 1 MiB, 8 in flight', bytes: SHARD_BYTES_MAX, inFlight: 8, kind: 'put' },
  { what: 'get 1 MiB, 1 in flight', bytes: SHARD_BYTES_MAX, inFlight: 1, kind: 'get' },
  { what: 'get 1 MiB, 8 in flight', bytes: SHARD_BYTES_MAX, inFlight: 8, kind: 'get' },
]

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      folder: { type: 'string', default: tmpdir() },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const seconds = positiveInteger('--seconds', values.seconds)
  const rounds = positiveInteger('--rounds', values.rounds)
  const folder = await mkdtemp(join(values.folder, 'ashlar-bench-'))
  const targets = [await rawDisk(folder), await inProcess(folder), await overNetwork(folder)]
  try {
    const rows: string[][] = []
    for (const cell of cells) {
      const best: Outcome[] = []
      for (let round = 0; round < rounds; round++) {
        for (const [i, target] of targets.entries()) {
          if (cell.kind === 'get' && target.get === undefined) continue
          const outcome = await measure(target, cell, seconds)
          if ((best[i]?.perSecond ?? 0) < outcome.perSecond) best[i] = outcome
        }
      }
      for (const [i, target] of targets.entries()) {
        const outcome = best[i]
        if (outcome === undefined) continue
        const anchor = best[0]
        rows.push([
          cell.what,
          target.name,
          outcome.perSecond.toFixed(0),
          ((outcome.perSecond * cell.bytes) / 1e6).toFixed(1),
          i === 0 || anchor === undefined ? '' : `${(outcome.perSecond / anchor.perSecond).toFixed(2)}×`,
          outcome.p99Ms.toFixed(2),
          (outcome.cpuSeconds / ((outcome.operations * cell.bytes) / 1e9)).toFixed(2),
        ])
      }
    }
    const head = ['operation', 'target', 'ops/s', 'MB/s', 'to disk', 'p99 ms', 'CPU s/GB']
    process.stdout.write(`${markdownTable(head, rows)}\n`)
  } finally {
    for (const target of targets) await target.close()
    await rm(folder, { recursive: true })
  }
}

interface Outcome {
  readonly operations: number
  readonly perSecond: number
  readonly p99Ms: number
  readonly cpuSeconds: number
}

let nextNumber = 0

async function measure(target: Target, cell: Cell, seconds: number): Promise<Outcome> {
  const data = bytesOf(cell.bytes, 1)
  // What gets read was put just now: gets measure the node, not the disk.
  const first = nextNumber
  const known = 64
  if (cell.kind === 'get') {
    await Promise.all(Array.from({ length: known }, (_, i) => target.put(first + i, data)))
    nextNumber += known
  }
  const latencies: number[] = []
  const cpuBefore = await target.cpu()
  const start = performance.now()
  const end = start + seconds * 1000
  async function client(): Promise<void> {
    for (let now = performance.now(); now < end;) {
      const number = cell.kind === 'get' ? first + (latencies.length % known) : nextNumber++
      await (cell.kind === 'get' ? target.get?.(number) : target.put(number, data))
      const after = performance.now()
      latencies.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: cell.inFlight }, client))
  const elapsed = (performance.now() - start) / 1000
  const cpuSeconds = (await target.cpu()) - cpuBefore
  const sorted = latencies.toSorted((a, b) => a - b)
  const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0
  return { operations: latencies.length, perSecond: latencies.length / elapsed, p99Ms, cpuSeconds }
}

async function ownCpu(): Promise<number> {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Appends one after another, each synced: what a disk does without group commit. */
async function rawDisk(folder: string): Promise<Target> {
  const file = await createNodeDisk(folder).open('raw', { create: true })
  let end = 0
  let last = Promise.resolve()
  return {
    name: 'disk alone',
    put(_number, data) {
      last = last.then(async () => {
        await file.write([data], end)
        end += data.byteLength
        await file.sync()
      })
      return last
    },
    cpu: ownCpu,
    close: () => file.close(),
  }
}

function overService(service: ShardService): Pick<Target, 'put' | 'get'> {
  return {
    put: (number, data) => service.put(putOf(addressOf(1, blobOf(number)), data)),
    get: (number) => service.get({ address: addressOf(1, blobOf(number)), epoch: 1 }),
  }
}

async function inProcess(folder: string): Promise<Target> {
  const data = join(folder, 'in-process')
  const index = await openLevelIndex(join(data, 'index'))
  const disk = createNodeDisk(data)
  const node = await StorageNode.open({ nodeId: 'n1', zone: 'a' }, { ...world, disk, index })
  return { name: 'in process', ...overService(node), cpu: ownCpu, close: () => node.close() }
}

async function overNetwork(folder: string): Promise<Target> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child: ChildProcess = spawn(process.execPath, [WORKER, join(folder, 'network'), 'secret'], {
    stdio: [...stdio],
  })
  const exited = once(child, 'exit')
  if (child.stdout === null) throw new Error('no stdout')
  const address = String(await once(child.stdout, 'data')).trim()
  const transport = createNetworkShardTransport({ ...world, secret: 'secret', addressOf: () => address })
  return {
    name: 'network',
    ...overService(transport.node('n1')),
    cpu: async () => (await ownCpu()) + (await cpuSecondsOf(child.pid ?? 0)),
    async close() {
      transport.close()
      child.kill('SIGKILL')
      await exited
    },
  }
}
