import assert from 'node:assert/strict'
import { type DeleteObjectReply, FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BucketVersioning, ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError, type MetadataRequestInit } from '../../proto/metadata-api.ts'

/** Requests that tests of metadata make, with the fields that do not matter filled in. */

export const BUCKET = 'bucket'
export const OWNER = '123456789012'

/** A different identifier each time, as of now: blobs of long ago are refused. */
function identifiers(): () => string {
  let count = 0
  return () => identifierOf(Date.now(), ++count)
}

/** @param timeMs when its writer began, Unix milliseconds */
export function identifierOf(timeMs: number, count: number): string {
  return timeMs.toString(16).padStart(12, '0') + count.toString(16).padStart(20, '0')
}

export const newId = identifiers()

export async function createBucket(api: MetadataApi, name = BUCKET, owner = OWNER): Promise<void> {
  await api.call('createBucket', { bucket: { name, owner }, limitPerOwner: 100 })
}

type ObjectInit = NonNullable<MetadataRequestInit<'commitObject'>['object']>

export function objectInit(key: string, more: Partial<ObjectInit> = {}): ObjectInit {
  const version = newId()
  return {
    bucket: BUCKET,
    key,
    version,
    size: 5n,
    etag: `etag-${version}`,
    storageClass: 'STANDARD',
    owner: OWNER,
    blob: { id: newId(), size: 5n, code: 'rs-4-2', group: 65_536 },
    ...more,
  } as ObjectInit
}

export async function put(
  api: MetadataApi,
  key: string,
  more: Partial<ObjectInit> = {},
  conditions: MetadataRequestInit<'commitObject'>['conditions'] = {},
): Promise<ObjectRecord> {
  const { object } = await api.call('commitObject', { object: objectInit(key, more), conditions })
  assert.ok(object !== undefined)
  return object
}

export async function get(api: MetadataApi, key: string, bucket = BUCKET): Promise<ObjectRecord | undefined> {
  try {
    return (await api.call('getObject', { bucket, key })).object
  } catch (error) {
    if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_KEY) return undefined
    throw error
  }
}

export async function startUpload(
  api: MetadataApi,
  key: string,
  uploadId = newId(),
  bucket = BUCKET,
  more: Partial<NonNullable<MetadataRequestInit<'createUpload'>['upload']>> = {},
): Promise<string> {
  const upload = { bucket, key, uploadId, storageClass: 'STANDARD', owner: OWNER, ...more }
  await api.call('createUpload', {
    upload: upload as NonNullable<MetadataRequestInit<'createUpload'>['upload']>,
  })
  return uploadId
}

export async function putPart(
  api: MetadataApi,
  key: string,
  uploadId: string,
  partNumber: number,
  size = 10,
  bucket = BUCKET,
): Promise<PartRecord> {
  const id = newId()
  const { part } = await api.call('commitPart', {
    bucket,
    key,
    uploadId,
    part: {
      partNumber,
      size: BigInt(size),
      etag: `part-${id}`,
      checksums: [{ algorithm: 'CRC32', value: `crc-${id}` }],
      blob: { id, size: BigInt(size), code: 'rs-4-2', group: 65_537 },
    },
  })
  assert.ok(part !== undefined)
  return part
}

export async function complete(
  api: MetadataApi,
  key: string,
  uploadId: string,
  parts: readonly PartRecord[],
  more: Partial<MetadataRequestInit<'completeUpload'>> = {},
): Promise<ObjectRecord> {
  const request = {
    bucket: BUCKET,
    key,
    uploadId,
    parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
    etag: `whole-${parts.length}`,
    partBytesMin: 5n,
    ...more,
  }
  const { object } = await api.call('completeUpload', request as MetadataRequestInit<'completeUpload'>)
  assert.ok(object !== undefined)
  return object
}

/** Blobs that tasks of the outbox say are garbage, sorted. */
export async function garbage(api: MetadataApi): Promise<string[]> {
  const ids: string[] = []
  let after = 0n
  for (;;) {
    const { records } = await api.call('readOutbox', { after, limit: 1000 })
    for (const { task, sequence } of records) {
      assert.ok(sequence > after)
      after = sequence
      if (task.case === 'garbage') ids.push(...task.value.blobs.map(({ id }) => id))
    }
    if (records.length === 0) return ids.sort()
  }
}

/** A version, an object or a delete marker, as it is; undefined where there is none. */
export async function getVersion(
  api: MetadataApi,
  key: string,
  versionId: string,
  bucket = BUCKET,
): Promise<ObjectRecord | undefined> {
  try {
    return (await api.call('getObject', { bucket, key, versionId })).object
  } catch (error) {
    if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_VERSION) return undefined
    throw error
  }
}

export async function setVersioning(
  api: MetadataApi,
  versioning: BucketVersioning,
  name = BUCKET,
): Promise<void> {
  await api.call('updateBucket', { name, versioning })
}

/** A delete with a marker of its own. */
export function remove(
  api: MetadataApi,
  key: string,
  more: Partial<MetadataRequestInit<'deleteObject'>> = {},
): Promise<DeleteObjectReply> {
  const request = { bucket: BUCKET, key, markerVersion: newId(), owner: OWNER, ...more }
  return api.call('deleteObject', request as MetadataRequestInit<'deleteObject'>)
}

/** Asserts a MetadataError of this code, and of these fields where given. */
export async function failsWith(
  promise: Promise<unknown>,
  code: FailureCode,
  fields?: Readonly<Record<string, string>>,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MetadataError, String(error))
    assert.equal(FailureCode[error.code], FailureCode[code], error.message)
    if (fields !== undefined) assert.deepEqual({ ...error.fields }, fields)
    return true
  })
}

/** Waits, turn by turn, until `done` says so; what it waits for goes on by itself. */
export async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise(setImmediate)
}
