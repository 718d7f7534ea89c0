/** A storage node on a disk that runs full: before it is, when it is, and when there is room again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { IndexChanges } from '../../storage-node/index/shard-index.ts'
import { StorageNode, type StorageNodeOptions } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'

async function open(
  disk: MemoryDisk,
  index: MemoryIndex,
  more: Partial<StorageNodeOptions> = {},
): Promise<StorageNode> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 40_000, ...more }
  return await StorageNode.open(options, {
    disk,
    index,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
}

/** An index on the same full disk as the segments, of which LevelDB tells in words only. */
class FullIndex extends MemoryIndex {
  /** While there is one, writes wait for it and then fail. */
  full: Promise<unknown> | undefined

  override async write(changes: IndexChanges): Promise<void> {
    await this.full
    if (this.full !== undefined) throw new Error('IO error: index/000003.log: No space left on device')
    await super.write(changes)
  }
}

for (const first of ['the index', 'the segment']) {
  test(`a disk too full for ${first}, then for the other: the node comes back by itself, with no hole`, async () => {
    const disk = new MemoryDisk()
    const index = new FullIndex()
    const node = await open(disk, index)
    const sizes = new Map([
      [1, 600],
      [2, 9000],
      [3, 600],
    ])
    const putBlob = (blob: number) =>
      node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(sizes.get(blob) ?? 0, blob)))
    await putBlob(1)
    // The put waits in memory for the index, which a list needs whole: from now on every put waits for it.
    index.full = Promise.resolve()
    await rejectsWith(node.list({ group: 1, limit: 10 }), 'unavailable')

    const synced = Promise.withResolvers<undefined>()
    const refusedBySegment = Promise.withResolvers<undefined>()
    index.full = first === 'the index' ? Promise.resolve() : refusedBySegment.promise
    disk.before = ({ kind, bytes }) => {
      if (kind === 'sync') synced.resolve(undefined)
      if (kind === 'write' && bytes > 5000) throw diskError('ENOSPC')
    }
    const indexed = rejectsWith(putBlob(3), 'read-only')
    await synced.promise
    if (first === 'the index') await indexed
    await rejectsWith(putBlob(2), 'read-only')
    refusedBySegment.resolve(undefined)
    await indexed
    assert.equal((await node.status()).writable, false)

    index.full = undefined
    disk.before = undefined
    await node.recheck()
    assert.equal((await node.status()).writable, true)
    await putBlob(2)
    await node.close()
    // What was synced and refused may be there or not, but the log has no hole before it.
    const again = await open(disk.restart(), index)
    for (const blob of [1, 2]) {
      const { shardBytes } = await again.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
      assert.equal(shardBytes, sizes.get(blob))
    }
    const rebuilt = await open(disk.restart(), new MemoryIndex())
    assert.deepEqual(await rebuilt.list({ group: 1, limit: 10 }), await again.list({ group: 1, limit: 10 }))
  })
}

test('a full disk refuses puts before it is full, takes deletes, and comes back', async () => {
  const disk = new MemoryDisk({ capacityBytes: 60_000 })
  const node = await open(disk, new MemoryIndex(), { checkpointBytes: 1, reserveBytes: 20_000 })
  let put = 0
  await assert.rejects(
    async () => {
      for (; put < 100; put++) await node.put(putOf(addressOf(1, blobOf(put)), bytesOf(4000, put)))
    },
    { code: 'read-only', message: 'the disk is full' },
  )
  assert.ok(put > 5 && put < 15, String(put))
  for (let blob = 0; blob < put; blob++) assert.equal(await node.deleteBlob(1, blobOf(blob)), 1)
  disk.capacityBytes = 200_000
  await node.recheck()
  await node.put(putOf(addressOf(1, blobOf(put)), bytesOf(4000, put)))
})
