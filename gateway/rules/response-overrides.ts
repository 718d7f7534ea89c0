/**
 * The `response-*` query parameters of GetObject and HeadObject, which replace headers of the stored object. Only signed
 * requests may use them. Source: S3 API Reference, GetObject, "Overriding response header values".
 */
import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { isHeaderSafe, isLatin1 } from '../schema/header-text.ts'

export interface ResponseOverrideInput {
  readonly ResponseCacheControl?: string | undefined
  readonly ResponseContentDisposition?: string | undefined
  readonly ResponseContentEncoding?: string | undefined
  readonly ResponseContentLanguage?: string | undefined
  readonly ResponseContentType?: string | undefined
  readonly ResponseExpires?: Date | undefined
}

/** Members of an output that the overrides set. */
export interface ResponseOverrides {
  CacheControl?: string
  ContentDisposition?: string
  ContentEncoding?: string
  ContentLanguage?: string
  ContentType?: string
  ExpiresString?: string
}

const parameters = [
  ['ResponseCacheControl', 'CacheControl', 'response-cache-control'],
  ['ResponseContentDisposition', 'ContentDisposition', 'response-content-disposition'],
  ['ResponseContentEncoding', 'ContentEncoding', 'response-content-encoding'],
  ['ResponseContentLanguage', 'ContentLanguage', 'response-content-language'],
  ['ResponseContentType', 'ContentType', 'response-content-type'],
] as const

/**
 * The members to lay over an output. Throws `InvalidRequest` for an anonymous caller, `InvalidArgument` for a value that
 * no header can carry.
 */
export function responseOverrides(input: ResponseOverrideInput, anonymous: boolean): ResponseOverrides {
  const overrides: ResponseOverrides = {}
  for (const [member, target, parameter] of parameters) {
    const value = input[member]
    if (value === undefined) continue
    if (!isHeaderSafe(value) || !isLatin1(value)) {
      // Recorded of the service by localstack's test_get_response_overrides_unicode_metadata_with_sig_s3.
      throw invalidArgument(parameter, value, 'Header value cannot be represented using ISO-8859-1.')
    }
    overrides[target] = value
  }
  if (input.ResponseExpires) overrides.ExpiresString = input.ResponseExpires.toUTCString()
  if (anonymous && Object.keys(overrides).length > 0) {
    throw new S3Error('InvalidRequest', {
      message: 'Request specific response headers cannot be used for anonymous GET requests.',
    })
  }
  return overrides
}
