/**
 * The `x-amz-copy-source` header: `bucket/key` or `/bucket/key`, percent-encoded, with an optional `?versionId=`.
 * Source: S3 API Reference, CopyObject.
 */
import { invalidArgument } from '../errors/s3-error.ts'
import { isAddressableBucketName } from './bucket-name.ts'

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId: string | undefined
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws `InvalidArgument` naming the header. ARNs of access points are refused too: there are none here. */
export function parseCopySource(header: string): CopySource {
  const query = /\?versionId=([^?&]*)$/.exec(header)
  // A URL is taken for its path, whatever its host (recorded of the service by LocalStack's `test_response_structure`).
  const path = (query ? header.slice(0, query.index) : header).replace(/^https?:\/\/[^/]*/, '')
  const relative = path.startsWith('/') ? path.slice(1) : path
  // Some clients encode the whole, the slash after the bucket included.
  const decoded = decode(relative, header)
  const slash = decoded.indexOf('/')
  const bucket = decoded.slice(0, Math.max(slash, 0))
  const key = decoded.slice(slash + 1)
  if (slash < 0 || key === '' || !isAddressableBucketName(bucket)) {
    // The service gives the name of the header as its value (LocalStack's `test_s3_copy_object_wrong_format`).
    throw refuse('x-amz-copy-source', 'Invalid copy source object key')
  }
  const versionId = query?.[1]
  if (versionId === '') throw refuse(header, 'Version id cannot be the empty string')
  return { bucket, key, versionId: versionId === undefined ? undefined : decode(versionId, header) }
}

/**
 * `+` is a blank, unlike in paths (recorded of the service by LocalStack's
 * `test_copy_object_special_character_plus_for_space`); a plus, and a `?` in a key, have to be encoded.
 */
function decode(text: string, header: string): string {
  const bytes = Buffer.from(text.replaceAll('+', ' '), 'utf8')
    .toString('latin1')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    throw refuse(header, 'Invalid copy source encoding.')
  }
}

const refuse = (header: string, message: string) => invalidArgument('x-amz-copy-source', header, message)
