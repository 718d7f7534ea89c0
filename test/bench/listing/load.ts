import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { newIdentifier } from '../../../runtime/random/identifier.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'

/** Buckets of as many entries each, whose bytes nobody has written: a listing reads records only. */
export const FLAT = 'bench-flat'
export const FOLDERS = 'bench-folders'
export const VERSIONS = 'bench-versions'
/** The prefix of every key of the flat bucket. */
const FLAT_PREFIX = 'all/'
const FOLDER_COUNT = 1000
/** Versions of each key of the bucket that has them. */
const VERSIONS_PER_KEY = 10

const IN_FLIGHT = 256

/** Makes the three buckets. @param owner canonical id that the buckets and objects belong to */
export async function load(api: MetadataApi, owner: string, entries: number): Promise<void> {
  const perFolder = Math.ceil(entries / FOLDER_COUNT)
  const number = (index: number, width: number): string => String(index).padStart(width, '0')
  await fill(
    api,
    owner,
    FLAT,
    entries,
    BucketVersioning.NEVER,
    (index) => `${FLAT_PREFIX}file-${number(index, 8)}`,
  )
  await fill(api, owner, FOLDERS, entries, BucketVersioning.NEVER, (index) => {
    const folder = Math.floor(index / perFolder)
    return `folder-${number(folder, 4)}/file-${number(index % perFolder, 6)}`
  })
  const keys = Math.ceil(entries / VERSIONS_PER_KEY)
  await fill(
    api,
    owner,
    VERSIONS,
    entries,
    BucketVersioning.ENABLED,
    (index) => `file-${number(index % keys, 8)}`,
  )
}

async function fill(
  api: MetadataApi,
  owner: string,
  bucket: string,
  entries: number,
  versioning: BucketVersioning,
  keyOf: (index: number) => string,
): Promise<void> {
  await api.call('createBucket', { bucket: { name: bucket, owner, versioning } })
  let next = 0
  async function lane(): Promise<void> {
    for (let index = next++; index < entries; index = next++) {
      const id = newIdentifier(systemClock, systemRandom)
      await api.call('commitObject', {
        object: {
          bucket,
          key: keyOf(index),
          version: id,
          size: 4096n,
          etag: 'd41d8cd98f00b204e9800998ecf8427e',
          headers: { contentType: 'image/jpeg' },
          checksums: [{ algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=', type: 'FULL_OBJECT' }],
          storageClass: 'STANDARD',
          owner,
          blob: { id, size: 4096n, code: 'replica-3', group: 131_072 },
        },
      })
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
}
