/** A storage node with a real index on a small real file system, which something else fills to the last byte. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { COMPACTION_LOOK_MS, READ_ONLY_PROBE_MS_MAX } from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { ReopeningNode } from '../../storage-node/reopening-node.ts'
import { noLoopDisks, onLoopDisk } from '../chaos/loop-disk.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'

const MEBIBYTE = 2 ** 20
const DISK_MEBIBYTES = 64
const RESERVE_BYTES = 3 * MEBIBYTE
const SEGMENT_BYTES = MEBIBYTE / 4

const skip = (await noLoopDisks()) ?? false

async function onDisk(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-node-'))
  await onLoopDisk(t, folder, DISK_MEBIBYTES)
  // After the disk is gone from there.
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Adds to a file beside the node's until no more than so many bytes are free; 0: to the last byte. */
async function fillUp(folder: string, leaveBytes = 0): Promise<void> {
  const file = await open(join(folder, 'others'), 'a')
  try {
    for (let bytes = MEBIBYTE; bytes >= 1;) {
      const { bavail, bsize } = await statfs(folder)
      if (leaveBytes > 0 && bavail * bsize <= leaveBytes) break
      const written = await file.write(Buffer.alloc(bytes, 1)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOSPC') throw error
        return { bytesWritten: 0 }
      })
      if (written.bytesWritten === 0) bytes = Math.floor(bytes / 4)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

const sizeOf = (blob: number): number => (blob % 9 === 0 ? 60_000 : 300 + (blob % 1000))

async function openNode(folder: string) {
  const clock = new ManualClock()
  let failedCheckpoints = 0
  const log: Log = {
    ...silentLog,
    warn(message) {
      if (message === 'no checkpoint of the index') failedCheckpoints++
    },
  }
  const ports = { disk: createNodeDisk(folder), clock, log }
  const identity = { nodeId: 'n1', zone: 'a' }
  let opened = 0
  const node = await ReopeningNode.open({
    ...identity,
    ...ports,
    async open() {
      opened++
      const index = await openLevelIndex(join(folder, 'index'))
      const options = { ...identity, reserveBytes: RESERVE_BYTES, segmentBytes: SEGMENT_BYTES }
      return await StorageNode.open(options, { ...ports, index, random: systemRandom })
    },
  })
  const put = (blob: number) => node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(sizeOf(blob), blob)))
  return {
    node,
    clock,
    failedCheckpoints: () => failedCheckpoints,
    opened: () => opened,
    put,
    async isThere(blob: number) {
      const { data } = await node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
      assert.ok(Buffer.from(bytesOf(sizeOf(blob), blob)).equals(data), `blob ${blob}`)
    },
    async isGone(blob: number) {
      await rejectsWith(node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 }), 'not-found')
    },
    /** What heartbeats do in a minute, and the compactor meanwhile. */
    async beat() {
      clock.advance(READ_ONLY_PROBE_MS_MAX)
      await node.recheck()
      await node.idle()
    },
    /** Puts blobs from `first` on until one is refused; resolves to those that were not. */
    async putUntilRefused(first: number, most: number): Promise<number[]> {
      const acknowledged: number[] = []
      for (let from = first; from < first + most; from += 20) {
        const blobs = Array.from({ length: 20 }, (_, n) => from + n)
        const outcomes = await Promise.allSettled(blobs.map(put))
        acknowledged.push(...blobs.filter((_, n) => outcomes[n]?.status === 'fulfilled'))
        for (const outcome of outcomes) {
          if (outcome.status === 'fulfilled') continue
          assert.ok(outcome.reason instanceof ShardError)
          assert.equal(outcome.reason.code, 'read-only', outcome.reason.message)
        }
        if (outcomes.some(({ status }) => status === 'rejected')) break
      }
      return acknowledged
    },
  }
}

