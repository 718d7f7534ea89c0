/** Segments that go, or cannot be read, under a storage node: what it holds beside them is not harmed, and goes on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPACTION_LOOK_MS } from '../../core/limits.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { StorageNode } from '../../storage-node/node.ts'
import { segmentPath } from '../../storage-node/segment/files.ts'
import { blobOf } from './shard-requests.ts'
import { one, open, put, range } from './small-node.ts'
import { rejectsWith } from './shard-service.ts'

async function blobsOf(node: StorageNode): Promise<number[]> {
  const { shards } = await node.list({ group: 1, limit: 1000 })
  return shards.map(({ address }) => Number(`0x${address.blob}`))
}

async function damagedOf(node: StorageNode): Promise<number[]> {
  const { shards } = await node.damaged({ limit: 200 })
  return shards.map(({ address }) => Number(`0x${address.blob}`))
}

test('the number of a segment that was lost is not given again while its shards are in the index', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const { node } = await open(disk, index, { checkpointBytes: 1e9 })
  await put(node, [1, 5], 11_500)
  await index.checkpoint({ segment: 1, offset: 512, sequence: 0 })
  await put(node, [2, 3], 10_000)
  await node.deleteBlob(1, blobOf(1))
  await node.status()
  const found = disk.restart()
  await found.remove(segmentPath(2))
  const of = index.afterCrash(1)
  const { node: again } = await open(found, of)
  assert.deepEqual(await damagedOf(again), [2, 3])
  // A tombstone where the account of the lost segment says that there is a record already.
  await put(again, [4])
  await again.deleteBlob(1, blobOf(5))
  // Nor is the number of a record, were it one that left nothing in the index: the fifth was the tombstone.
  assert.ok(((await of.get(one(4)))?.sequence ?? 0) > 5)
  await again.close()
  assert.deepEqual(await found.list('segments'), ['0000000001.seg', '0000000003.seg'])
  const { node: rebuilt } = await open(found, new MemoryIndex())
  // The first was buried by what was lost, which only the index knew.
  assert.deepEqual(await blobsOf(rebuilt), [1, 4])
})

for (const [what, hurt] of [
  ['is gone', (disk: MemoryDisk) => disk.remove(segmentPath(1))],
  [
    'cannot be read',
    async (disk: MemoryDisk) => {
      disk.before = ({ kind, path }) => {
        if (kind === 'read' && path === segmentPath(1)) throw diskError('EIO')
      }
    },
  ],
] as const) {
  test(`a segment that ${what} does not keep the others from being compacted`, async () => {
    const disk = new MemoryDisk()
    const index = new MemoryIndex()
    const { node: before, clock: sooner } = await open(disk, index)
    await put(before, range(0, 100))
    await sooner.drive(before.close())
    await hurt(disk)
    const { node, clock } = await open(disk, index)
    const kept = range(0, 100).filter((blob) => blob % 10 === 3)
    for (const blob of range(0, 100)) if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
    await clock.pass(20 * COMPACTION_LOOK_MS)
    const names = await disk.list('segments')
    assert.ok(names.length <= 4, names.join())
    assert.deepEqual(await damagedOf(node), what === 'is gone' ? [3] : [])
    for (const blob of kept.slice(1)) await node.get({ address: one(blob), epoch: 1 })
    // Nor is it looked at again and again.
    let reads = 0
    disk.before = ({ kind, path }) => {
      if (kind === 'read' && path === segmentPath(1)) reads++
    }
    await clock.pass(10 * COMPACTION_LOOK_MS)
    assert.equal(reads, 0)
    await clock.drive(node.close())
  })
}

test('when the segment that is appended to loses its name, its shards are damaged and the next ones lie elsewhere', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const { node, clock } = await open(disk, index)
  await put(node, [1, 2])
  await node.recheck()
  await disk.remove(segmentPath(1))
  await put(node, [3])
  // One heartbeat looks, and is writable again by its end.
  await clock.drive(node.recheck())
  await clock.pass(1000)
  assert.equal((await node.status()).writable, true)
  assert.deepEqual(await damagedOf(node), [1, 2, 3])
  assert.deepEqual(node.inventory().counts, [])
  await put(node, [4])
  await rejectsWith(node.get({ address: one(1), epoch: 1 }), 'corrupt')
  await clock.drive(node.close())
  const { node: again } = await open(disk, index)
  assert.deepEqual(await damagedOf(again), [1, 2, 3])
  assert.equal((await again.get({ address: one(4), epoch: 1 })).shardBytes, 2000)
})

/** The disk cannot read the stretch of a segment. */
function unreadable(disk: MemoryDisk, segment: number, start: number, end: number): void {
  disk.beforeRead = (path, position, bytes) => {
    if (path === segmentPath(segment) && position < end && position + bytes > start) throw diskError('EIO')
  }
}

