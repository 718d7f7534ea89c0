/**
 * Headers that a presigned URL carries in its query. Signers of several SDKs put `x-amz-*` headers there, so that whoever
 * uses the URL need not know of them, and S3 takes them for what they are; conditions it takes, too.
 *
 * Not so the checksum, which a signer cannot know (the JavaScript SDK signs that of nothing), and tags, which S3 takes from
 * a header only. Recorded of the service in localstack's `test_presigned_url_v4_x_amz_in_qs` and
 * `test_pre_signed_url_if_none_match`, and in aws-sdk-js-v3 issue 4694; the tags in aws-sdk-go-v2 pull request 1017.
 */
import { invalidArgument } from '../errors/s3-error.ts'
import { isHeaderName } from '../rules/cors.ts'
import { isHeaderSafe, metadataHeader } from '../schema/header-text.ts'

const METADATA = 'x-amz-meta-'

/** As all signers write them: passed over without the patterns below, which leave them out too, in whatever case. */
const signature: ReadonlySet<string> = new Set(
  'Algorithm Content-Sha256 Credential Date Expires Security-Token Signature SignedHeaders'
    .split(' ')
    .map((name) => `X-Amz-${name}`),
)

/** Of the query, these belong to the signature, or do nothing. */
const left =
  /^x-amz-(?:algorithm|checksum-.*|content-sha256|credential|date|decoded-content-length|expires|sdk-.*|security-token|signature|signedheaders|tagging|trailer)$/

const taken = /^(?:x-amz-.*|if-match|if-none-match)$/

/** Those of a query, by lower-case names, as they came; none where it is not presigned. */
export function headersOfQuery(query: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (!query.has('X-Amz-Signature')) return none
  let found: Map<string, string> | undefined
  for (const [parameter, value] of query) {
    if (signature.has(parameter)) continue
    const name = parameter.toLowerCase()
    if (!taken.test(name) || left.test(name)) continue
    found ??= new Map()
    found.set(name, value)
  }
  return found ?? none
}

const none: ReadonlyMap<string, string> = new Map()

/**
 * The headers, and those of the query that are not among them. To be asked once the signature was found to hold.
 * @throws {S3Error} InvalidArgument for what no header could hold
 */
export function withHeadersOfQuery(
  headers: ReadonlyMap<string, string>,
  fromQuery: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  if (fromQuery.size === 0) return headers
  const merged = new Map(headers)
  for (const [name, value] of fromQuery) {
    if (headers.has(name)) continue
    const isMetadata = name.startsWith(METADATA)
    if (!isHeaderName(name) || !(isMetadata || isHeaderSafe(value))) {
      throw invalidArgument(name, value, 'Header value cannot be represented using ISO-8859-1.')
    }
    merged.set(name, isMetadata ? metadataHeader(value) : value)
  }
  return merged
}
