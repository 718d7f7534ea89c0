/** What a storage node knows of shards that it cannot read: how they get into its list, what that changes, how they leave it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DAMAGED_SHARDS_CACHED_MAX,
  DISK_HUNG_SYNC_MS,
  DISK_READ_ERROR_AGE_MS,
  DISK_SYNC_AGE_MS,
} from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { IndexWriter } from '../../storage-node/index/writer.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { segmentPath } from '../../storage-node/segment/files.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'

const ports = { clock: systemClock, random: systemRandom, log: silentLog }

async function open(disk: MemoryDisk, index: MemoryIndex): Promise<StorageNode> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 40_000 }
  return await StorageNode.open(options, { ...ports, disk, index })
}

async function damagedOf(node: StorageNode): Promise<ShardAddress[]> {
  return (await node.damaged({ limit: 100 })).shards.map(({ address }) => address)
}

const one = addressOf(1, blobOf(1))
const two = addressOf(1, blobOf(2))

/** A node of two shards, the first with a flipped bit. */
async function withDamage(): Promise<{ disk: MemoryDisk; index: MemoryIndex; node: StorageNode }> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index)
  await node.put(putOf(one, bytesOf(600, 1)))
  await node.put(putOf(two, bytesOf(600, 2)))
  disk.corrupt(segmentPath(1), 512 + 500)
  return { disk, index, node }
}

test('a read that fails lists the shard: counted, marked, not in the inventory, over a restart', async () => {
  const { disk, index, node } = await withDamage()
  assert.deepEqual(node.inventory().counts, [])
  assert.deepEqual(await damagedOf(node), [])
  assert.deepEqual(node.inventory().counts, [{ group: 1, shard: 0, blobs: 2 }])
  const before = node.inventory().version
  await rejectsWith(node.get({ address: one, epoch: 1 }), 'corrupt')
  const check = async (checked: StorageNode): Promise<void> => {
    const { shards, truncated } = await checked.damaged({ limit: 100 })
    assert.deepEqual([shards.map(({ address }) => address), truncated], [[one], false])
    assert.match(shards[0]?.reason ?? '', /checksum/)
    assert.equal((await checked.status()).damagedShards, 1)
    const listed = (await checked.list({ group: 1, limit: 10 })).shards
    assert.deepEqual(
      listed.map(({ damaged }) => damaged),
      [true, false],
    )
    assert.deepEqual(checked.inventory().counts, [{ group: 1, shard: 0, blobs: 1 }])
    await rejectsWith(checked.get({ address: one, epoch: 1 }), 'corrupt')
    assert.equal((await checked.get({ address: two, epoch: 1 })).shardBytes, 600)
    const described = await checked.describe([one, two])
    assert.deepEqual([described[0], described[1]?.bytes], [undefined, 600])
  }
  await check(node)
  assert.ok(node.inventory().version > before)
  await node.close()
  const again = await open(disk, index)
  assert.notEqual(again.inventory().version, node.inventory().version)
  await check(again)
})

test('a damaged shard is answered from the list, without the disk', async () => {
  const { disk, node } = await withDamage()
  await rejectsWith(node.get({ address: one, epoch: 1 }), 'corrupt')
  await damagedOf(node)
  let reads = 0
  disk.before = ({ kind }) => {
    if (kind === 'read') reads++
  }
  await rejectsWith(node.get({ address: one, epoch: 1 }), 'corrupt')
  assert.equal(reads, 0)
})

test('describe lists what it cannot read too, and a disk error counts as damage', async () => {
  const { disk, node } = await withDamage()
  disk.before = ({ kind }) => {
    if (kind === 'read') throw diskError('EIO')
  }
  assert.deepEqual(await node.describe([two]), [undefined])
  disk.before = undefined
  assert.deepEqual(await damagedOf(node), [two])
  assert.match((await node.damaged({ limit: 1 })).shards[0]?.reason ?? '', /EIO/)
})

