/**
 * `npm run bench -- scrub [--folder <folder>] [--mib 2048] [--rounds 3]`
 *
 * One cycle of the scrub at full speed over a storage node of `--mib` MiB of shards of one size, on a real folder (default:
 * the system's temporary one). The anchor is the least a scrub can do: to read the same segment files from end to end, in
 * pieces of the same size, alone and with the CRC32C of every block. What was just written comes from the system's cache, as
 * far as it fits: the figures are of the node and not of the disk. CPU is of all threads of the process.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, bytesOf, putOf } from '../contract/shard-requests.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

const MIB = 1024 * 1024
const PIECE_BYTES = 2 * MIB
const IN_FLIGHT = 32

const world = { clock: systemClock, random: systemRandom, log: silentLog }

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      folder: { type: 'string', default: tmpdir() },
      mib: { type: 'string', default: '2048' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const bytes = positiveInteger('--mib', values.mib) * MIB
  const rounds = positiveInteger('--rounds', values.rounds)
  const rows: string[][] = []
  for (const shardBytes of [SHARD_BYTES_MAX, 64 * 1024, 4096]) {
    const folder = await mkdtemp(join(values.folder, 'ashlar-bench-'))
    const index = await openLevelIndex(join(folder, 'index'))
    const node = await StorageNode.open(
      { nodeId: 'n1', zone: 'a' },
      { ...world, disk: createNodeDisk(folder), index },
    )
    try {
      await fill(node, shardBytes, Math.floor(bytes / shardBytes))
      rows.push(...(await measureAll(node, folder, shardBytes, rounds)))
    } finally {
      await node.close()
      await rm(folder, { recursive: true })
    }
  }
  const head = ['shards', 'what', 'GB/s', 'to reading', 'CPU s/GB']
  process.stdout.write(`${markdownTable(head, rows)}\n`)
}

async function measureAll(
  node: StorageNode,
  folder: string,
  shardBytes: number,
  rounds: number,
): Promise<string[][]> {
  const { usedBytes, shards } = await node.status()
  const contestants = [
    { name: 'reading alone', once: () => readAll(folder, false) },
    { name: 'reading and CRC32C', once: () => readAll(folder, true) },
    {
      name: 'scrub',
      async once() {
        const { found, bytesDone } = await node.scrubNow()
        if (found !== 0) throw new Error(`${found} shards are damaged`)
        if (bytesDone !== usedBytes) throw new Error(`${bytesDone} bytes of ${usedBytes}`)
      },
    },
  ]
  const best: { seconds: number; cpuSeconds: number }[] = []
  for (let round = 0; round < rounds; round++) {
    for (const [i, { once }] of contestants.entries()) {
      const cpu = process.cpuUsage()
      const start = systemClock.monotonicMs()
      await once()
      const seconds = (systemClock.monotonicMs() - start) / 1000
      const { user, system } = process.cpuUsage(cpu)
      if (seconds < (best[i]?.seconds ?? Infinity)) best[i] = { seconds, cpuSeconds: (user + system) / 1e6 }
    }
  }
  return contestants.map(({ name }, i) => {
    const { seconds, cpuSeconds } = best[i] ?? { seconds: 0, cpuSeconds: 0 }
    return [
      `${shards} of ${shardBytes / 1024} KiB`,
      name,
      (usedBytes / seconds / 1e9).toFixed(2),
      `${((best[0]?.seconds ?? 0) / seconds).toFixed(2)}×`,
      (cpuSeconds / (usedBytes / 1e9)).toFixed(2),
    ]
  })
}

async function fill(node: StorageNode, shardBytes: number, count: number): Promise<void> {
  const data = bytesOf(shardBytes, 1)
  let next = 0
  async function putAll(): Promise<void> {
    while (next < count) {
      const number = next++
      // Blobs begin with their time, as real ones do, and end at random.
      const blob = number.toString(16).padStart(12, '0') + Buffer.from(systemRandom.bytes(10)).toString('hex')
      await node.put(putOf(addressOf(number % 128, blob), data))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, putAll))
}

async function readAll(folder: string, withChecksums: boolean): Promise<void> {
  const disk = createNodeDisk(folder)
  const into = Buffer.allocUnsafe(PIECE_BYTES)
  for (const name of await readdir(join(folder, 'segments'))) {
    const file = await disk.open(`segments/${name}`)
    for (let at = 0; ;) {
      const read = await file.read(into, at)
      if (read === 0) break
      at += read
      if (withChecksums) crc32cBlocks(into.subarray(0, read))
    }
    await file.close()
  }
}
