import { create } from '@bufbuild/protobuf'
import { REPAIR_REQUESTS_MAX, REPAIRS_PENDING_MAX } from '../../core/limits.ts'
import {
  type BlobPlace,
  BlobPlaceSchema,
  type RequestRepairReply,
  RequestRepairReplySchema,
  type RequestRepairRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { RepairTaskSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { invalidRequest } from '../failure.ts'
import { byKey } from './blob-requests.ts'
import { findBlobs } from './find-blobs.ts'
import { assertIdentifier } from './objects.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/**
 * Queues the repair of blobs, as their records have them, unless it is queued already. What no record names needs none. While
 * very many repairs are waiting none is taken on: whoever asks finds the fault again, and so do scrub and sweeps.
 * @throws {MetadataError} INVALID_REQUEST, NOT_MINE
 */
export async function requestRepair(
  partition: Partition,
  { tasks }: RequestRepairRequest,
): Promise<RequestRepairReply> {
  if (tasks.length > REPAIR_REQUESTS_MAX) {
    throw invalidRequest(`at most ${REPAIR_REQUESTS_MAX} repairs are asked for at once`)
  }
  const places = tasks.map(({ bucket, key, version, part, annotation, blob }) => {
    assertIdentifier(blob?.id ?? '', 'the blob')
    return create(BlobPlaceSchema, { bucket, key, version, part, annotation, blob: blob?.id ?? '' })
  })
  const wanted = places.filter(({ blob }) => !partition.outbox.repairs.has(blob))
  const counts = await Promise.all(
    byKey(wanted).map(({ bucket, key, places: asked }) =>
      partition.onKey(bucket, key, () => queueOfKey(partition, bucket, key, asked)),
    ),
  )
  return create(RequestRepairReplySchema, { queued: counts.reduce((sum, count) => sum + count, 0) })
}

async function queueOfKey(
  partition: Partition,
  bucket: string,
  key: string,
  places: readonly BlobPlace[],
): Promise<number> {
  const sightings = await findBlobs(partition, bucket, key, places)
  const { repairs, backlog } = partition.outbox
  const queued: OutboxTask[] = []
  const blobs = new Set<string>()
  for (const [index, { version, part, annotation, blob: id }] of places.entries()) {
    const seen = sightings[index]
    if (seen === undefined || seen === 'waits' || repairs.has(id) || blobs.has(id)) continue
    if (backlog.repair + queued.length >= REPAIRS_PENDING_MAX) break
    blobs.add(id)
    const { blob } = seen
    const value = create(RepairTaskSchema, { bucket, key, version, part, annotation, blob })
    queued.push({ case: 'repair', value })
  }
  if (queued.length > 0) partition.enqueue({ tasks: queued })
  return queued.length
}
