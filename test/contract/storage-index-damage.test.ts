/** An index that is wrong: what it costs is a start that builds it anew, and never a shard. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPACTION_LOOK_MS } from '../../core/limits.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { IndexDamage } from '../../storage-node/index/shard-index.ts'
import type { StorageNode } from '../../storage-node/node.ts'
import { blobOf } from './shard-requests.ts'
import { one, open, put, range } from './small-node.ts'

async function holds(node: StorageNode, blobs: readonly number[]): Promise<void> {
  for (const blob of blobs) await node.get({ address: one(blob), epoch: 1 })
  const { shards } = await node.list({ group: 1, limit: 1000 })
  assert.deepEqual(
    shards.map(({ address }) => Number(`0x${address.blob}`)),
    blobs,
  )
}

/** A node's folder, closed well: forty blobs in four segments. */
async function filled(): Promise<{ disk: MemoryDisk; index: MemoryIndex }> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const { node, clock } = await open(disk, index)
  await put(node, range(0, 40))
  await clock.drive(node.close())
  return { disk, index }
}

const shardsOf = async (index: MemoryIndex): Promise<number[]> =>
  ((await index.state())?.uses ?? []).map(({ liveShards }) => liveShards)

test('accounts that are right in sum only are made anew at the next start', async () => {
  const { disk, index } = await filled()
  const right = await shardsOf(index)
  const [first, second] = (await index.state())?.uses ?? []
  assert.ok(first !== undefined && second !== undefined && first.liveShards > 1)
  // As after a crash that lost a write of LevelDB and kept a later one.
  const wrong = [
    { ...first, liveShards: first.liveShards - 1 },
    { ...second, liveShards: second.liveShards + 1 },
  ]
  await index.write({ put: [], remove: [], uses: wrong })
  const { node, clock } = await open(disk, index)
  await clock.drive(node.close())
  assert.deepEqual(await shardsOf(index), right)
})

test('a segment whose account says that nothing lives in it is not removed while something does', async () => {
  const { disk, index } = await filled()
  const [first] = (await index.state())?.uses ?? []
  assert.ok(first !== undefined)
  await index.write({ put: [], remove: [], uses: [{ ...first, liveShards: 0, liveRecordBytes: 0 }] })
  // Of an index that is too large to be counted at the start, nobody would notice.
  const entries = index.entries.bind(index)
  index.entries = async function* () {
    for await (const entry of entries()) if (entry.location.segment !== first.segment) yield entry
  }
  const { node, clock } = await open(disk, index)
  await clock.pass(3 * COMPACTION_LOOK_MS)
  await holds(node, range(0, 40))
  // One that goes must not make the account what cannot be stored.
  await node.deleteBlob(1, blobOf(0))
  await clock.pass(3 * COMPACTION_LOOK_MS)
  await holds(node, range(1, 40))
  await put(node, range(40, 60))
  await clock.drive(node.close())
  index.entries = entries
  assert.equal(await index.state(), undefined)
  const { node: again } = await open(disk, index)
  await holds(again, range(1, 60))
})

test('damage of the index that a replay meets has it built anew', async () => {
  const disk = new MemoryDisk()
  const first = new MemoryIndex()
  const { node } = await open(disk, first, { checkpointBytes: 3000 })
  await put(node, range(0, 10))
  const index = first.afterCrash(1)
  const [getMany, clear] = [index.getMany.bind(index), index.clear.bind(index)]
  index.getMany = async () => {
    throw new IndexDamage('flipped')
  }
  index.clear = async () => {
    index.getMany = getMany
    await clear()
  }
  const { node: again } = await open(disk.restart(), index)
  await holds(again, range(0, 10))
})

test('a node whose progress of the scrub is damaged starts, and begins a cycle', async () => {
  const { disk, index } = await filled()
  index.scrubProgress = async () => {
    throw new IndexDamage('flipped')
  }
  const { node } = await open(disk, index)
  await holds(node, range(0, 40))
  assert.equal((await node.scrubNow()).cycle, 1)
})

test('damage that the scrub meets on its own has the next start build the index anew, and nothing compacted', async () => {
  const { disk, index } = await filled()
  const { node, clock } = await open(disk, index, { scrubDays: 1 })
  for (const blob of range(0, 30)) await node.deleteBlob(1, blobOf(blob))
  index.lose(one(31))
  const entries = index.entries.bind(index)
  index.entries = async function* () {
    yield* []
    throw new IndexDamage('flipped')
  }
  await clock.pass(COMPACTION_LOOK_MS - 1)
  assert.equal(await index.state(), undefined)
  await clock.pass(10 * COMPACTION_LOOK_MS)
  assert.equal(node.compaction().segments, 0)
  await put(node, range(40, 90))
  await clock.drive(node.close())
  index.entries = entries
  assert.equal(await index.state(), undefined)
  const { node: again } = await open(disk, index)
  await holds(again, range(30, 90))
})
