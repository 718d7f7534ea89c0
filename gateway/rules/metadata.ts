/** The limit on user metadata. Source: S3 User Guide, "Working with object metadata". */
import { USER_METADATA_BYTES_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'

/** Throws `MetadataTooLarge` when names (without `x-amz-meta-`) and values have more than 2 KiB of UTF-8 together. */
export function checkUserMetadata(metadata: Readonly<Record<string, string>> | undefined): void {
  let size = 0
  for (const [name, value] of Object.entries(metadata ?? {})) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  if (size > USER_METADATA_BYTES_MAX) {
    throw new S3Error('MetadataTooLarge', {
      fields: { Size: String(size), MaxSizeAllowed: String(USER_METADATA_BYTES_MAX) },
    })
  }
}
