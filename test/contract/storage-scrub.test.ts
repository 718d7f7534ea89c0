/** The scrub of a storage node: whatever is wrong on its disk is found in one cycle, and nothing else is. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { SCRUB_RATE_MIN } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { IndexEntry } from '../../storage-node/index/shard-index.ts'
import { StorageNode, type StorageNodeOptions } from '../../storage-node/node.ts'
import { segmentPath } from '../../storage-node/segment/files.ts'
import { dataOffset, SEGMENT_HEADER_BYTES } from '../../storage-node/segment/format.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

const ports = { clock: systemClock, random: systemRandom, log: silentLog }
const SEGMENT_BYTES = 200_000

interface World {
  readonly disk: MemoryDisk
  readonly index: MemoryIndex
  readonly node: StorageNode
}

async function open(
  disk: MemoryDisk,
  index: MemoryIndex,
  more: Partial<StorageNodeOptions> = {},
  clock: Clock = systemClock,
): Promise<StorageNode> {
  const options = {
    nodeId: 'n1',
    zone: 'a',
    segmentBytes: SEGMENT_BYTES,
    checkpointBytes: 10 * SEGMENT_BYTES,
    ...more,
  }
  return await StorageNode.open(options, { ...ports, clock, disk, index })
}

const SIZES = [0, 1, 100, 4096, 30_000, 70_000]
const at = (number: number): ShardAddress =>
  addressOf(1 + (number % 2), blobOf(number >> 2), (number >> 1) & 1, number & 1)

/** Shards 0 … `count` - 1, some of them put twice and some blobs deleted. */
async function filled(count: number, clock: Clock = systemClock): Promise<World> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index, {}, clock)
  const put = (number: number): Promise<void> =>
    node.put(putOf(at(number), bytesOf(SIZES[number % SIZES.length] ?? 0, number)))
  for (let number = 0; number < count; number++) await put(number)
  for (let number = 0; number < count; number += 7) await put(number)
  for (let number = 3; number < count; number += 20) await node.deleteBlob(at(number).group, at(number).blob)
  await node.status()
  return { disk, index, node }
}

/** The shards of {@link filled} that were put twice. */
const twice = Array.from({ length: 9 }, (_, i) => JSON.stringify(at(7 * i)))

async function entriesOf(index: MemoryIndex): Promise<IndexEntry[]> {
  const entries: IndexEntry[] = []
  for await (const entry of index.entries()) entries.push(entry)
  return entries
}

async function damagedOf(node: StorageNode): Promise<string[]> {
  const { shards, truncated } = await node.damaged({ limit: 200 })
  assert.ok(!truncated)
  return shards.map(({ address }) => JSON.stringify(address)).toSorted()
}

const namesOf = (entries: readonly IndexEntry[]): string[] =>
  entries.map(({ address }) => JSON.stringify(address)).toSorted()

/** The entries any of whose bytes was changed. */
function hit(entries: readonly IndexEntry[], flips: Iterable<readonly [number, number]>): IndexEntry[] {
  const places = [...flips]
  return entries.filter(({ location: { segment, offset, ownerBytes, dataBytes } }) => {
    const end = offset + dataOffset(ownerBytes, dataBytes) + dataBytes
    return places.some(([file, place]) => file === segment && place >= offset && place < end)
  })
}

test('flipped bits anywhere in the segments are found in one cycle, and nothing sound is flagged', async () => {
  const seen = { damaged: 0, sound: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(7), fc.boolean()), { maxLength: 6 }),
      async (flips) => {
        const { disk, index, node } = await filled(60)
        const entries = await entriesOf(index)
        const segments = (await disk.list('segments')).length
        assert.ok(segments >= 4)
        const flipped = new Map<string, readonly [number, number]>()
        for (const [a, b, bit, inHead] of flips) {
          const entry = entries[a % entries.length] ?? assert.fail()
          const segment = inHead ? entry.location.segment : 1 + (a % segments)
          const size = disk.contents(segmentPath(segment)).byteLength
          // Half of them in the head of a record, which is little of its bytes.
          const place = inHead ? entry.location.offset + (b % 120) : b % size
          if (place >= size || flipped.has(`${segment}/${place}`)) continue
          flipped.set(`${segment}/${place}`, [segment, place])
          disk.corrupt(segmentPath(segment), place, 1 << bit)
        }
        const { cycle, found, bytesDone, bytesTotal, lastCompletedMs } = await node.scrubNow()
        const expected = hit(entries, flipped.values())
        assert.deepEqual(await damagedOf(node), namesOf(expected))
        assert.deepEqual([cycle, found], [1, expected.length])
        assert.equal(bytesDone, bytesTotal)
        assert.ok(lastCompletedMs > 0)
        seen.damaged += expected.length
        seen.sound += entries.length - expected.length
        // A second cycle finds nothing new.
        assert.equal((await node.scrubNow()).found, expected.length)
        await node.close()
      },
    ),
    { numRuns: 60 },
  )
  assert.ok(seen.damaged > 50 && seen.sound > 500, JSON.stringify(seen))
})

