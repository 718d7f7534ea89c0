/**
 * The canonical request of Signature Version 4 as S3 makes it: the path is encoded once and never normalised.
 * Source: S3, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".
 */
import { percentDecode, uriEncode, uriEncodePath } from './encoding.ts'
import { headerValues, type HeaderFields, type SignableRequest } from './request.ts'

/** A parameter of the query, decoded to bytes. */
export interface QueryParameter {
  readonly name: string
  readonly value: string
}

/** The parameters of a raw query in order; `+` is a space, a name without `=` has the empty value. */
export function parseQuery(rawQuery: string): readonly QueryParameter[] {
  return rawQuery
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const plain = pair.replaceAll('+', ' ')
      const equals = plain.indexOf('=')
      if (equals < 0) return { name: percentDecode(plain), value: '' }
      return { name: percentDecode(plain.slice(0, equals)), value: percentDecode(plain.slice(equals + 1)) }
    })
}

/** The path, each byte encoded once. */
export function canonicalPath(rawPath: string): string {
  return rawPath === '' ? '/' : uriEncodePath(percentDecode(rawPath))
}

/** The parameters encoded and sorted by encoded name, then by encoded value. */
export function canonicalQuery(parameters: readonly QueryParameter[]): string {
  return parameters
    .map(({ name, value }) => ({ name: uriEncode(name), value: uriEncode(value) }))
    .sort((a, b) => order(a.name, b.name) || order(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&')
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * The lines `name:value\n` of the signed headers: values trimmed, inner runs of blanks folded to one space, several
 * fields of one name joined by commas. A signed header that is not there counts as empty, and so does not match.
 */
export function canonicalHeaders(headers: HeaderFields, signedHeaders: readonly string[]): string {
  return signedHeaders
    .map((name) => `${name}:${headerValues(headers, name).map(canonicalValue).join(',')}\n`)
    .join('')
}

function canonicalValue(value: string): string {
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')
}

/** The canonical request; `payloadHash` is the value of `x-amz-content-sha256` as sent. */
export function canonicalRequest(
  request: SignableRequest,
  parameters: readonly QueryParameter[],
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  return [
    request.method,
    canonicalPath(request.rawPath),
    canonicalQuery(parameters),
    canonicalHeaders(request.headers, signedHeaders),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
}
