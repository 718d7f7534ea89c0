/** Reads in the background: they give way to all others as the scrub does, and go on however busy the node is. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import {
  BACKGROUND_BUSY_REQUESTS,
  BACKGROUND_READ_BYTES_PER_SECOND_MIN,
  BACKGROUND_READ_WAIT_MS_MAX,
} from '../../core/limits.ts'
import type { ShardBlocks } from '../../proto/shard-transport.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { bytesOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'
import { one, open, put, range } from './small-node.ts'

/** Of what clients read, and of what is read in the background, so that the disk can tell the two apart. */
const SMALL_BYTES = 2000
const LARGE_BYTES = 200_000
const SMALL = range(0, 10)
const LARGE = range(10, 20)

const costMs = (bytes: number): number => (bytes * 1000) / BACKGROUND_READ_BYTES_PER_SECOND_MIN

async function scene() {
  const disk = new MemoryDisk()
  const { node, clock } = await open(disk, new MemoryIndex(), { segmentBytes: 1_000_000 })
  await clock.drive(put(node, SMALL, SMALL_BYTES))
  await clock.drive(put(node, LARGE, LARGE_BYTES))
  await clock.drive(node.status())
  /** Which reads have reached the disk, in order. */
  const reads: ('client' | 'background')[] = []
  let held: PromiseWithResolvers<undefined> | undefined
  disk.before = ({ kind, bytes }) => {
    if (kind !== 'read') return undefined
    const client = bytes < LARGE_BYTES / 2
    reads.push(client ? 'client' : 'background')
    return client ? held?.promise : undefined
  }
  const get = (blob: number): Promise<ShardBlocks> => node.get({ address: one(blob), epoch: 1 })
  const behind = (blob: number, signal?: AbortSignal): Promise<ShardBlocks> =>
    node.get({ address: one(blob), epoch: 1, background: true }, signal)
  return {
    node,
    clock,
    reads,
    get,
    behind,
    /** As many clients' reads as make the node busy, until they are released. */
    async hold(): Promise<() => Promise<void>> {
      const holding = (held = Promise.withResolvers<undefined>())
      const waiting = SMALL.slice(0, BACKGROUND_BUSY_REQUESTS).map(get)
      await settle()
      held = undefined
      assert.equal(reads.length, BACKGROUND_BUSY_REQUESTS)
      reads.length = 0
      return async () => {
        holding.resolve(undefined)
        await Promise.all(waiting)
      }
    },
  }
}

/** Lets all happen that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
}

test('while clients are answered reads in the background wait, and no request of theirs is behind one of them', async () => {
  const { node, clock, reads, hold, get, behind } = await scene()
  const release = await hold()
  const waiting = LARGE.map((blob) => behind(blob))
  await settle()
  // Less than the first of them may wait.
  await clock.pass(costMs(LARGE_BYTES) - 1)
  assert.deepEqual(reads, [])
  const nowMs = clock.monotonicMs()
  const got = await Promise.all(SMALL.map(get))
  assert.equal(clock.monotonicMs(), nowMs)
  assert.deepEqual(
    reads,
    SMALL.map(() => 'client'),
  )
  for (const [index, { data }] of got.entries()) {
    assert.ok(Buffer.from(bytesOf(SMALL_BYTES, SMALL[index])).equals(data))
  }
  await release()
  const late = await clock.drive(Promise.all(waiting))
  for (const [index, { data }] of late.entries()) {
    assert.ok(Buffer.from(bytesOf(LARGE_BYTES, LARGE[index])).equals(data))
  }
  // The next look at whether the node is busy, and nothing more: they do not take each other for clients.
  assert.ok(clock.monotonicMs() - nowMs <= 21, `${clock.monotonicMs() - nowMs} ms`)
  await clock.drive(node.close())
})

test('under requests without end they go on, at their rate and no faster', async () => {
  const { node, clock, reads, hold, behind } = await scene()
  const release = await hold()
  const startMs = clock.monotonicMs()
  await clock.drive(Promise.all(LARGE.map((blob) => behind(blob))))
  const tookMs = clock.monotonicMs() - startMs
  const wantedMs = LARGE.length * costMs(LARGE_BYTES)
  assert.ok(Math.abs(tookMs - wantedMs) < 0.01 * wantedMs, `${tookMs} ms instead of ${wantedMs}`)
  assert.equal(reads.length, LARGE.length)
  await release()
  await clock.drive(node.close())
})

test('behind however many others, one waits no longer than its reader has patience', async () => {
  const { node, clock, hold, behind } = await scene()
  const release = await hold()
  const count = Math.ceil((2 * BACKGROUND_READ_WAIT_MS_MAX) / costMs(LARGE_BYTES))
  const startMs = clock.monotonicMs()
  await clock.drive(Promise.all(Array.from({ length: count }, () => behind(LARGE[0] ?? 0))))
  const tookMs = clock.monotonicMs() - startMs
  assert.ok(
    tookMs >= BACKGROUND_READ_WAIT_MS_MAX && tookMs <= BACKGROUND_READ_WAIT_MS_MAX + 1,
    String(tookMs),
  )
  await release()
  await clock.drive(node.close())
})

test('on a node with nothing else to do they take no time', async () => {
  const { node, clock, reads, behind } = await scene()
  const startMs = clock.monotonicMs()
  await Promise.all(LARGE.map((blob) => behind(blob)))
  assert.equal(clock.monotonicMs(), startMs)
  assert.equal(reads.length, LARGE.length)
  await clock.drive(node.close())
})

test('one whose reader gave up makes way, and a node that closes waits for none', async () => {
  const { node, clock, reads, hold, behind } = await scene()
  const release = await hold()
  const ending = new AbortController()
  const given = behind(10, ending.signal)
  const others = [behind(11), behind(12)]
  await settle()
  ending.abort()
  await rejectsWith(given, 'aborted')
  assert.deepEqual(reads, [])
  const nowMs = clock.monotonicMs()
  const refused = others.map((other) => rejectsWith(other, 'unavailable'))
  const closed = node.close()
  await Promise.all(refused)
  assert.equal(clock.monotonicMs(), nowMs)
  assert.deepEqual(reads, [])
  await release()
  await clock.drive(closed)
})
