import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { outboxKey } from '../../core/keyspace/keys.ts'
import { METADATA_MESSAGE_BYTES_MAX, OUTBOX_PAGE_BYTES_MAX } from '../../core/limits.ts'
import {
  OutboxKind,
  ReadOutboxReplySchema,
  ReadOutboxRequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  GarbageTaskSchema,
  OutboxRecordSchema,
  RepairTaskSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryEngine } from '../engine/memory.ts'
import { encodeRecord, outboxKind } from '../records.ts'
import type { OutboxTask } from './outbox.ts'
import { readOutbox } from './outbox-requests.ts'
import { Partition } from './partition.ts'

const range = WHOLE_RANGE
const open = (engine: MemoryEngine): Promise<Partition> =>
  Partition.open(engine, range, { clock: systemClock, random: systemRandom, log: silentLog, nextTurn })

const idOf = (count: number): string => count.toString(16).padStart(32, '0')

/** Garbage of a manifest page whose blobs all have every relocation there can be: half a MiB. */
function largest(first: number): OutboxTask {
  const relocations = Array.from({ length: 32 }, (_, shard) => ({
    shard,
    firstStripe: 2 ** 31,
    stripeCount: 2 ** 31,
    node: 'n'.repeat(63),
  }))
  const blobs = Array.from({ length: 256 }, (_, index) => ({ id: idOf(first + index), relocations }))
  return { case: 'garbage', value: create(GarbageTaskSchema, { bucket: 'b', key: 'k'.repeat(1024), blobs }) }
}

function repair(count: number): OutboxTask {
  return {
    case: 'repair',
    value: create(RepairTaskSchema, { bucket: 'b', key: 'k', blob: { id: idOf(count) } }),
  }
}

test('a page of the largest tasks fits into a message, and the pages hold them all', async () => {
  const partition = await open(new MemoryEngine())
  for (let count = 0; count < 40; count++) {
    partition.enqueue({ tasks: [largest(count * 256), repair(count)] })
    await partition.settled()
  }
  const found: bigint[] = []
  let pages = 0
  for (;;) {
    const request = create(ReadOutboxRequestSchema, { after: found.at(-1) ?? 0n, limit: 1000 })
    const reply = await readOutbox(partition, request)
    if (reply.records.length === 0) break
    const bytes = toBinary(ReadOutboxReplySchema, reply).length
    assert.ok(
      bytes < METADATA_MESSAGE_BYTES_MAX / 2 && bytes < OUTBOX_PAGE_BYTES_MAX * 1.01,
      `${bytes} bytes`,
    )
    found.push(...reply.records.map(({ sequence }) => sequence))
    pages++
  }
  assert.ok(pages > 4)
  assert.deepEqual(
    found,
    Array.from({ length: 80 }, (_, index) => BigInt(index + 1)),
  )
})

test('repairs that earlier programs put among the garbage are read and counted as repairs', async () => {
  const engine = new MemoryEngine()
  const fence = { key: Uint8Array.of(0), token: undefined }
  const puts = Array.from({ length: 300 }, (_, index) => {
    const task = index % 3 === 0 ? largest(0) : repair(index)
    if (task.case === 'garbage' && task.value.blobs !== undefined) task.value.blobs.length = 1
    const record = create(OutboxRecordSchema, { sequence: BigInt(index + 1), createdMs: 1n, task })
    return { key: outboxKey(range.id, 'garbage', index + 1), value: encodeRecord(outboxKind, record) }
  })
  await engine.commit({ fence, puts, deletes: [] })
  for (let times = 0; times < 2; times++) {
    const partition = await open(engine)
    await partition.counted
    assert.deepEqual(partition.outbox.backlog, { garbage: 100, repair: 200 })
    assert.ok(partition.outbox.repairs.has(idOf(1)))
    for (const [kind, wanted] of [
      [OutboxKind.ANY, puts.map((_, index) => index)],
      [OutboxKind.REPAIR, puts.map((_, index) => index).filter((index) => index % 3 !== 0)],
      [OutboxKind.GARBAGE, puts.map((_, index) => index).filter((index) => index % 3 === 0)],
    ] as const) {
      const { records } = await readOutbox(partition, create(ReadOutboxRequestSchema, { limit: 1000, kind }))
      assert.deepEqual(
        records.map(({ sequence }) => Number(sequence) - 1),
        wanted,
      )
    }
  }
})
