/**
 * Power cuts of a storage node: at every operation of its disk, with all, none or any of the unsynced sectors lost, and
 * with its index at any state since the last checkpoint, or gone.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import type { Survival } from '../../runtime/disk/memory-file.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { ShardError, type ShardAddress } from '../../proto/shard-transport.ts'
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

/** What a client knows of one shard: which contents (by seed) it may hold now; 0 is none. */
class Knowledge {
  readonly possible = new Map<string, Set<number>>()
  readonly addresses = new Map<string, ShardAddress>()

  of(address: ShardAddress): Set<number> {
    const name = `${address.blob}/${address.shard}`
    this.addresses.set(name, address)
    const known = this.possible.get(name) ?? new Set([0])
    this.possible.set(name, known)
    return known
  }
}

const SIZES = [0, 100, 512, 4096, 9000, 20_000]
const sizeOf = (seed: number): number => SIZES[seed % SIZES.length] ?? 0

/** Puts, puts again and deletes, several at once, as far as the disk goes; records what was acknowledged. */
async function workload(node: StorageNode, seed: number, knowledge: Knowledge): Promise<void> {
  const next = seeded(seed)
  let content = seed * 1000
  async function putOne(blob: number, shard: number): Promise<void> {
    const mine = ++content
    const address = addressOf(1, blobOf(blob), 0, shard)
    const known = knowledge.of(address)
    known.add(mine)
    await node.put(putOf(address, bytesOf(sizeOf(mine), mine)))
    known.clear()
    known.add(mine)
  }
  async function deleteOne(blob: number): Promise<void> {
    const shards = [0, 1].map((shard) => knowledge.of(addressOf(1, blobOf(blob), 0, shard)))
    for (const known of shards) known.add(0)
    await node.deleteBlob(1, blobOf(blob))
    for (const known of shards) {
      known.clear()
      known.add(0)
    }
  }
  for (let round = 0; round < 8; round++) {
    // One operation a blob and round: what comes of two at once on the same shard is not known to the client.
    const blobs = [0, 1, 2, 3, 4].filter(() => next() < 0.7)
    const operations = blobs.flatMap((blob) =>
      next() < 0.25 ? [deleteOne(blob)] : [putOne(blob, 0), putOne(blob, 1)],
    )
    const outcomes = await Promise.allSettled(operations)
    if (outcomes.some(({ status }) => status === 'rejected')) return
  }
}

async function verify(node: StorageNode, knowledge: Knowledge, what: string): Promise<void> {
  let living = 0
  for (const [name, address] of knowledge.addresses) {
    const possible = knowledge.possible.get(name) ?? new Set()
    const found = await node.get({ address, epoch: 1 }).catch((error: unknown) => {
      assert.ok(
        error instanceof ShardError && error.code === 'not-found',
        `${what}: ${name}: ${String(error)}`,
      )
      return undefined
    })
    if (found === undefined) {
      assert.ok(possible.has(0), `${what}: ${name} is lost`)
      continue
    }
    living++
    const content = [...possible].find(
      (seed) => seed !== 0 && Buffer.from(bytesOf(sizeOf(seed), seed)).equals(found.data),
    )
    assert.ok(content !== undefined, `${what}: ${name} holds ${found.shardBytes} bytes it should not`)
    possible.clear()
    possible.add(content)
  }
  assert.equal((await node.status()).shards, living, `${what}: shards counted`)
  const listed = await node.list({ group: 1, limit: 1000 })
  assert.equal(listed.shards.length, living, `${what}: shards listed`)
}

/** Runs the workload until operation `cut` of the disk. */
async function runUntil(
  cut: number,
): Promise<{ disk: MemoryDisk; index: MemoryIndex; knowledge: Knowledge }> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const knowledge = new Knowledge()
  disk.cutPowerAt(cut)
  try {
    const node = await open(disk, index)
    await workload(node, 1, knowledge)
    await node.close()
  } catch (error) {
    assert.ok(!disk.powered, String(error))
  }
  return { disk, index, knowledge }
}

async function operationsOfRun(): Promise<number> {
  const { disk } = await runUntil(Infinity)
  return disk.operations
}

const survivals: readonly { readonly name: string; of(seed: number): Survival }[] = [
  { name: 'nothing unsynced survives', of: () => () => false },
  { name: 'all unsynced survives', of: () => () => true },
  {
    name: 'some unsynced survives',
    of(seed) {
      const next = seeded(seed + 17)
      return () => next() < 0.5
    },
  },
]

for (const survival of survivals) {
  test(`a power cut at every operation: ${survival.name}`, async () => {
    const operations = await operationsOfRun()
    assert.ok(operations > 40, `only ${operations} operations`)
    for (let cut = 0; cut < operations; cut++) {
      const run = await runUntil(cut)
      const indexes = [
        new MemoryIndex(),
        run.index.afterCrash(0),
        run.index.afterCrash(0.5),
        run.index.afterCrash(1),
      ]
      for (const [i, index] of indexes.entries()) {
        const what = `cut at ${cut}, ${survival.name}, index ${i}`
        const disk = run.disk.restart(survival.of(cut))
        const knowledge = new Knowledge()
        for (const [name, address] of run.knowledge.addresses) {
          knowledge.addresses.set(name, address)
          knowledge.possible.set(name, new Set(run.knowledge.possible.get(name)))
        }
        const node = await open(disk, index)
        await verify(node, knowledge, what)
        // It goes on from there, and what it says then holds over a second cut.
        await workload(node, 2, knowledge)
        await verify(node, knowledge, `${what}, after more work`)
        const again = await open(disk.restart(), index.afterCrash(0))
        await verify(again, knowledge, `${what}, after a second cut`)
      }
    }
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
