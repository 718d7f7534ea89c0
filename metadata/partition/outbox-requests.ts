import { create } from '@bufbuild/protobuf'
import { manifestPageKey, outboxKey, outboxRange } from '../../core/keyspace/keys.ts'
import { OUTBOX_PAGE_MAX } from '../../core/limits.ts'
import {
  type AcknowledgeOutboxReply,
  AcknowledgeOutboxReplySchema,
  type AcknowledgeOutboxRequest,
  type ReadOutboxReply,
  ReadOutboxReplySchema,
  type ReadOutboxRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { invalidRequest } from '../failure.ts'
import { decodeRecord, outboxKind } from '../records.ts'
import type { Partition } from './partition.ts'

/** Records acknowledged in one batch: each may take its manifest page with it. */
const ACKNOWLEDGED_PER_BATCH = 50

/** In order of sequence, which has gaps. */
export async function readOutbox(partition: Partition, request: ReadOutboxRequest): Promise<ReadOutboxReply> {
  const entries = await partition.scan({
    gte: outboxKey(partition.range.id, sequenceOf(request.after) + 1),
    lt: outboxRange(partition.range.id).lt,
    limit: Math.min(request.limit, OUTBOX_PAGE_MAX),
  })
  return create(ReadOutboxReplySchema, {
    records: entries.map(({ value }) => decodeRecord(outboxKind, value)),
  })
}

/** Removes records whose work is done; one that is not there any more is no error. */
export async function acknowledgeOutbox(
  partition: Partition,
  request: AcknowledgeOutboxRequest,
): Promise<AcknowledgeOutboxReply> {
  const sequences = [...new Set(request.sequences)].map(sequenceOf)
  if (sequences.length > OUTBOX_PAGE_MAX) {
    throw invalidRequest(`at most ${OUTBOX_PAGE_MAX} records are acknowledged at once`)
  }
  await partition.onName('outbox', async () => {
    for (let start = 0; start < sequences.length; start += ACKNOWLEDGED_PER_BATCH) {
      await acknowledgeSome(partition, sequences.slice(start, start + ACKNOWLEDGED_PER_BATCH))
    }
  })
  return create(AcknowledgeOutboxReplySchema)
}

async function acknowledgeSome(partition: Partition, sequences: readonly number[]): Promise<void> {
  const keys = sequences.map((sequence) => outboxKey(partition.range.id, sequence))
  const values = await Promise.all(keys.map((key) => partition.viewBytes(key)))
  const deletes: Uint8Array[] = []
  const acknowledged: ('garbage' | 'repair' | undefined)[] = []
  for (const [index, value] of values.entries()) {
    const key = keys[index]
    if (value === undefined || key === undefined) continue
    const { task } = decodeRecord(outboxKind, value)
    deletes.push(key)
    acknowledged.push(task.case)
    if (task.case === 'garbage' && task.value.manifestPage !== undefined) {
      const { version, page } = task.value.manifestPage
      deletes.push(manifestPageKey(task.value.bucket, task.value.key, version, page))
    }
  }
  if (deletes.length > 0) partition.enqueue({ deletes, acknowledged })
}

function sequenceOf(sequence: bigint): number {
  if (sequence >= BigInt(Number.MAX_SAFE_INTEGER)) throw invalidRequest('no such outbox sequence')
  return Number(sequence)
}
