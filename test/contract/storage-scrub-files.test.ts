/** The scrub of a storage node on real files and a real index. */
import assert from 'node:assert/strict'
import { mkdtemp, open as openFile, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

async function start(folder: string): Promise<StorageNode> {
  const index = await openLevelIndex(join(folder, 'index'))
  const ports = { clock: systemClock, random: systemRandom, log: silentLog }
  return await StorageNode.open(
    { nodeId: 'n1', zone: 'a', segmentBytes: 300_000 },
    { ...ports, disk: createNodeDisk(folder), index },
  )
}

const COUNT = 50
const BYTES = 20_000

/** Changes one byte of a file that others have open. */
async function flip(path: string, position: number): Promise<void> {
  const file = await openFile(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, position)
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 0x10]), 0, 1, position)
  await file.close()
}

test('flipped, cut off and removed files are found, listed over a restart, and put right by putting again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-scrub-'))
  try {
    const node = await start(folder)
    for (let blob = 0; blob < COUNT; blob++) {
      await node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(BYTES, blob)))
    }
    assert.equal((await node.scrubNow()).found, 0)
    const segments = await readdir(join(folder, 'segments'))
    assert.ok(segments.length >= 4)
    const path = (number: number): string => join(folder, 'segments', segments[number] ?? assert.fail())
    // Fourteen shards a segment: one in the data of the second, one in the header of the third.
    const recordBytes = Math.ceil((300_000 - 512) / 14) - 100
    await flip(path(0), 512 + recordBytes)
    await truncate(path(1), 100_000)
    await rm(path(2))
    const { found } = await node.scrubNow()
    const { shards } = await node.damaged({ limit: 100 })
    assert.equal(found, shards.length)
    const damaged = shards.map(({ address }) => Number(`0x${address.blob}`))
    assert.equal(damaged.filter((blob) => blob < 14).length, 1)
    // Four whole shards are left of the second segment.
    assert.equal(damaged.filter((blob) => blob >= 14 && blob < 28).length, 10)
    assert.equal(damaged.filter((blob) => blob >= 28 && blob < 42).length, 14)
    assert.equal(damaged.length, 25)
    for (let blob = 0; blob < COUNT; blob++) {
      const read = await node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 }).catch(() => undefined)
      assert.equal(read === undefined, damaged.includes(blob))
    }
    assert.deepEqual(node.inventory().counts, [{ group: 1, shard: 0, blobs: 25 }])
    await node.close()

    const again = await start(folder)
    assert.deepEqual(await again.damaged({ limit: 100 }), { shards, truncated: false })
    const { scrub } = await again.status()
    assert.deepEqual([scrub.cycle, scrub.found], [2, 25])
    for (const blob of damaged) await again.put(putOf(addressOf(1, blobOf(blob)), bytesOf(BYTES, blob)))
    assert.equal((await again.scrubNow()).found, 25)
    assert.equal((await again.status()).damagedShards, 0)
    assert.deepEqual(again.inventory().counts, [{ group: 1, shard: 0, blobs: COUNT }])
    for (let blob = 0; blob < COUNT; blob++) {
      const { data } = await again.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
      assert.ok(Buffer.from(bytesOf(BYTES, blob)).equals(data))
    }
    await again.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
