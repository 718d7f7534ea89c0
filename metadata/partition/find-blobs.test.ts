import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import {
  BlobState,
  CommitObjectRequestSchema,
  CreateBucketRequestSchema,
  DeleteObjectRequestSchema,
  PutAnnotationRequestSchema,
  ResolveBlobsRequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryEngine } from '../engine/memory.ts'
import { putAnnotation } from './annotations.ts'
import { resolveBlobs } from './blob-requests.ts'
import { createBucket } from '../buckets/buckets.ts'
import { deleteObject } from './delete-object.ts'
import { commitObject } from './objects.ts'
import { Partition } from './partition.ts'

test('an annotation whose version is gone is nobody’s, though its record is there until it is purged', async () => {
  const ports = { clock: systemClock, random: systemRandom, log: silentLog, nextTurn }
  // Nobody purges it.
  const partition = await Partition.open(new MemoryEngine(), WHOLE_RANGE, ports)
  const at = { bucket: 'b', key: 'k' }
  const blob = { id: newIdentifier(systemClock, systemRandom), size: 5n, group: 1 }
  const version = newIdentifier(systemClock, systemRandom)
  const contents = {
    recall: async () => undefined,
    isEmpty: async () => true,
    abortUploads: async () => undefined,
    settle: async () => undefined,
  }
  await createBucket(
    partition,
    contents,
    systemRandom,
    create(CreateBucketRequestSchema, { bucket: { name: 'b', owner: 'o' } }),
  )
  await commitObject(partition, create(CommitObjectRequestSchema, { object: { ...at, version } }))
  const annotation = { name: 'n', size: 5n, blob }
  await putAnnotation(partition, create(PutAnnotationRequestSchema, { ...at, version, annotation }))
  const places = [{ ...at, version, annotation: 'n', blob: blob.id }]
  const ask = async () => {
    const { blobs } = await resolveBlobs(partition, create(ResolveBlobsRequestSchema, { places }))
    return blobs[0]?.state
  }
  assert.equal(await ask(), BlobState.LIVE)
  await deleteObject(partition, undefined, create(DeleteObjectRequestSchema, at))
  assert.equal(await ask(), BlobState.YOUNG)
})
