/**
 * Which bucket and key a request names: path style (`/bucket/key`) or virtual-host style (`bucket.domain`).
 *
 * The path is decoded once, after it was cut, and never normalised: `..`, `//` and `%2F` are characters of keys, `+` is a
 * plus. In the query `+` is a space, as S3 has it. What is not percent-encoded UTF-8 is `InvalidURI`.
 */
import { OBJECT_KEY_BYTES_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import { isAddressableBucketName } from '../rules/bucket-name.ts'

export interface Target {
  /** Percent-encoded path as sent, without the query. */
  readonly rawPath: string
  /** Query as sent, without its `?`. */
  readonly rawQuery: string
  readonly bucket: string | undefined
  readonly key: string | undefined
  /** Decoded; of repeated keys the first. */
  readonly query: ReadonlyMap<string, string>
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @param target request target as sent; origin form or absolute form, whose authority must be the Host header's
 *   (RFC 9112 §3.2.2): that is what the sender signed, and so the only name that may choose the bucket
 * @param host the Host header, undefined when absent
 * @param domains names this gateway serves virtual-host style under, lower case, longest first
 */
export function parseTarget(target: string, host: string | undefined, domains: readonly string[]): Target {
  const [origin, authority] = splitAbsolute(target)
  if (!origin.startsWith('/')) throw invalidUri(target)
  if (authority !== undefined && authority.toLowerCase() !== host?.toLowerCase()) throw invalidUri(target)
  const question = origin.indexOf('?')
  const rawPath = question < 0 ? origin : origin.slice(0, question)
  const rawQuery = question < 0 ? '' : origin.slice(question + 1)
  const { rawBucket, rawKey } = cut(rawPath, bucketOfHost(host, domains))
  const bucket = rawBucket === undefined ? undefined : decode(rawBucket, target)
  const key = rawKey === undefined || rawKey === '' ? undefined : decode(rawKey, target)
  if (bucket !== undefined && !isAddressableBucketName(bucket) && bucket !== functionPath) {
    throw new S3Error('InvalidBucketName', { fields: { BucketName: bucket } })
  }
  if (key !== undefined) checkKey(key)
  return { rawPath, rawQuery, bucket, key, query: parseQuery(rawQuery, target) }
}

/** WriteGetObjectResponse has a path of its own, which no bucket can have. */
const functionPath = 'WriteGetObjectResponse'

/** Throws `KeyTooLongError` when the key has more than 1,024 bytes of UTF-8. */
function checkKey(key: string): void {
  const size = Buffer.byteLength(key)
  if (size > OBJECT_KEY_BYTES_MAX) {
    throw new S3Error('KeyTooLongError', {
      fields: { Size: String(size), MaxSizeAllowed: String(OBJECT_KEY_BYTES_MAX) },
    })
  }
}

/** Decodes a query into its pairs; of repeated keys the first. */
export function parseQuery(rawQuery: string, target = rawQuery): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  if (rawQuery === '') return query
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const rawKey = equals < 0 ? pair : pair.slice(0, equals)
    const rawValue = equals < 0 ? '' : pair.slice(equals + 1)
    const key = decode(rawKey.replaceAll('+', ' '), target)
    if (!query.has(key)) query.set(key, decode(rawValue.replaceAll('+', ' '), target))
  }
  return query
}

function splitAbsolute(target: string): readonly [origin: string, authority: string | undefined] {
  const match = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target)
  if (!match) return [target, undefined]
  const [, authority = '', rest = ''] = match
  return [rest.startsWith('/') ? rest : `/${rest}`, authority]
}

/** The bucket in a virtual host, undefined when the host is a plain endpoint. */
function bucketOfHost(host: string | undefined, domains: readonly string[]): string | undefined {
  if (host === undefined || domains.length === 0) return undefined
  const name = host.replace(/:\d*$/, '').toLowerCase()
  if (domains.includes(name)) return undefined
  const domain = domains.find((candidate) => name.endsWith(`.${candidate}`))
  return domain === undefined ? undefined : name.slice(0, -domain.length - 1)
}

function cut(
  rawPath: string,
  hostBucket: string | undefined,
): { rawBucket: string | undefined; rawKey: string | undefined } {
  if (hostBucket !== undefined) return { rawBucket: hostBucket, rawKey: rawPath.slice(1) }
  if (rawPath === '/') return { rawBucket: undefined, rawKey: undefined }
  const slash = rawPath.indexOf('/', 1)
  if (slash < 0) return { rawBucket: rawPath.slice(1), rawKey: undefined }
  return { rawBucket: rawPath.slice(1, slash), rawKey: rawPath.slice(slash + 1) }
}

/** Percent-decodes to UTF-8; unescaped bytes above 0x7f are taken as they are. */
function decode(raw: string, target: string): string {
  if (!/[%\u0080-\u00ff]/.test(raw)) return raw
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) throw invalidUri(target)
  const bytes = raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    throw invalidUri(target)
  }
}

function invalidUri(target: string): S3Error {
  return new S3Error('InvalidURI', { fields: { URI: target.slice(0, 1024) } })
}
