/** What is deleted while something else is under way stays deleted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { BlobGate } from '../../storage-node/compaction/blob-gate.ts'
import { copyShards } from '../../storage-node/compaction/copy-segment.ts'
import { LiveIndex } from '../../storage-node/index/live-index.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { IndexWriter } from '../../storage-node/index/writer.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { SegmentFiles, segmentPath } from '../../storage-node/segment/files.ts'
import { SegmentLog } from '../../storage-node/segment/log.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

async function open(disk: MemoryDisk, index: MemoryIndex): Promise<StorageNode> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 1e9 }
  const ports = { disk, index, clock: systemClock, random: systemRandom, log: silentLog }
  return await StorageNode.open(options, ports)
}

test('a shard that the scrub puts back into the index stays deleted when its blob is deleted meanwhile', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index)
  for (let blob = 0; blob < 20; blob++) {
    for (const shard of [0, 1]) {
      await node.put(putOf(addressOf(1, blobOf(blob), 0, shard), bytesOf(2000, blob)))
    }
  }
  await node.deleteBlob(1, blobOf(19))
  await node.status()
  index.lose(addressOf(1, blobOf(0), 0, 0))
  index.lose(addressOf(1, blobOf(1), 0, 0))
  const last = `segments/${(await disk.list('segments')).at(-1) ?? assert.fail()}`
  // Read for the first time when tombstones are looked for.
  let deleted: number | undefined
  disk.before = async ({ kind, path, bytes }) => {
    if (kind !== 'read' || path !== last || bytes <= 512 || deleted !== undefined) return
    deleted = 0
    deleted = await node.deleteBlob(1, blobOf(0))
  }
  const { found } = await node.scrubNow()
  disk.before = undefined
  assert.deepEqual([deleted, found], [1, 1])
  const blobsOf = async (of: StorageNode): Promise<string[]> =>
    (await of.list({ group: 1, limit: 3 })).shards.map(({ address }) => address.blob)
  assert.deepEqual(await blobsOf(node), [blobOf(1), blobOf(1), blobOf(2)])
  await node.close()
  assert.deepEqual(await blobsOf(await open(disk, new MemoryIndex())), [blobOf(1), blobOf(1), blobOf(2)])
})

test('no shard is copied behind a tombstone that the index is told of only when the log is opened again', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const files = new SegmentFiles(disk)
  await files.list()
  const writer = new IndexWriter(index, [])
  let looks = 0
  const live = new LiveIndex({
    clock: systemClock,
    apply: (records) => writer.apply(records),
    get: (address) => index.get(address),
    getMany: async (addresses) => {
      const found = await index.getMany(addresses)
      // The look of the copy itself is slow: its answer is old when it comes.
      if (++looks === 2) await segments.reopen()
      return found
    },
  })
  let refusing = false
  const segments = new SegmentLog(
    {
      files,
      header: (number) => ({
        number,
        marker: systemRandom.bytes(8),
        createdMs: 0,
        nodeId: 'n1',
        clusterId: '',
      }),
      commit: async (records) => {
        if (refusing) throw diskError('EIO')
        return await live.commit(records)
      },
      settle: () => live.flush(),
      failed: () => undefined,
    },
    { active: undefined, nextSegment: 1, nextSequence: 1 },
  )
  const request = putOf(addressOf(1, blobOf(1)), bytesOf(2000, 1))
  const { address } = request
  const nothing = { owner: new Uint8Array(0), checksums: new Uint32Array(0), data: new Uint8Array(0) }
  await segments.append({ ...request, kind: 'put', owner: nothing.owner })
  await segments.sealActive()
  await live.flush()
  refusing = true
  await assert.rejects(segments.append({ ...nothing, kind: 'tombstone', address }), { code: 'read-only' })
  refusing = false
  const ports = {
    files,
    live,
    segments,
    gate: new BlobGate(),
    ready: async () => undefined,
    damaged: () => undefined,
  }
  const end = disk.contents(segmentPath(1)).byteLength
  await copyShards(ports, 1, end).catch(() => undefined)
  await segments.reopen()
  await live.flush()
  assert.equal(await live.get(address), undefined)
  const rebuilt = await open(disk.restart(), new MemoryIndex())
  assert.deepEqual((await rebuilt.list({ group: 1, limit: 10 })).shards, [])
})