for (const [how, leave] of [
  ['is put again', (node: StorageNode) => node.put(putOf(one, bytesOf(600, 3)))],
  ['is deleted', (node: StorageNode) => node.deleteBlob(1, one.blob).then(() => undefined)],
] as const) {
  test(`a shard that ${how} leaves the list`, async () => {
    const { disk, index, node } = await withDamage()
    await rejectsWith(node.get({ address: one, epoch: 1 }), 'corrupt')
    assert.deepEqual(await damagedOf(node), [one])
    await leave(node)
    const blobs = how === 'is deleted' ? 1 : 2
    const check = async (checked: StorageNode): Promise<void> => {
      assert.deepEqual(await damagedOf(checked), [])
      assert.equal((await checked.status()).damagedShards, 0)
      assert.deepEqual(checked.inventory().counts, [{ group: 1, shard: 0, blobs }])
      const outcome = await checked.get({ address: one, epoch: 1 }).catch(() => undefined)
      assert.equal(outcome?.shardBytes, how === 'is deleted' ? undefined : 600)
    }
    await check(node)
    await check(await open(disk.restart(), index.afterCrash(1)))
  })
}

test('pages of the list go on where the last ended', async () => {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  const addresses = [1, 2, 3, 4, 5].map((blob) => addressOf(blob % 2, blobOf(blob)))
  for (const address of addresses) await node.put(putOf(address, bytesOf(100, 1)))
  disk.before = ({ kind }) => {
    if (kind === 'read') throw diskError('EIO')
  }
  for (const address of addresses) await rejectsWith(node.get({ address, epoch: 1 }), 'corrupt')
  const found: ShardAddress[] = []
  for (;;) {
    const after = found.at(-1)
    const page = await node.damaged(after === undefined ? { limit: 2 } : { after, limit: 2 })
    found.push(...page.shards.map(({ address }) => address))
    if (!page.truncated) break
    assert.equal(page.shards.length, 2)
  }
  assert.deepEqual(
    found,
    [2, 4, 1, 3, 5].map((blob) => addressOf(blob % 2, blobOf(blob))),
  )
})

test('more damage than fits in memory is looked up in the index', async () => {
  const index = new MemoryIndex()
  const writer = new IndexWriter(index, [])
  const entries = Array.from({ length: DAMAGED_SHARDS_CACHED_MAX + 2 }, (_, i) => ({
    address: addressOf(1, blobOf(i)),
    location: { segment: 1, offset: 512 + 8 * i, ownerBytes: 0, dataBytes: 0, sequence: i + 1 },
  }))
  await writer.apply(
    entries.map(({ address, location }) => ({
      kind: 'put',
      address,
      location,
      end: location.offset + 8,
      origin: 1,
    })),
  )
  await writer.markDamaged(
    entries.map((entry) => ({ ...entry, reason: 'flipped' })),
    1,
  )
  const ends = [entries[0] ?? assert.fail(), entries.at(-1) ?? assert.fail()]
  for (const { address, location } of ends) assert.ok(await writer.damage.has(address, location.sequence))
  assert.equal(writer.damage.count, entries.length)
  for (const [gone, { address, location }] of ends.entries()) {
    const moved = { ...location, sequence: location.sequence + entries.length }
    await writer.apply([{ kind: 'put', address, location: moved, end: location.offset + 8, origin: 1 }])
    assert.ok(!(await writer.damage.has(address, location.sequence)))
    assert.ok(!(await writer.damage.has(address, moved.sequence)))
    assert.equal(writer.damage.count, entries.length - 1 - gone)
  }
  assert.deepEqual(writer.inventory.counts(), [{ group: 1, shard: 0, blobs: 2 }])
})

/**
 * Blobs 1 to 3 in segments 1 to 3, one each, the tombstone of blob 1 in segment 2: what is left of each segment is told by
 * `cut`.
 */
async function withLostSegments(
  cut: (disk: MemoryDisk) => Promise<void>,
): Promise<{ disk: MemoryDisk; index: MemoryIndex; node: StorageNode }> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index)
  const put = (blob: number, bytes = 6000): Promise<void> =>
    node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(bytes, blob)))
  await put(1)
  await put(9, 17_000)
  await node.deleteBlob(1, blobOf(1))
  await put(2)
  await put(8, 17_000)
  await put(3)
  await node.close()
  assert.equal((await disk.list('segments')).length, 3)
  await cut(disk)
  return { disk, index, node: await open(disk, index) }
}

const blobsOf = (addresses: readonly ShardAddress[]): number[] =>
  addresses.map(({ blob }) => Number(`0x${blob}`))