test(
  'filled to the last byte by others while it writes: it comes back by itself once there is room',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = await onDisk(t)
    const running = await openNode(folder)
    const { node, clock, opened, put, isThere, isGone, beat, putUntilRefused } = running
    try {
      const acknowledged = await putUntilRefused(0, 400)
      assert.equal(acknowledged.length, 400)
      // Its deletes are refused, and may take effect all the same: what the log has and the index refused is not forgotten.
      const contested = acknowledged.pop() ?? assert.fail()
      const filling = fillUp(folder)
      acknowledged.push(...(await putUntilRefused(1000, 100_000)))
      await filling
      await isFull()
      await rm(join(folder, 'others'))
      await beat()
      assert.equal((await node.status()).reason, '')

      // Again, and so that the index fails for good: it is to write a table when whole segments are dead.
      const before = opened()
      const deleted = acknowledged.splice(0, 200)
      await Promise.all(deleted.map((blob) => node.deleteBlob(1, blobOf(blob))))
      await node.list({ group: 1, limit: 1 })
      await fillUp(folder)
      const failed = running.failedCheckpoints()
      while (running.failedCheckpoints() === failed) {
        clock.advance(COMPACTION_LOOK_MS)
        await delay(5)
      }
      acknowledged.push(...(await putUntilRefused(3000, 100_000)))
      await isFull()
      assert.equal(opened(), before, 'without room it is not tried')
      await rm(join(folder, 'others'))
      await beat()
      assert.equal((await node.status()).reason, '')
      assert.equal(opened(), before + 1)
      for (const blob of acknowledged) await isThere(blob)
      for (const blob of deleted) await isGone(blob)
      await put(2000)
      assert.equal(await node.deleteBlob(1, blobOf(2000)), 1)

      async function isFull(): Promise<void> {
        await beat()
        await rejectsWith(put(2000), 'read-only')
        await rejectsWith(node.deleteBlob(1, blobOf(contested)), 'read-only')
        const { writable, reason } = await node.status()
        assert.equal(writable, false)
        assert.match(reason, /^writing failed: .*no space left/i)
        for (const blob of acknowledged) await isThere(blob)
      }
    } finally {
      await node.close()
    }
  },
)

test(
  'filled into its reserve, and started so: reads, deletes and compaction go on, and make room',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = await onDisk(t)
    const first = await openNode(folder)
    const acknowledged = await first.putUntilRefused(0, 1000)
    await first.node.close()
    await fillUp(folder, RESERVE_BYTES / 2)
    const { node, clock, put, isThere, isGone } = await openNode(folder)
    try {
      assert.deepEqual(
        [(await node.status()).writable, (await node.status()).reason],
        [false, 'the disk is full'],
      )
      await rejectsWith(put(2000), 'read-only')
      for (const blob of acknowledged) await isThere(blob)
      const segments = async () => (await readdir(join(folder, 'segments'))).length
      const before = await segments()
      const kept = acknowledged.filter((blob) => blob % 10 === 0)
      const deleted = acknowledged.filter((blob) => blob % 10 > 0)
      const counts = await Promise.all(deleted.map((blob) => node.deleteBlob(1, blobOf(blob))))
      assert.ok(counts.every((count) => count === 1))
      // As long as it takes: the disk is a real one.
      while ((await node.status()).reason !== '') {
        clock.advance(COMPACTION_LOOK_MS)
        await node.recheck()
        await delay(5)
      }
      assert.ok((await segments()) < before / 2)
      await put(2000)
      for (const blob of [...kept, 2000]) await isThere(blob)
      for (const blob of deleted) await isGone(blob)
    } finally {
      await node.close()
    }
  },
)

test(
  'started on a disk without a byte to spare: it waits for room, with the index as it was',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = await onDisk(t)
    const first = await openNode(folder)
    const acknowledged = await first.putUntilRefused(0, 100)
    // What only the index knows: that a shard is damaged.
    const [segment = ''] = await readdir(join(folder, 'segments'))
    const file = await open(join(folder, 'segments', segment), 'r+')
    await file.write(Buffer.alloc(16, 0x55), 0, 16, 50_000)
    await file.close()
    for (const blob of acknowledged) await first.isThere(blob).catch(() => undefined)
    const damaged = await first.node.damaged({ limit: 10 })
    assert.equal(damaged.shards.length, 1)
    await first.node.close()

    await fillUp(folder)
    const { node, beat, put } = await openNode(folder)
    try {
      const { writable, reason } = await node.status()
      assert.equal(writable, false)
      assert.match(reason, /no space left/i)
      assert.equal(node.inventory(), undefined)
      await beat()
      await rejectsWith(node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }), 'unavailable')
      await rm(join(folder, 'others'))
      await beat()
      assert.deepEqual(await node.damaged({ limit: 10 }), damaged)
      await put(2000)
    } finally {
      await node.close()
    }
  },
)
