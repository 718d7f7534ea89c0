/** Space that comes back after deletes: what lives stays, what is dead stays dead, and the disk may be full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPACTION_LOOK_MS } from '../../core/limits.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode, type StorageNodeOptions } from '../../storage-node/node.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

const SEGMENT_BYTES = 24_000

interface Setup {
  readonly clock: SimulatedClock
  readonly disk: MemoryDisk
  readonly index: MemoryIndex
  readonly node: StorageNode
}

interface Options extends Partial<StorageNodeOptions> {
  readonly disk?: MemoryDisk
  readonly index?: MemoryIndex
  readonly log?: Log
}

async function setUp({
  disk = new MemoryDisk(),
  index = new MemoryIndex(),
  log = silentLog,
  ...more
}: Options = {}) {
  const clock = new SimulatedClock()
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: SEGMENT_BYTES, checkpointBytes: 40_000, ...more }
  const node = await StorageNode.open(options, { disk, index, clock, random: systemRandom, log })
  return { clock, disk, index, node }
}

/** Puts two shards a blob, in turn, so that every segment has some of each. */
async function fill({ node }: Setup, blobs: readonly number[], bytes = 2000): Promise<void> {
  for (const blob of blobs) {
    for (const shard of [0, 1]) {
      await node.put(putOf(addressOf(1, blobOf(blob), 0, shard), bytesOf(bytes, blob)))
    }
  }
}

async function diskBytes(disk: MemoryDisk): Promise<number> {
  const names = await disk.list('segments')
  return names.reduce((sum, name) => sum + disk.contents(`segments/${name}`).byteLength, 0)
}

