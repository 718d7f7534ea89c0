import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INVENTORY_REPORT_MS, NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../core/limits.ts'
import { NodeCondition } from '../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import { systemClock } from '../runtime/clock/system-clock.ts'
import { silentLog } from '../runtime/log/pino-log.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import { type Member, startMembership } from './membership.ts'

/** A clock whose sleepers are woken by hand; it says what they sleep for. */
function handClock(): { clock: Clock; asleep: () => Promise<number>; wake: () => void; ring: () => void } {
  let sleeping = Promise.withResolvers<number>()
  let wake = (): void => undefined
  let ring = (): void => undefined
  const clock: Clock = {
    ...systemClock,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        wake = resolve
        signal?.addEventListener('abort', () => {
          reject(new Error('aborted'))
        })
        if (signal?.aborted === true) reject(new Error('aborted'))
        sleeping.resolve(ms)
      })
    },
    after(_ms, run) {
      ring = run
      return () => undefined
    },
  }
  return {
    clock,
    async asleep() {
      const ms = await sleeping.promise
      sleeping = Promise.withResolvers()
      return ms
    },
    wake: () => {
      wake()
    },
    ring: () => {
      ring()
    },
  }
}

interface Changing {
  version: number
  suspect?: boolean
}

function memberOf(learned: number[], rechecked: string[] = [], changing: Changing = { version: 7 }): Member {
  return {
    inventory: () => ({ version: changing.version, counts: [{ group: 65_536, shard: 2, blobs: 5 }] }),
    async recheck() {
      rechecked.push('recheck')
    },
    async status() {
      const bytes = { liveBytes: 10, usedBytes: 100, freeBytes: 2 ** 40, totalBytes: 2 ** 41 }
      const scrub = { cycle: 2, cycleStartedMs: 3, bytesDone: 4, bytesTotal: 5, lastCompletedMs: 6, found: 7 }
      const suspect = changing.suspect ?? false
      const counts = { ...bytes, shards: 3, segments: 1, suspect, damagedShards: 2, scrub }
      return { node: 'n1', zone: 'a', writable: suspect, reason: 'the disk is full', ...counts }
    },
    learnEpoch(epoch) {
      learned.push(epoch)
    },
  }
}

const options = { address: '10.0.0.1:9000', clusterId: 'c1', log: silentLog }

const STARTED_MS = 1_800_000_000_000n

test('a heartbeat says who and how the node is, and brings the epoch', async () => {
  const calls: unknown[] = []
  const learned: number[] = []
  const rechecked: string[] = []
  const metadata = {
    async call(operation: string, request: unknown) {
      calls.push([operation, request])
      return { epoch: BigInt(6 + calls.length), leaseMs: 6000, clusterId: 'c1', inventoryVersion: 7n }
    },
  } as unknown as MetadataApi
  const { clock, asleep, wake } = handClock()
  const times = [Number(STARTED_MS)]
  const membership = startMembership({
    ...options,
    member: memberOf(learned, rechecked),
    metadata,
    clock: { ...clock, nowMs: () => times.pop() ?? assert.fail('it began once') },
  })
  assert.equal(await asleep(), NODE_HEARTBEAT_MS)
  wake()
  await asleep()
  assert.deepEqual(learned, [7, 8])
  assert.equal(rechecked.length, 2)
  const node = {
    node: 'n1',
    up: true,
    address: '10.0.0.1:9000',
    condition: NodeCondition.READ_ONLY,
    reason: 'the disk is full',
    usedBytes: 100n,
    freeBytes: 2n ** 40n,
    totalBytes: 2n ** 41n,
    liveBytes: 10n,
    shards: 3n,
    damagedShards: 2n,
    scrub: {
      cycle: 2n,
      cycleStartedMs: 3n,
      bytesDone: 4n,
      bytesTotal: 5n,
      lastCompletedMs: 6n,
      found: 7n,
    },
    startedMs: STARTED_MS,
  }
  const inventory = { version: 7n, lines: [{ group: 65_536, shard: 2, blobs: 5n }] }
  assert.deepEqual(calls[0], ['heartbeat', { zone: 'a', clusterId: 'c1', node, inventory }])
  assert.deepEqual(calls[1], ['heartbeat', { zone: 'a', clusterId: 'c1', node }])
  await membership.close()
  assert.equal(calls.length, 2)
})

