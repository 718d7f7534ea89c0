import { create } from '@bufbuild/protobuf'
import {
  manifestPageKey,
  outboxKey,
  outboxRange,
  type OutboxTaskKind,
  readOutboxKey,
} from '../../core/keyspace/keys.ts'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { OUTBOX_PAGE_BYTES_MAX, OUTBOX_PAGE_MAX, OUTBOX_SCAN_RECORDS } from '../../core/limits.ts'
import {
  type AcknowledgeOutboxReply,
  AcknowledgeOutboxReplySchema,
  type AcknowledgeOutboxRequest,
  FailureCode,
  OutboxKind,
  type ReadOutboxReply,
  ReadOutboxReplySchema,
  type ReadOutboxRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { invalidRequest } from '../failure.ts'
import { decodeRecord, outboxKind } from '../records.ts'
import type { Partition } from './partition.ts'

/** Records acknowledged in one batch: each may take its manifest page with it. */
const ACKNOWLEDGED_PER_BATCH = 50

const KINDS: Readonly<Record<OutboxKind, readonly OutboxTaskKind[]>> = {
  [OutboxKind.ANY]: ['garbage', 'repair'],
  [OutboxKind.GARBAGE]: ['garbage'],
  [OutboxKind.REPAIR]: ['repair'],
}

/** In order of sequence, which has gaps; as many as a reply has room for, and at least one if there is one. */
export async function readOutbox(partition: Partition, request: ReadOutboxRequest): Promise<ReadOutboxReply> {
  const outbox = outboxOf(partition, request)
  const kinds: readonly OutboxTaskKind[] | undefined = KINDS[request.kind]
  if (kinds === undefined) throw invalidRequest('there are no such tasks')
  const limit = Math.min(request.limit, OUTBOX_PAGE_MAX)
  const found: EngineEntry[] = []
  let bytes = 0
  let start = sequenceOf(request.after) + 1
  for (let more = true; more && found.length < limit;) {
    const chunk = await readChunk(
      partition,
      outbox,
      kinds,
      start,
      Math.min(OUTBOX_SCAN_RECORDS, limit - found.length),
    )
    more = chunk.more
    for (const entry of chunk.entries) {
      bytes += entry.value.length
      if (found.length === limit || (found.length > 0 && bytes > OUTBOX_PAGE_BYTES_MAX)) {
        more = false
        break
      }
      found.push(entry)
      start = readOutboxKey(entry.key).sequence + 1
    }
  }
  return create(ReadOutboxReplySchema, {
    records: found.map(({ value }) => decodeRecord(outboxKind, value)),
    nowMs: BigInt(partition.clock.nowMs()),
  })
}

/**
 * The next tasks of all kinds together: none is left out before the last of them. Batches become durable in order of
 * sequence, so neither does one appear later than what came after it.
 */
async function readChunk(
  partition: Partition,
  outbox: number,
  kinds: readonly OutboxTaskKind[],
  start: number,
  limit: number,
): Promise<{ entries: EngineEntry[]; more: boolean }> {
  const ranges = kinds.map((kind) => ({
    gte: outboxKey(outbox, kind, start),
    lt: outboxRange(outbox, kind).lt,
    limit,
  }))
  const found = await partition.scanTogether(ranges)
  const cut = found.filter((entries) => entries.length === limit)
  // Beyond the end of what was cut off, others may be missing.
  const end = Math.min(
    ...cut
      .map((entries) => entries.at(-1))
      .map((last) => (last === undefined ? 0 : readOutboxKey(last.key).sequence)),
  )
  const entries = found
    .flat()
    .map((entry) => ({ entry, sequence: readOutboxKey(entry.key).sequence }))
    .filter(({ sequence }) => sequence <= end)
    .sort((a, b) => a.sequence - b.sequence)
  return { entries: entries.map(({ entry }) => entry), more: cut.length > 0 }
}

/** Removes records whose work is done; one that is not there any more is no error. */
export async function acknowledgeOutbox(
  partition: Partition,
  request: AcknowledgeOutboxRequest,
): Promise<AcknowledgeOutboxReply> {
  const outbox = outboxOf(partition, request)
  const sequences = [...new Set(request.sequences)].map(sequenceOf)
  if (sequences.length > OUTBOX_PAGE_MAX) {
    throw invalidRequest(`at most ${OUTBOX_PAGE_MAX} records are acknowledged at once`)
  }
  await partition.onName('outbox', async () => {
    for (let start = 0; start < sequences.length; start += ACKNOWLEDGED_PER_BATCH) {
      await acknowledgeSome(partition, outbox, sequences.slice(start, start + ACKNOWLEDGED_PER_BATCH))
    }
  })
  return create(AcknowledgeOutboxReplySchema)
}

async function acknowledgeSome(
  partition: Partition,
  outbox: number,
  sequences: readonly number[],
): Promise<void> {
  const found = await Promise.all(sequences.map((sequence) => viewTask(partition, outbox, sequence)))
  const deletes: Uint8Array[] = []
  const acknowledged: (OutboxTaskKind | undefined)[] = []
  for (const entry of found) {
    if (entry === undefined) continue
    const { task } = decodeRecord(outboxKind, entry.value)
    deletes.push(entry.key)
    acknowledged.push(task.case)
    if (task.case === 'garbage' && task.value.manifestPage !== undefined) {
      const { version, page } = task.value.manifestPage
      deletes.push(manifestPageKey(task.value.bucket, task.value.key, version, page))
    }
    if (task.case === 'repair') partition.outbox.repairs.delete(task.value.blob?.id ?? '')
  }
  if (deletes.length > 0) partition.enqueue({ deletes, acknowledged })
}

async function viewTask(
  partition: Partition,
  outbox: number,
  sequence: number,
): Promise<EngineEntry | undefined> {
  for (const kind of KINDS[OutboxKind.ANY]) {
    const key = outboxKey(outbox, kind, sequence)
    const value = await partition.viewBytes(key)
    if (value !== undefined) return { key, value }
  }
  return undefined
}

/** Its own, or that of a partition that was merged into it. @throws {MetadataError} NOT_MINE */
function outboxOf(partition: Partition, { outbox }: { readonly outbox: bigint }): number {
  const id = outbox === 0n ? WHOLE_RANGE.id : Number(outbox)
  if (partition.outboxes.includes(id)) return id
  throw new MetadataError(FailureCode.NOT_MINE, `outbox ${id} belongs to another partition`)
}

function sequenceOf(sequence: bigint): number {
  if (sequence >= BigInt(Number.MAX_SAFE_INTEGER)) throw invalidRequest('no such outbox sequence')
  return Number(sequence)
}