/** Checks that exactly these blobs are there, whole, here, after a start, and after one without an index. */
async function holds(setup: Setup, blobs: readonly number[], bytes = 2000): Promise<void> {
  const { disk, index } = setup
  async function check(node: StorageNode, what: string): Promise<void> {
    const { shards } = await node.list({ group: 1, limit: 1000 })
    const expected = blobs.toSorted((a, b) => a - b).flatMap((blob) => [blobOf(blob), blobOf(blob)])
    assert.deepEqual(
      shards.map(({ address }) => address.blob),
      expected,
      what,
    )
    for (const blob of blobs) {
      for (const shard of [0, 1]) {
        const { data } = await node.get({ address: addressOf(1, blobOf(blob), 0, shard), epoch: 1 })
        assert.ok(Buffer.from(bytesOf(bytes, blob)).equals(data), `${what}: blob ${blob}`)
      }
    }
    const { shards: count, damagedShards } = await node.status()
    assert.deepEqual({ count, damagedShards }, { count: expected.length, damagedShards: 0 }, what)
  }
  await check(setup.node, 'running')
  await setup.node.close()
  for (const [what, again] of [
    ['restarted', index.afterCrash(1)],
    ['from the last checkpoint', index.afterCrash(0)],
    ['rebuilt', new MemoryIndex()],
  ] as const) {
    const { node } = await setUp({ disk: disk.restart(), index: again })
    await check(node, what)
    await node.close()
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

test('what is deleted comes back as space, and what is not stays', async () => {
  const setup = await setUp()
  const { clock, disk, node } = setup
  await fill(setup, range(0, 100))
  const before = await diskBytes(disk)
  const kept = range(0, 100).filter((blob) => blob % 10 === 3)
  for (const blob of range(0, 100)) if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
  await clock.pass(20 * COMPACTION_LOOK_MS)
  const { usedBytes, liveBytes } = await node.status()
  const after = await diskBytes(disk)
  assert.equal(liveBytes, kept.length * 2 * 2000)
  assert.ok(after < before / 5, `${before} bytes, then ${after}`)
  assert.ok(usedBytes <= after)
  assert.ok(node.compaction().copiedBytes < 1.5 * liveBytes)
  await holds(setup, kept)
})

test('copies are held to the rate that was asked for, and to none by 0', async () => {
  const copiedAt = async (compactionBytesPerS: number): Promise<number> => {
    const setup = await setUp({ compactionBytesPerS })
    const { clock, node } = setup
    await fill(setup, range(0, 100))
    for (const blob of range(0, 100)) if (blob % 10 !== 3) await node.deleteBlob(1, blobOf(blob))
    await clock.pass(4 * COMPACTION_LOOK_MS)
    const { copiedBytes } = node.compaction()
    await node.close()
    return copiedBytes
  }
  const [slow, fast, free] = [await copiedAt(500), await copiedAt(1_000_000), await copiedAt(0)]
  assert.ok(slow <= (500 * 4 * COMPACTION_LOOK_MS) / 1000, `${slow} bytes`)
  assert.ok(fast > 2 * slow, `${fast} bytes, ${slow} at the lower rate`)
  assert.equal(free, fast)
})

test('segments of nothing but tombstones do not pile up behind one that is cold, and undo nothing', async () => {
  const setup = await setUp()
  const { clock, disk, node } = setup
  await fill(setup, [0])
  const rounds = 10
  for (let round = 0; round < rounds; round++) {
    const blobs = range(1 + round * 30, 31 + round * 30)
    await fill(setup, blobs)
    for (const blob of blobs) await node.deleteBlob(1, blobOf(blob))
    await clock.pass(10 * COMPACTION_LOOK_MS)
  }
  // A tombstone is 64 bytes, and the segment that is appended to may be full of the dead.
  const tombstones = rounds * 30 * 64
  const bytes = await diskBytes(disk)
  assert.ok(bytes < 2 * SEGMENT_BYTES + 2 * tombstones, `${bytes} bytes`)
  await holds(setup, [0])
})

test('a live shard that is damaged stays with its segment, is listed, and holds up nothing once it is gone', async () => {
  const setup = await setUp()
  const { clock, disk, node } = setup
  await fill(setup, range(0, 20))
  for (const blob of range(1, 20)) await node.deleteBlob(1, blobOf(blob))
  disk.corrupt('segments/0000000001.seg', 512 + 500)
  await clock.pass(5 * COMPACTION_LOOK_MS)
  assert.ok((await disk.list('segments')).includes('0000000001.seg'))
  const { shards } = await node.damaged({ limit: 10 })
  assert.deepEqual(
    shards.map(({ address }) => address),
    [addressOf(1, blobOf(0), 0, 0)],
  )
  await node.put(putOf(addressOf(1, blobOf(0), 0, 0), bytesOf(2000, 0)))
  await clock.pass(5 * COMPACTION_LOOK_MS)
  assert.ok(!(await disk.list('segments')).includes('0000000001.seg'))
  await holds(setup, [0])
})

test('a full disk takes puts again by itself once enough was deleted', async () => {
  const disk = new MemoryDisk({ capacityBytes: 400_000 })
  const setup = await setUp({ disk, reserveBytes: 60_000 })
  const { clock, node } = setup
  let filled = 0
  await assert.rejects(
    async () => {
      for (; filled < 200; filled++) await fill(setup, [filled])
    },
    { code: 'read-only', message: 'the disk is full' },
  )
  const kept = range(0, filled - 1).filter((blob) => blob % 3 === 0)
  for (const blob of range(0, filled + 1)) if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
  await clock.pass(20 * COMPACTION_LOOK_MS)
  const { writable, freeBytes } = await node.status()
  assert.ok(writable && freeBytes > 2 * 60_000, String(freeBytes))
  await fill(setup, [1000])
  await holds(setup, [...kept, 1000])
})

test('copies that do not fit are not begun', async () => {
  const disk = new MemoryDisk()
  const setup = await setUp({ disk, reserveBytes: 20_000 })
  const { clock, node } = setup
  await fill(setup, range(0, 60))
  const kept = range(0, 60).filter((blob) => blob % 3 === 0)
  for (const blob of range(0, 60)) if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
  disk.capacityBytes = (await diskBytes(disk)) + 6000
  await clock.pass(10 * COMPACTION_LOOK_MS)
  assert.deepEqual(node.compaction(), { segments: 0, records: 0, copiedBytes: 0 })
  disk.capacityBytes += 100_000
  await clock.pass(10 * COMPACTION_LOOK_MS)
  assert.ok(node.compaction().segments > 0)
  await holds(setup, kept)
})

test('reads find every shard while segments are written anew', async () => {
  const setup = await setUp()
  const { clock, node } = setup
  await fill(setup, range(0, 60))
  const kept = range(0, 60).filter((blob) => blob % 4 === 0)
  for (const blob of range(0, 60)) if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
  // Just before compaction looks.
  await clock.pass(COMPACTION_LOOK_MS - 1)
  let reads = 0
  async function read(): Promise<void> {
    while (node.compaction().segments < 5) {
      for (const blob of kept) {
        await node.get({ address: addressOf(1, blobOf(blob), 0, 1), epoch: 1 })
        reads++
      }
      await clock.sleep(0.05)
    }
  }
  await clock.drive(read())
  assert.ok(reads > kept.length)
  await holds(setup, kept)
})