test('the inventory goes out when metadata has another, and not with every heartbeat while it changes', async () => {
  const sent: (bigint | undefined)[] = []
  let has = 0n
  const conditions: unknown[] = []
  const metadata = {
    async call(
      _operation: string,
      request: { node: { condition: unknown }; inventory?: { version: bigint } },
    ) {
      sent.push(request.inventory?.version)
      conditions.push(request.node.condition)
      has = request.inventory?.version ?? has
      return { epoch: 1n, leaseMs: 6000, clusterId: 'c1', inventoryVersion: has }
    },
  } as unknown as MetadataApi
  const { clock, asleep, wake } = handClock()
  let nowMs = 0
  const changing: Changing = { version: 7 }
  const member = memberOf([], [], changing)
  const membership = startMembership({
    ...options,
    member,
    metadata,
    clock: { ...clock, monotonicMs: () => nowMs },
  })
  async function beat(ms: number, change: () => void = () => undefined): Promise<void> {
    await asleep()
    nowMs += ms
    change()
    wake()
  }
  // The first is sent at once; a change waits until INVENTORY_REPORT_MS have passed since.
  await beat(INVENTORY_REPORT_MS - 1, () => {
    changing.version = 8
    changing.suspect = true
  })
  await beat(1)
  await beat(INVENTORY_REPORT_MS)
  // Metadata was started anew and has forgotten: it says so in one reply, and hears it with the next beat.
  await beat(INVENTORY_REPORT_MS, () => {
    has = 0n
  })
  await beat(1)
  await asleep()
  assert.deepEqual(sent, [7n, undefined, 8n, undefined, undefined, 8n])
  assert.deepEqual(conditions.slice(0, 2), [NodeCondition.READ_ONLY, NodeCondition.SUSPECT])
  await membership.close()
})

test('it goes on while metadata is away, and while it hangs', async () => {
  const learned: number[] = []
  let calls = 0
  const hanging = Promise.withResolvers<undefined>()
  const metadata = {
    call(_operation: string, _request: unknown, signal: AbortSignal) {
      calls++
      if (calls === 1) return Promise.reject(new Error('away'))
      if (calls > 2) return Promise.resolve({ epoch: 4n, leaseMs: 6000, clusterId: '' })
      hanging.resolve(undefined)
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('aborted'))
        })
      })
    },
  } as unknown as MetadataApi
  const { clock, asleep, wake, ring } = handClock()
  const membership = startMembership({ ...options, member: memberOf(learned), metadata, clock })
  await asleep()
  wake()
  await hanging.promise
  // NODE_LEASE_MS have passed.
  assert.ok(NODE_LEASE_MS > NODE_HEARTBEAT_MS)
  ring()
  await asleep()
  wake()
  await asleep()
  assert.deepEqual(learned, [4])
  await membership.close()
})

test('close ends a heartbeat in flight', async () => {
  const started = Promise.withResolvers<undefined>()
  const metadata = {
    call(_operation: string, _request: unknown, signal: AbortSignal) {
      started.resolve(undefined)
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('aborted'))
        })
      })
    },
  } as unknown as MetadataApi
  const { clock } = handClock()
  const membership = startMembership({ ...options, member: memberOf([]), metadata, clock })
  await started.promise
  await membership.close()
})

test("another cluster's metadata teaches no epoch", async () => {
  const learned: number[] = []
  const metadata = {
    call: async () => ({ epoch: 9n, leaseMs: 6000, clusterId: 'c2' }),
  } as unknown as MetadataApi
  const { clock, asleep } = handClock()
  const membership = startMembership({ ...options, member: memberOf(learned), metadata, clock })
  await asleep()
  assert.deepEqual(learned, [])
  await membership.close()
})