test('a segment that is gone, or cut off, under a node that runs: what it lacks is found', async () => {
  for (const kept of [undefined, 0, SEGMENT_HEADER_BYTES, 50_000]) {
    const { disk, index, node } = await filled(60)
    const entries = await entriesOf(index)
    const path = segmentPath(2)
    if (kept === undefined) await disk.remove(path)
    else await (await disk.open(path)).truncate(kept)
    const lost = entries.filter(({ location: { segment, offset, ownerBytes, dataBytes } }) => {
      const end = offset + dataOffset(ownerBytes, dataBytes) + dataBytes
      return segment === 2 && end > (kept ?? 0)
    })
    assert.ok(lost.length > 3)
    assert.equal((await node.scrubNow()).found, lost.length)
    assert.deepEqual(await damagedOf(node), namesOf(lost))
    const counted = node.inventory().counts.reduce((sum, { blobs }) => sum + blobs, 0)
    const left = entries.filter((entry) => !lost.includes(entry) && entry.address.stripe === 0)
    assert.equal(counted, left.length)
    await node.close()
  }
})

test('entries that the index has lost are put back, what was deleted stays deleted, and the accounts are right', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(59), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (numbers, withDamage) => {
        const { disk, index, node } = await filled(60)
        const entries = await entriesOf(index)
        const before = { status: await node.status(), counts: node.inventory().counts }
        const lost = entries.filter(({ address }) =>
          numbers.some((number) => JSON.stringify(at(number)) === JSON.stringify(address)),
        )
        for (const { address } of lost) index.lose(address)
        // One of them cannot be read either: then nobody knows what it was.
        // One that was put twice would be found where it was first.
        const once = lost.filter(({ address }) => !twice.includes(JSON.stringify(address)))
        const gone = withDamage ? once.slice(0, 1) : []
        for (const { location } of gone) disk.corrupt(segmentPath(location.segment), location.offset + 20)
        const { found } = await node.scrubNow()
        assert.equal(found, lost.length - gone.length)
        const expected = entries.filter((entry) => !gone.includes(entry))
        assert.deepEqual(namesOf(await entriesOf(index)), namesOf(expected))
        assert.deepEqual(await damagedOf(node), [])
        for (const { address } of expected) {
          const number = Array.from({ length: 60 }, (_, i) => i).find(
            (i) => JSON.stringify(at(i)) === JSON.stringify(address),
          )
          const { data } = await node.get({ address, epoch: 1 })
          assert.deepEqual(Buffer.from(data), Buffer.from(bytesOf(data.byteLength, number)))
        }
        const status = await node.status()
        assert.equal(status.shards, before.status.shards - gone.length)
        const bytes = gone.reduce((sum, { location }) => sum + location.dataBytes, 0)
        assert.equal(status.liveBytes, before.status.liveBytes - bytes)
        const blobs = (counts: typeof before.counts): number =>
          counts.reduce((sum, count) => sum + count.blobs, 0)
        const counted = gone.filter(({ address }) => address.stripe === 0).length
        assert.equal(blobs(node.inventory().counts), blobs(before.counts) - counted)
        if (gone.length === 0) assert.deepEqual(node.inventory().counts, before.counts)
        // The next start finds index and accounts in agreement, and the next cycle nothing to do.
        assert.equal((await node.scrubNow()).found, found)
        await node.close()
        const again = await open(disk, index)
        assert.equal((await again.status()).shards, status.shards)
        assert.deepEqual(again.inventory().counts, node.inventory().counts)
        await again.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('a node that goes on putting and deleting while it is scrubbed has no false finding', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ put: fc.boolean(), number: fc.nat(90), pause: fc.nat(3) }), { maxLength: 60 }),
      fc.nat(3),
      async (steps, slow) => {
        const { disk, index, node } = await filled(60)
        disk.before = async ({ kind }) => {
          if (kind === 'read') for (let i = 0; i < slow; i++) await setImmediate()
        }
        const scrubbed = node.scrubNow()
        for (const { put, number, pause } of steps) {
          for (let i = 0; i < pause; i++) await setImmediate()
          if (put) await node.put(putOf(at(number), bytesOf(SIZES[number % SIZES.length] ?? 0, number)))
          else await node.deleteBlob(at(number).group, at(number).blob)
        }
        assert.equal((await scrubbed).found, 0)
        assert.equal((await node.scrubNow()).found, 0)
        assert.deepEqual(await damagedOf(node), [])
        const { shards } = await node.status()
        assert.equal((await entriesOf(index)).length, shards)
        await node.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('what was unreadable for a while is taken off the list once it is read well twice', async () => {
  const { disk, node } = await filled(30)
  disk.before = ({ kind }) => {
    if (kind === 'read') throw diskError('EIO')
  }
  for (const number of [2, 9, 13]) {
    await node.get({ address: at(number), epoch: 1 }).catch(() => undefined)
  }
  const counts = node.inventory().counts
  assert.equal((await damagedOf(node)).length, 3)
  disk.before = undefined
  await node.scrubNow()
  assert.deepEqual(await damagedOf(node), [])
  assert.notDeepEqual(node.inventory().counts, counts)
  assert.ok((await node.get({ address: at(9), epoch: 1 })).shardBytes > 0)
  await node.close()
})

test('where the disk cannot read a stretch, the shards in it are found one by one', async () => {
  const { disk, index, node } = await filled(60)
  const entries = await entriesOf(index)
  // Long reads fail, short ones do not: all shards are sound.
  disk.before = ({ kind, bytes }) => {
    if (kind === 'read' && bytes > 100_000) throw diskError('EIO')
  }
  assert.equal((await node.scrubNow()).found, 0)
  disk.before = ({ kind, path }) => {
    if (kind === 'read' && path === segmentPath(3)) throw diskError('EIO')
  }
  const lost = entries.filter(({ location }) => location.segment === 3)
  assert.equal((await node.scrubNow()).found, lost.length)
  assert.deepEqual(await damagedOf(node), namesOf(lost))
  await node.close()
})

/** Which segments were read, in order. */
function readsOf(disk: MemoryDisk): string[] {
  const read: string[] = []
  disk.before = ({ kind, path }) => {
    if (kind === 'read' && read.at(-1) !== path) read.push(path)
  }
  return read
}

test('a cycle that is interrupted goes on where it was after a restart, at its pace', async () => {
  const clock = new SimulatedClock()
  const { disk, index, node } = await filled(60, clock)
  const segments = (await disk.list('segments')).length
  const stop = new AbortController()
  const third = segmentPath(3)
  disk.before = ({ kind, path }) => {
    if (kind === 'read' && path === third) stop.abort(new Error('enough'))
  }
  // Three segments are no slice: it stops with the one that follows, at the latest.
  const scrubbing = node.scrubNow(stop.signal)
  await scrubbing.catch(() => undefined)
  disk.before = undefined
  await node.close()
  const { done, cycle } = (await index.scrubProgress()) ?? assert.fail()
  assert.ok(done >= 2 && done < segments, `${done} of ${segments}`)

  const read = readsOf(disk)
  const again = await clock.drive(open(disk, index, { scrubDays: 0.01 }, clock))
  const startMs = clock.monotonicMs()
  const { bytesDone, bytesTotal } = (await again.status()).scrub
  for (let i = 0; i < 100 && (await again.status()).scrub.lastCompletedMs === 0; i++) await clock.pass(1000)
  const { scrub } = await again.status()
  assert.equal(scrub.cycle, cycle)
  assert.ok(scrub.lastCompletedMs > 0)
  assert.equal(scrub.bytesDone, scrub.bytesTotal)
  // Looked at once a second.
  const tookMs = clock.monotonicMs() - startMs
  const leastMs = (1000 * (bytesTotal - bytesDone)) / SCRUB_RATE_MIN
  assert.ok(tookMs >= leastMs && tookMs <= leastMs + 2000, `${tookMs} ms instead of ${leastMs}`)
  const names = new Set(read)
  for (let segment = 1; segment < segments; segment++) {
    assert.equal(names.has(segmentPath(segment)), segment > done, `segment ${segment}`)
  }
  // The next cycle begins when the days are over (a quarter of an hour here), and not before.
  await clock.pass(9 * 60_000)
  assert.equal((await again.status()).scrub.cycle, cycle)
  await clock.pass(7 * 60_000)
  assert.equal((await again.status()).scrub.cycle, cycle + 1)
  await clock.drive(again.close())
})
