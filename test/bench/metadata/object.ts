import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ObjectRecordSchema } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { newIdentifier } from '../../../runtime/random/identifier.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'

/** An object of 4 KiB whose bytes nobody has written, as a gateway would commit it: a record of about 350 bytes. */
export function sampleObject(bucket: string, key: string) {
  const id = newIdentifier(systemClock, systemRandom)
  return {
    bucket,
    key,
    version: id,
    size: 4096n,
    etag: 'd41d8cd98f00b204e9800998ecf8427e',
    headers: { contentType: 'image/jpeg' },
    checksums: [{ algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=', type: 'FULL_OBJECT' }],
    storageClass: 'STANDARD',
    owner: '123456789012',
    blob: { id, size: 4096n, code: 'replica-3', group: 131_072 },
  } satisfies MessageInitShape<typeof ObjectRecordSchema>
}
