/** What a storage node makes of damage, of a disk that fails, and of a folder that is not its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { segmentPath } from '../../storage-node/segment/files.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'

/** A generator of its own, so that a seed repeats the run. */
function seeded(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

function randomOf(seed: number): Random {
  const next = seeded(seed)
  return { bytes: (length) => Uint8Array.from({ length }, () => next() * 256) }
}

async function open(disk: MemoryDisk, index: MemoryIndex): Promise<StorageNode> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 40_000 }
  return await StorageNode.open(options, {
    disk,
    index,
    clock: systemClock,
    random: randomOf(7),
    log: silentLog,
  })
}

test('a torn tail is cut off and the log goes on behind what is whole', async () => {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  await node.put(putOf(addressOf(1, blobOf(1)), bytesOf(5000, 1)))
  await node.close()
  const path = segmentPath(1)
  const whole = disk.contents(path).byteLength
  const file = await disk.open(path)
  const tail = bytesOf(3000, 9)
  tail.set(disk.contents(path).subarray(512, 512 + 300))
  await file.write([tail], whole)
  await file.sync()
  const again = await open(disk, new MemoryIndex())
  assert.equal(disk.contents(path).byteLength, whole)
  await again.put(putOf(addressOf(1, blobOf(2)), bytesOf(700, 2)))
  await again.close()
  const third = await open(disk, new MemoryIndex())
  assert.equal((await third.get({ address: addressOf(1, blobOf(1)), epoch: 1 })).shardBytes, 5000)
  assert.equal((await third.get({ address: addressOf(1, blobOf(2)), epoch: 1 })).shardBytes, 700)
})

test('every flipped bit of a record is noticed: nothing wrong is ever read, and the neighbours are not harmed', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index)
  const addresses = [1, 2, 3].map((blob) => addressOf(1, blobOf(blob)))
  for (const address of addresses) await node.put(putOf(address, bytesOf(600, 5)))
  await node.close()
  const path = segmentPath(1)
  const recordBytes = (disk.contents(path).byteLength - 512) / 3
  const start = 512 + recordBytes
  const padding = 8
  for (let at = start; at < start + recordBytes - padding; at++) {
    disk.corrupt(path, at, 1 << (at % 8))
    const running = await open(disk, index.afterCrash(1))
    await running.get({ address: addresses[0] ?? assert.fail(), epoch: 1 })
    await running.get({ address: addresses[2] ?? assert.fail(), epoch: 1 })
    // The marker is only for finding records; a read goes by the index.
    const outcome = await running.get({ address: addresses[1] ?? assert.fail(), epoch: 1 }).then(
      ({ data }) => Buffer.from(bytesOf(600, 5)).equals(data) && at < start + 8,
      (error: unknown) => error instanceof ShardError && error.code === 'corrupt',
    )
    assert.ok(outcome, `byte ${at - start}`)
    disk.corrupt(path, at, 1 << (at % 8))
  }
  // A rebuild steps over the damaged record.
  disk.corrupt(path, start + 20)
  const rebuilt = await open(disk, new MemoryIndex())
  await rebuilt.get({ address: addresses[0] ?? assert.fail(), epoch: 1 })
  await rebuilt.get({ address: addresses[2] ?? assert.fail(), epoch: 1 })
  await rejectsWith(rebuilt.get({ address: addresses[1] ?? assert.fail(), epoch: 1 }), 'not-found')
})

test('a damaged segment header does not lose the segment', async () => {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  for (const blob of [1, 2]) await node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(600, 5)))
  await node.close()
  disk.corrupt(segmentPath(1), 17)
  const again = await open(disk, new MemoryIndex())
  assert.equal((await again.status()).shards, 2)
})

