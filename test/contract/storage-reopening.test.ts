/** A storage node whose index takes no more writes, until it is opened anew: it does that by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { READ_ONLY_PROBE_MS, READ_ONLY_PROBE_MS_MAX } from '../../core/limits.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { StorageNode, type StorageNodeOptions } from '../../storage-node/node.ts'
import { ReopeningNode } from '../../storage-node/reopening-node.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'
import { StickyFolder } from './sticky-index.ts'

interface SetUp {
  readonly share?: number
  readonly options?: Partial<StorageNodeOptions>
  readonly disk?: MemoryDisk
  readonly folder?: StickyFolder
}

async function setUp({ share, options, disk = new MemoryDisk(), folder = new StickyFolder() }: SetUp = {}) {
  const clock = new ManualClock()
  const ports = { disk, clock, log: silentLog }
  const gate = { opening: Promise.resolve(), beforeOpen: (): void => undefined }
  const identity = { nodeId: 'n1', zone: 'a' }
  const node = await ReopeningNode.open({
    ...identity,
    ...ports,
    async open() {
      gate.beforeOpen()
      await gate.opening
      const index = folder.openIndex(share)
      return await StorageNode.open({ ...identity, ...options }, { ...ports, index, random: systemRandom })
    },
  })
  /** Both the segments and the index fail, or no longer do. */
  const fail = (failing: boolean): void => {
    folder.failing = failing
    disk.before = failing
      ? ({ kind }) => {
          if (kind === 'write') throw diskError('EIO')
        }
      : undefined
  }
  const put = (blob: number, epoch = 1) =>
    node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(500 + blob, blob), epoch))
  const isThere = async (blob: number, epoch = 1): Promise<void> => {
    const { data } = await node.get({ address: addressOf(1, blobOf(blob)), epoch })
    assert.ok(Buffer.from(bytesOf(500 + blob, blob)).equals(data), `blob ${blob}`)
  }
  /** The index hears of what is in memory, and refuses it from then on, the segments too. */
  const stick = async (): Promise<void> => {
    folder.failing = true
    await put(90)
    await rejectsWith(node.list({ group: 1, limit: 10 }), 'unavailable')
    await rejectsWith(put(91), 'read-only')
  }
  /** What a heartbeat does, as time goes on. */
  const beat = async (ms = READ_ONLY_PROBE_MS_MAX): Promise<void> => {
    clock.advance(ms)
    await node.recheck()
  }
  return { clock, disk, folder, gate, node, fail, put, isThere, stick, beat }
}

for (const share of [0, 0.5, 1]) {
  test(`an index that refuses writes for good is opened anew, which may know ${share} of the last: nothing is lost`, async () => {
    const { node, folder, fail, put, isThere, beat } = await setUp({ share })
    for (let blob = 0; blob < 20; blob++) await put(blob)
    await node.list({ group: 1, limit: 10 })
    for (let blob = 0; blob < 20; blob += 5) assert.equal(await node.deleteBlob(1, blobOf(blob)), 1)
    node.learnEpoch(7)
    const before = node.inventory()
    folder.failing = true
    await put(90, 7)
    await rejectsWith(node.list({ group: 1, limit: 10 }), 'unavailable')
    fail(true)
    await rejectsWith(put(91, 7), 'read-only')

    // As long as the disk takes nothing, the old one serves reads.
    await beat()
    await node.idle()
    assert.equal(folder.opened, 1)
    await isThere(1, 7)
    await rejectsWith(node.deleteBlob(1, blobOf(1)), 'read-only')
    const failed = await node.status()
    assert.equal(failed.writable, false)
    assert.match(failed.reason, /^writing failed/)

    fail(false)
    await beat()
    await node.idle()
    assert.equal(folder.opened, 2)
    assert.deepEqual([(await node.status()).writable, (await node.status()).reason], [true, ''])
    for (let blob = 0; blob < 20; blob++) {
      if (blob % 5 > 0) await isThere(blob, 7)
      else await rejectsWith(node.get({ address: addressOf(1, blobOf(blob)), epoch: 7 }), 'not-found')
    }
    await isThere(90, 7)
    // It knows what it knew of the cluster, and counts anew.
    await rejectsWith(put(92, 6), 'stale-map')
    await put(92, 7)
    const { shards } = await node.list({ group: 1, limit: 100 })
    const after = node.inventory()
    assert.notEqual(after?.version, before?.version)
    assert.deepEqual(
      after?.counts.map(({ blobs }) => blobs),
      [shards.length],
    )
    await node.close()
    assert.equal(folder.open, 0)
  })
}

test('until it is open again: reads unavailable, writes refused, and the status goes on', async () => {
  const { node, folder, gate, stick, beat, put, isThere } = await setUp()
  for (let blob = 0; blob < 5; blob++) await put(blob)
  await stick()
  const known = { status: await node.status(), inventory: node.inventory() }
  folder.failing = false
  const opening = Promise.withResolvers<undefined>()
  const begun = Promise.withResolvers<undefined>()
  gate.opening = opening.promise.then(() => undefined)
  gate.beforeOpen = () => {
    begun.resolve(undefined)
  }
  await beat()
  await begun.promise

  await rejectsWith(node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }), 'unavailable')
  await rejectsWith(node.list({ group: 1, limit: 10 }), 'unavailable')
  await rejectsWith(put(6), 'read-only')
  await rejectsWith(node.deleteBlob(1, blobOf(1)), 'read-only')
  const { reason, ...status } = await node.status()
  assert.match(reason, /^writing failed: .*the node is being opened again$/)
  assert.equal(status.shards, known.status.shards)
  assert.equal(status.writable, false)
  assert.deepEqual(node.inventory(), known.inventory)
  // A heartbeat meanwhile neither waits for it nor begins another.
  await beat()
  opening.resolve(undefined)
  await node.idle()
  assert.equal(folder.opened, 2)
  await isThere(1)
  await put(6)
  await node.close()
})

