/** Records made straight in metadata: objects without bytes, a thousand at a time, for tests of what only reads records. */
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'

/** MD5 of nothing. */
export const EMPTY_ETAG = 'd41d8cd98f00b204e9800998ecf8427e'

/** Makes an empty object of every key. */
export async function putEmpty(
  metadata: MetadataApi,
  bucket: string,
  keys: readonly string[],
): Promise<void> {
  await Promise.all(
    keys.map((key) => {
      const version = newIdentifier(systemClock, systemRandom)
      const object = {
        bucket,
        key,
        version,
        etag: EMPTY_ETAG,
        storageClass: 'STANDARD',
        owner: 'owner-of-the-object',
        checksums: [{ algorithm: 'CRC32', value: 'AAAAAA==', type: 'FULL_OBJECT' }],
      }
      return metadata.call('commitObject', { object })
    }),
  )
}