test('bytes of a client never pass for a record', async () => {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  await node.put(putOf(addressOf(1, blobOf(1)), bytesOf(600, 5)))
  const stolen = disk.contents(segmentPath(1)).subarray(512)
  const other = new MemoryDisk()
  const victim = await StorageNode.open(
    { nodeId: 'n1', zone: 'a' },
    { disk: other, index: new MemoryIndex(), clock: systemClock, random: randomOf(8), log: silentLog },
  )
  await victim.put(putOf(addressOf(1, blobOf(9)), stolen))
  await victim.put(putOf(addressOf(1, blobOf(10)), bytesOf(10)))
  other.corrupt(segmentPath(1), 512 + 20)
  const again = await open(other, new MemoryIndex())
  const { shards } = await again.list({ group: 1, limit: 10 })
  assert.deepEqual(
    shards.map(({ address }) => address.blob),
    [blobOf(10)],
  )
})

for (const code of ['EIO', 'EROFS', 'ENOSPC']) {
  for (const kind of ['write', 'sync'] as const) {
    test(`${code} on ${kind}: nothing of the group is acknowledged, reads go on, and it says why`, async () => {
      const disk = new MemoryDisk()
      const index = new MemoryIndex()
      const node = await open(disk, index)
      const kept = addressOf(1, blobOf(1))
      await node.put(putOf(kept, bytesOf(600, 1)))
      let failures = 1
      disk.before = (operation) => {
        if (operation.kind === kind && failures-- > 0) throw diskError(code)
      }
      const puts = [2, 3, 4].map((blob) => node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(600, blob))))
      for (const put of puts) await rejectsWith(put, 'read-only')
      // The disk would take writes again, but the segment that failed is not trusted with them.
      await rejectsWith(node.put(putOf(addressOf(1, blobOf(5)), bytesOf(10))), 'read-only')
      await rejectsWith(node.deleteBlob(1, blobOf(1)), 'read-only')
      assert.equal((await node.get({ address: kept, epoch: 1 })).shardBytes, 600)
      const { writable, reason } = await node.status()
      assert.equal(writable, false)
      assert.match(reason, new RegExp(code))
      await node.recheck()
      assert.equal((await node.status()).writable, true)
      await node.put(putOf(addressOf(1, blobOf(6)), bytesOf(600, 6)))
      assert.equal(disk.contents(segmentPath(2)).byteLength > 1000, true)
      await node.close()
      const again = await open(disk.restart(), index)
      assert.equal((await again.status()).shards, 2)
      await again.put(putOf(addressOf(1, blobOf(7)), bytesOf(10)))
    })
  }
}

/** Puts thirty blobs, each deleted at once but for `kept`, and gives the disk and what a rebuild finds on it. */
async function churn(kept: readonly number[]): Promise<{ files: string[]; found: string[] }> {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  for (let blob = 0; blob < 30; blob++) {
    await node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(9000, blob)))
    if (!kept.includes(blob)) await node.deleteBlob(1, blobOf(blob))
  }
  await node.close()
  const files = await disk.list('segments')
  const rebuilt = await open(disk.restart(), new MemoryIndex())
  const { shards } = await rebuilt.list({ group: 1, limit: 100 })
  return { files, found: shards.map(({ address }) => address.blob) }
}

test('segments that hold nothing any more are removed', async () => {
  const { files, found } = await churn([28])
  assert.ok(files.length <= 3, files.join())
  assert.deepEqual(found, [blobOf(28)])
})

test('a segment whose tombstones an older one needs is kept: no delete is undone by a rebuild', async () => {
  const { found } = await churn([0, 10, 20])
  assert.deepEqual(found, [0, 10, 20].map(blobOf))
})

test('a folder of another node is refused', async () => {
  const disk = new MemoryDisk()
  const node = await open(disk, new MemoryIndex())
  await node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10)))
  await node.close()
  const ports = { disk, index: new MemoryIndex(), clock: systemClock, random: randomOf(1), log: silentLog }
  await assert.rejects(StorageNode.open({ nodeId: 'n2', zone: 'a' }, ports), /belongs to storage node n1/)
})
