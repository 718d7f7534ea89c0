/**
 * `npm run bench -- reclaim [--gib 2] [--folder <folder>]`
 *
 * One storage node on a real folder (default: the system's temporary one): so many GiB of shards of 1 MiB are put, two a
 * blob, then nine blobs of ten are deleted, and the bytes of its segments are watched until they have come back.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SEGMENT_BYTES_MAX, SHARD_BYTES_MAX } from '../../core/limits.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from '../contract/shard-requests.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

const GIB = 1024 ** 3
const IN_FLIGHT = 8
/** One blob of so many is kept. */
const KEEP_ONE_OF = 10
const LOOK_MS = 1000
/** Nothing came back for so long: that was all. */
const STILL_MS = 20_000

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { gib: { type: 'string', default: '2' }, folder: { type: 'string', default: tmpdir() } },
  })
  const gib = positiveInteger('--gib', values.gib)
  const folder = await mkdtemp(join(values.folder, 'ashlar-reclaim-'))
  const index = await openLevelIndex(join(folder, 'index'))
  const node = await StorageNode.open(
    { nodeId: 'n1', zone: 'a' },
    { disk: createNodeDisk(folder), index, clock: systemClock, random: systemRandom, log: silentLog },
  )
  try {
    await measure(node, folder, gib)
  } finally {
    await node.close()
    await rm(folder, { recursive: true })
  }
}

async function measure(node: StorageNode, folder: string, gib: number): Promise<void> {
  const blobs = (gib * GIB) / SHARD_BYTES_MAX / 2
  const data = bytesOf(SHARD_BYTES_MAX, 1)
  const start = performance.now()
  await each(blobs, async (blob) => {
    for (const shard of [0, 1]) await node.put(putOf(addressOf(1, blobOf(blob), 0, shard), data))
  })
  const putSeconds = (performance.now() - start) / 1000
  const rows: string[][] = []
  const row = async (what: string, seconds: number): Promise<number> => {
    const bytes = await bytesIn(join(folder, 'segments'))
    const { copiedBytes } = node.compaction()
    rows.push([what, seconds.toFixed(1), (bytes / GIB).toFixed(2), (copiedBytes / GIB).toFixed(2)])
    return bytes
  }
  const before = await row('written', putSeconds)
  const cpu = process.cpuUsage()
  const deleting = performance.now()
  await each(blobs, async (blob) => {
    if (blob % KEEP_ONE_OF !== 0) await node.deleteBlob(1, blobOf(blob))
  })
  const since = (): number => (performance.now() - deleting) / 1000
  let bytes = await row('90 % deleted', since())
  const { liveBytes } = await node.status()
  // The segment that is appended to stays as it is.
  const goal = liveBytes + SEGMENT_BYTES_MAX + liveBytes / 10
  let returned = since()
  let shown = since()
  for (let still = 0; bytes > goal && still < STILL_MS; still += LOOK_MS) {
    await delay(LOOK_MS)
    const now = await bytesIn(join(folder, 'segments'))
    if (now < bytes) {
      still = 0
      returned = since()
    }
    bytes = now
    if (since() - shown >= 5) {
      await row('', since())
      shown = since()
    }
  }
  bytes = await row('returned', returned)
  const { user, system } = process.cpuUsage(cpu)
  const { copiedBytes, segments } = node.compaction()
  process.stdout.write(`${markdownTable(['', 'seconds', 'GiB on disk', 'GiB copied'], rows)}\n\n`)
  const perByte = (copiedBytes / (before - bytes)).toFixed(2)
  process.stdout.write(
    `${((before - bytes) / GIB).toFixed(2)} GiB came back in ${returned.toFixed(1)} s; ${segments} segments written anew, ` +
      `${perByte} bytes copied for each; ${((user + system) / 1e6).toFixed(1)} CPU seconds, deletes included; ` +
      `${(liveBytes / GIB).toFixed(2)} GiB live\n`,
  )
}

async function each(count: number, action: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  async function client(): Promise<void> {
    while (next < count) await action(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, client))
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder)) {
    // One that was removed since.
    bytes += await stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes
}