test('a sector that cannot be read keeps no node from starting, and nothing in its segment is cut off', async () => {
  for (const withIndex of [true, false]) {
    for (const [segment, start] of [
      [1, 0],
      [1, 5000],
      [2, 0],
      [2, 5000],
    ] as const) {
      const disk = new MemoryDisk()
      const index = new MemoryIndex()
      const { node } = await open(disk, index, { checkpointBytes: 1e9 })
      await put(node, [0])
      await index.checkpoint({ segment: 1, offset: 512, sequence: 0 })
      await put(node, range(1, 16))
      const found = disk.restart()
      assert.equal((await found.list('segments')).length, 2)
      const before = found.contents(segmentPath(2))
      unreadable(found, segment, start, start + 100)
      const of = withIndex ? index.afterCrash(0) : new MemoryIndex()
      const { node: again, clock } = await open(found, of)
      const there = await blobsOf(again)
      // Without its first sector, which has the marker, nothing of a segment can be found; else what is in the sector is not.
      const lost = range(0, 16).filter((blob) => !there.includes(blob))
      const most = start === 0 ? 11 : 3
      assert.ok(lost.length <= most, `${segment} ${start}: ${lost.join()}`)
      await put(again, [99])
      // With a number that nothing has which could not be read.
      await again.status()
      const { sequence } = (await of.get(one(99))) ?? assert.fail()
      assert.ok(sequence > 16, `${segment} ${start}: ${sequence}`)
      for (const blob of there) {
        await again.get({ address: one(blob), epoch: 1 }).catch((error: unknown) => {
          assert.match(String(error), /cannot be read/)
        })
      }
      if (segment === 2) assert.deepEqual(found.contents(segmentPath(2)), before)
      // When the disk reads again, a rebuild finds all.
      found.beforeRead = undefined
      await clock.drive(again.close())
      const { node: rebuilt } = await open(found, new MemoryIndex())
      assert.deepEqual(await blobsOf(rebuilt), [...range(0, 16), 99])
    }
  }
})

test('a segment that cannot even be opened keeps no node from starting: its shards are damaged until it can', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const { node: before, clock } = await open(disk, index)
  await put(before, range(0, 25))
  await clock.drive(before.close())
  const openFile = disk.open.bind(disk)
  for (const segment of [1, 3]) {
    disk.open = async (path, options) => {
      if (path === segmentPath(segment)) throw diskError('EIO')
      return await openFile(path, options)
    }
    const { node, clock: later } = await open(disk, index)
    const damaged = await damagedOf(node)
    assert.ok(damaged.length > 2 && damaged.length < 12, damaged.join())
    for (const blob of range(0, 25)) {
      const read = node.get({ address: one(blob), epoch: 1 })
      if (damaged.includes(blob)) await rejectsWith(read, 'corrupt')
      else await read
    }
    disk.open = openFile
    await node.scrubNow()
    assert.deepEqual(await damagedOf(node), [])
    await later.drive(node.close())
  }
})
