/**
 * `x-amz-storage-class`: which classes an object may be written in. A class is kept with the object and told; whether it
 * has pools of its own is the cluster map's business (store/cluster/snapshot.ts).
 */
import { S3Error } from '../../errors/s3-error.ts'
import { notBuilt } from '../unsupported.ts'

/** Classes from which an object is read as from STANDARD. */
const readable: ReadonlySet<string> = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
])

/** Classes that have to be restored before they are read; there is no RestoreObject yet. */
const archives: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])

/**
 * The class to record.
 * @throws {S3Error} InvalidStorageClass for one that general purpose buckets do not have; NotImplemented for archives
 */
export function storageClassOf(asked: string | undefined): string {
  if (asked === undefined) return 'STANDARD'
  if (readable.has(asked)) return asked
  if (archives.has(asked)) throw notBuilt('Header', 'x-amz-storage-class')
  throw new S3Error('InvalidStorageClass', { fields: { StorageClassRequested: asked } })
}