test('a segment that is gone: its shards are damaged, and what its tombstones buried stays buried', async () => {
  const { disk, index, node } = await withLostSegments((whole) => whole.remove(segmentPath(2)))
  assert.deepEqual(blobsOf(await damagedOf(node)), [2, 8])
  await rejectsWith(node.get({ address: one, epoch: 1 }), 'not-found')
  await rejectsWith(node.get({ address: two, epoch: 1 }), 'corrupt')
  assert.deepEqual(node.inventory().counts, [{ group: 1, shard: 0, blobs: 2 }])
  // A second start finds nothing new, and says the same.
  await node.close()
  const again = await open(disk, index)
  assert.deepEqual(blobsOf(await damagedOf(again)), [2, 8])
  for (const blob of [2, 8]) await again.put(putOf(addressOf(1, blobOf(blob)), bytesOf(6000, blob)))
  assert.deepEqual(await damagedOf(again), [])
  assert.equal((await again.get({ address: two, epoch: 1 })).shardBytes, 6000)
  // The segment that is gone holds nothing any more, and is forgotten by the next checkpoint.
  await again.close()
  assert.ok((await index.state())?.uses.every(({ segment }) => segment !== 2))
})

test('the newest segments are gone: the rest is served, and what is put then is newer than what was lost', async () => {
  const { node } = await withLostSegments(async (disk) => {
    await disk.remove(segmentPath(2))
    await disk.remove(segmentPath(3))
  })
  assert.deepEqual(blobsOf(await damagedOf(node)), [2, 3, 8])
  await rejectsWith(node.get({ address: one, epoch: 1 }), 'not-found')
  for (const blob of [2, 3, 8]) {
    const address = addressOf(1, blobOf(blob))
    await node.put(putOf(address, bytesOf(50, blob)))
    assert.equal((await node.get({ address, epoch: 1 })).shardBytes, 50)
  }
  assert.deepEqual(await damagedOf(node), [])
})

for (const kept of [0, 100, 512, 513, 3000, 6600]) {
  test(`segments cut off after ${kept} bytes: what lay behind is damaged, what is put then lies apart`, async () => {
    const { disk, index, node } = await withLostSegments(async (whole) => {
      for (const segment of [2, 3]) await (await whole.open(segmentPath(segment))).truncate(kept)
    })
    assert.deepEqual(blobsOf(await damagedOf(node)), [2, 3, 8])
    await rejectsWith(node.get({ address: one, epoch: 1 }), 'not-found')
    assert.equal((await node.get({ address: addressOf(1, blobOf(9)), epoch: 1 })).shardBytes, 17_000)
    for (const blob of [3, 4]) await node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(50, blob)))
    assert.deepEqual(blobsOf(await damagedOf(node)), [2, 8])
    await node.close()
    const again = await open(disk, index)
    assert.deepEqual(blobsOf(await damagedOf(again)), [2, 8])
    for (const blob of [3, 4]) {
      const { shardBytes } = await again.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
      assert.equal(shardBytes, 50)
    }
  })
}

test('a node whose disk gave a read error, or whose syncs hang, is suspect and says why', async () => {
  const clock = new ManualClock()
  const disk = new MemoryDisk()
  const node = await StorageNode.open(
    { nodeId: 'n1', zone: 'a' },
    { ...ports, clock, disk, index: new MemoryIndex() },
  )
  await node.put(putOf(one, bytesOf(100, 1)))
  assert.equal((await node.status()).suspect, false)
  const synced = Promise.withResolvers<undefined>()
  const syncing = Promise.withResolvers<undefined>()
  disk.before = async ({ kind }) => {
    if (kind !== 'sync') return
    syncing.resolve(undefined)
    await synced.promise
  }
  const put = node.put(putOf(two, bytesOf(100, 1)))
  await syncing.promise
  clock.advance(DISK_HUNG_SYNC_MS)
  const hung = await node.status()
  assert.deepEqual([hung.writable, hung.suspect], [true, true])
  assert.match(hung.reason, /a sync of the disk took 5.0 s/)
  synced.resolve(undefined)
  await put
  clock.advance(DISK_SYNC_AGE_MS)
  const calm = await node.status()
  assert.deepEqual([calm.suspect, calm.reason], [false, ''])
  disk.before = ({ kind }) => {
    if (kind === 'read') throw diskError('EIO')
  }
  await rejectsWith(node.get({ address: two, epoch: 1 }), 'corrupt')
  assert.match((await node.status()).reason, /read error/)
  clock.advance(DISK_READ_ERROR_AGE_MS)
  assert.equal((await node.status()).suspect, false)
})