test('an opening that fails is tried again, less and less often', async () => {
  const { node, folder, gate, stick, beat, put, isThere } = await setUp()
  await put(1)
  await stick()
  folder.failing = false
  let attempts = 0
  gate.beforeOpen = () => {
    attempts++
    throw new Error('IO error: Input/output error')
  }
  await beat()
  await node.idle()
  assert.equal(attempts, 1)
  assert.match((await node.status()).reason, /does not open: IO error/)
  for (let n = 0; n < 20; n++) {
    await beat(READ_ONLY_PROBE_MS)
    await node.idle()
  }
  // After 5, 10, 20 and 40 seconds of those hundred.
  assert.equal(attempts, 5)
  gate.beforeOpen = () => undefined
  await beat()
  await node.idle()
  await isThere(1)
  await put(2)
  await node.close()
  assert.equal(folder.open, 0)
})

test('an index that takes writes again by itself is not opened anew, and makes a checkpoint', async () => {
  const { node, folder, stick, put, beat, isThere } = await setUp()
  folder.sticks = false
  await put(1)
  await stick()
  folder.failing = false
  await beat()
  await node.idle()
  assert.equal(folder.opened, 1)
  assert.ok(folder.checkpoints > 0)
  await put(2)
  for (const blob of [1, 2, 90]) await isThere(blob)
  await node.close()
})

test('an index that failed behind the back of the log is opened anew before the next write', async () => {
  const { node, folder, disk, put, beat } = await setUp({ options: { checkpointBytes: 1 } })
  await put(1)
  await node.list({ group: 1, limit: 10 })
  folder.failing = true
  // Its checkpoint fails, and nobody hears of it.
  await put(2)
  disk.before = ({ kind }) => {
    if (kind === 'write') throw diskError('ENOSPC')
  }
  await rejectsWith(put(3), 'read-only')
  disk.before = undefined
  folder.failing = false
  await beat()
  await node.idle()
  assert.equal(folder.opened, 2)
  await put(3)
  assert.equal(await node.deleteBlob(1, blobOf(2)), 1)
  await node.close()
})

test('closed while it is being opened: nothing stays open, and calls hear that it shuts down', async () => {
  const { node, folder, gate, stick, beat, put } = await setUp()
  await stick()
  folder.failing = false
  const opening = Promise.withResolvers<undefined>()
  const begun = Promise.withResolvers<undefined>()
  gate.opening = opening.promise.then(() => undefined)
  gate.beforeOpen = () => {
    begun.resolve(undefined)
  }
  await beat()
  await begun.promise
  const closed = node.close()
  await rejectsWith(put(1), 'unavailable')
  opening.resolve(undefined)
  await closed
  assert.equal(folder.open, 0)
  await rejectsWith(node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }), 'unavailable')
  await beat()
  await node.idle()
  assert.equal(folder.open, 0)
})

test('a read that is under way when the node is opened anew ends well', async () => {
  const { node, folder, disk, stick, beat, isThere, put } = await setUp()
  await put(1)
  await stick()
  folder.failing = false
  const reading = Promise.withResolvers<undefined>()
  const goOn = Promise.withResolvers<undefined>()
  disk.before = async ({ kind }) => {
    if (kind !== 'read') return
    reading.resolve(undefined)
    await goOn.promise
  }
  const read = isThere(1)
  await reading.promise
  disk.before = undefined
  await beat()
  goOn.resolve(undefined)
  await read
  await node.idle()
  assert.equal(folder.opened, 2)
  await node.close()
})

test('started on a disk too full for its index: it waits for room, and tells nothing of what it holds', async () => {
  const first = await setUp()
  for (let blob = 0; blob < 5; blob++) await first.put(blob)
  await first.node.close()
  const { disk, folder } = first
  folder.failing = true
  const { node, beat, isThere } = await setUp({ disk, folder })
  const { writable, reason } = await node.status()
  assert.equal(writable, false)
  assert.match(reason, /does not open: .*No space left/)
  assert.equal(node.inventory(), undefined)
  await rejectsWith(node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }), 'unavailable')
  folder.failing = false
  await beat()
  await node.idle()
  for (let blob = 0; blob < 5; blob++) await isThere(blob)
  await node.close()
})

test('started with less room than the reserve: no puts, but reads, deletes and what they free', async () => {
  const first = await setUp({ options: { segmentBytes: 4000 } })
  for (let blob = 0; blob < 40; blob++) await first.put(blob)
  await first.node.close()
  const { disk, folder } = first
  const { freeBytes } = await disk.space()
  const usedBytes = Number.MAX_SAFE_INTEGER - freeBytes
  disk.capacityBytes = usedBytes + 6000
  const options = { segmentBytes: 4000, reserveBytes: 10_000, checkpointBytes: 1 }
  const { node, isThere, put, beat } = await setUp({ disk, folder, options })
  assert.deepEqual(
    [(await node.status()).writable, (await node.status()).reason],
    [false, 'the disk is full'],
  )
  await rejectsWith(put(50), 'read-only')
  for (let blob = 0; blob < 40; blob++) await isThere(blob)
  for (let blob = 0; blob < 35; blob++) assert.equal(await node.deleteBlob(1, blobOf(blob)), 1)
  for (let n = 0; n < 100 && !(await node.status()).writable; n++) await beat()
  await put(50)
  for (let blob = 35; blob < 40; blob++) await isThere(blob)
  await node.close()
})
