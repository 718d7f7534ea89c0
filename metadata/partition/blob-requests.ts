import { create, equals } from '@bufbuild/protobuf'
import { BLOB_PLACES_MAX } from '../../core/limits.ts'
import {
  type BlobPlace,
  BlobState,
  type ReplaceBlobReply,
  ReplaceBlobReplySchema,
  type ReplaceBlobRequest,
  type ResolveBlobsReply,
  ResolveBlobsReplySchema,
  type ResolveBlobsRequest,
  type ResolvedBlob,
  ResolvedBlobSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BlobRecord,
  BlobRecordSchema,
  GarbageTaskSchema,
  RepairTaskSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { invalidRequest, required } from '../failure.ts'
import type { Room } from '../room.ts'
import { findBlobs } from './find-blobs.ts'
import { assertIdentifier } from './objects.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/** Places of one key, and where in the request they stand. */
export interface PlacesOfKey {
  readonly bucket: string
  readonly key: string
  readonly places: BlobPlace[]
  readonly indexes: number[]
}

export function byKey(places: readonly BlobPlace[]): PlacesOfKey[] {
  const groups = new Map<string, PlacesOfKey>()
  for (const [index, place] of places.entries()) {
    const { bucket, key } = place
    const name = `${bucket}\0${key}`
    let group = groups.get(name)
    if (group === undefined) {
      group = { bucket, key, places: [], indexes: [] }
      groups.set(name, group)
    }
    group.places.push(place)
    group.indexes.push(index)
  }
  return [...groups.values()]
}

/**
 * What becomes of blobs that somebody found on nodes. An answer holds against every commit: one that was decided before is
 * seen, be it durable or pending, and one that comes later is refused if the blob was called an orphan.
 * @throws {MetadataError} INVALID_REQUEST, NOT_MINE
 */
export async function resolveBlobs(
  partition: Partition,
  { places }: ResolveBlobsRequest,
): Promise<ResolveBlobsReply> {
  if (places.length > BLOB_PLACES_MAX) {
    throw invalidRequest(`at most ${BLOB_PLACES_MAX} blobs are asked about at once`)
  }
  for (const { blob } of places) assertIdentifier(blob, 'the blob')
  const blobs: ResolvedBlob[] = places.map(() => create(ResolvedBlobSchema))
  await Promise.all(
    byKey(places).map(async ({ bucket, key, places: asked, indexes }) => {
      const resolved = await partition.onKey(bucket, key, () => resolveOfKey(partition, bucket, key, asked))
      for (const [at, index] of indexes.entries()) blobs[index] = resolved[at] ?? create(ResolvedBlobSchema)
    }),
  )
  return create(ResolveBlobsReplySchema, { blobs })
}

async function resolveOfKey(
  partition: Partition,
  bucket: string,
  key: string,
  places: readonly BlobPlace[],
): Promise<ResolvedBlob[]> {
  const sightings = await findBlobs(partition, bucket, key, places)
  return places.map((place, index) => {
    const seen = sightings[index]
    if (seen === 'waits') return create(ResolvedBlobSchema, { state: BlobState.YOUNG })
    if (seen === undefined) return create(ResolvedBlobSchema, { state: partition.blobs.judge(place.blob) })
    const { blob, storageClass } = seen
    return create(ResolvedBlobSchema, { state: BlobState.LIVE, blob, storageClass })
  })
}

/**
 * Compares a blob's record and sets another in its place, without another version or time of the object: the same blob with
 * other relocations, or another blob of the same size, whose predecessor becomes garbage in the same batch, in which its own
 * repair is queued if it was written degraded. The same request again, since its answer was lost, is answered the same as long as the replacement is there.
 * @throws {MetadataError} INVALID_REQUEST, NOT_MINE, STALE_BLOB for another blob that may not be committed, READ_ONLY
 */
export async function replaceBlob(
  partition: Partition,
  room: Room | undefined,
  request: ReplaceBlobRequest,
): Promise<ReplaceBlobReply> {
  const place = required(request.place, 'place')
  const expected = required(request.expected, 'expected blob')
  const replacement = required(request.replacement, 'replacement')
  assertReplaceable(place, expected, replacement)
  const { bucket, key } = place
  const another = replacement.id !== expected.id
  if (another) await room?.requireMore()
  return partition.onKey(bucket, key, async () => {
    const places = another ? [place, { ...place, blob: replacement.id }] : [place]
    const [seen, done] = await findBlobs(partition, bucket, key, places)
    if (isThere(another ? done : seen, replacement)) return create(ReplaceBlobReplySchema, { replaced: true })
    if (seen === undefined || seen === 'waits' || !equals(BlobRecordSchema, seen.blob, expected)) {
      return create(ReplaceBlobReplySchema)
    }
    if (another) partition.blobs.assertCommittable(replacement)
    partition.enqueue({
      puts: [seen.with(replacement)],
      tasks: another ? tasksOf(place, seen.blob, replacement) : [],
    })
    return create(ReplaceBlobReplySchema, { replaced: true })
  })
}

/** The blob before is garbage, and what the new one lacks is owed. */
function tasksOf(place: BlobPlace, before: BlobRecord, replacement: BlobRecord): OutboxTask[] {
  const { bucket, key, version, part, annotation } = place
  const garbage: OutboxTask = {
    case: 'garbage',
    value: create(GarbageTaskSchema, { bucket, key, blobs: [before] }),
  }
  if (replacement.relocations.length === 0) return [garbage]
  const owed = create(RepairTaskSchema, { bucket, key, version, part, annotation, blob: replacement })
  return [garbage, { case: 'repair', value: owed }]
}

function isThere(seen: Awaited<ReturnType<typeof findBlobs>>[number], blob: BlobRecord): boolean {
  return seen !== undefined && seen !== 'waits' && equals(BlobRecordSchema, seen.blob, blob)
}

function assertReplaceable(place: BlobPlace, expected: BlobRecord, replacement: BlobRecord): void {
  assertIdentifier(replacement.id, 'the replacement')
  if (place.blob !== expected.id) throw invalidRequest('the place is that of another blob than expected')
  if (expected.size !== replacement.size) throw invalidRequest('the replacement has another size')
  if (expected.id !== replacement.id) return
  if (expected.code !== replacement.code || expected.group !== replacement.group) {
    throw invalidRequest('the same blob has the same code and group')
  }
}
