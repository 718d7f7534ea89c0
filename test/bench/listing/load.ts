import { create } from '@bufbuild/protobuf'
import { objectKey, versionKey } from '../../../core/keyspace/keys.ts'
import type { Engine, EngineEntry } from '../../../metadata/engine/engine.ts'
import { encodeRecord, objectKind } from '../../../metadata/records.ts'
import { BucketVersioning, ObjectRecordSchema } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { newIdentifier } from '../../../runtime/random/identifier.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'

/** Buckets of as many entries each. */
export const FLAT = 'bench-flat'
export const FOLDERS = 'bench-folders'
export const VERSIONS = 'bench-versions'

const FOLDER_COUNT = 1000
/** Versions of each key of the bucket that has them. */
const VERSIONS_PER_KEY = 10
/** Records of one batch of the engine: what it takes at most is 1,024. */
const BATCH = 1000

export async function createBuckets(api: MetadataApi, owner: string): Promise<void> {
  for (const name of [FLAT, FOLDERS, VERSIONS]) {
    const versioning = name === VERSIONS ? BucketVersioning.ENABLED : BucketVersioning.NEVER
    await api.call('createBucket', { bucket: { name, owner, versioning } })
  }
}

/**
 * Fills them, with records as commits would have left them: a million commits would take the best part of the benchmark,
 * and are measured by another. @param engine of metadata that is not running
 */
export async function fill(engine: Engine, owner: string, entries: number): Promise<void> {
  const perFolder = entries / FOLDER_COUNT
  await fillBucket(engine, entries, (index) => {
    const key = `all/file-${padded(index, 8)}`
    return { key: objectKey(FLAT, key), value: recordOf(owner, FLAT, key) }
  })
  await fillBucket(engine, entries, (index) => {
    const key = `folder-${padded(Math.floor(index / perFolder), 4)}/file-${padded(index % perFolder, 6)}`
    return { key: objectKey(FOLDERS, key), value: recordOf(owner, FOLDERS, key) }
  })
  await fillBucket(engine, entries, (index) => {
    const key = `file-${padded(Math.floor(index / VERSIONS_PER_KEY), 8)}`
    const order = BigInt(index + 1)
    const value = recordOf(owner, VERSIONS, key, order)
    const current = index % VERSIONS_PER_KEY === VERSIONS_PER_KEY - 1
    return { key: current ? objectKey(VERSIONS, key) : versionKey(VERSIONS, key, order), value }
  })
}

function padded(index: number, width: number): string {
  return String(index).padStart(width, '0')
}

/** An object of 4 KiB whose bytes nobody has written: a listing reads records only. */
function recordOf(owner: string, bucket: string, key: string, order = 0n): Uint8Array {
  const version = newIdentifier(systemClock, systemRandom)
  const object = create(ObjectRecordSchema, {
    bucket,
    key,
    version,
    size: 4096n,
    etag: 'd41d8cd98f00b204e9800998ecf8427e',
    lastModifiedMs: BigInt(systemClock.nowMs()),
    headers: { contentType: 'image/jpeg' },
    checksums: [{ algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=', type: 'FULL_OBJECT' }],
    storageClass: 'STANDARD',
    owner,
    blob: { id: version, size: 4096n, code: 'replica-3', group: 131_072 },
    order,
    versioned: order > 0n,
  })
  return encodeRecord(objectKind, object)
}

async function fillBucket(
  engine: Engine,
  entries: number,
  entryOf: (index: number) => EngineEntry,
): Promise<void> {
  // A key that is never there: the lease of whoever had this metadata is left as it is.
  const fence = { key: Uint8Array.of(0), token: undefined }
  for (let start = 0; start < entries; start += BATCH) {
    const puts = Array.from({ length: Math.min(BATCH, entries - start) }, (_, at) => entryOf(start + at))
    await engine.commit({ fence, puts, deletes: [] })
  }
}
