/**
 * Header values between Node's strings (one character a byte) and the text that they mean.
 *
 * S3 reads the headers it keeps with an object as ISO-8859-1, and so returns the bytes it was sent. User metadata may be
 * written in RFC 2047 encoded words, and beyond US-ASCII is returned in them: raw UTF-8 as the words of its Latin-1
 * reading. (S3 User Guide, "User-defined object metadata", with its example; recorded of the service in localstack's
 * `test_system_metadata_with_unicode`, `test_user_metadata_rfc2047_encoded`, `test_post_object_with_unicode_metadata`, and
 * in minio/minio pull request 21282.) So every value can be returned, and there is no need for `x-amz-missing-meta`.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** The text of a header that is not kept, but names something: UTF-8 when its bytes are valid UTF-8, else Latin-1. */
export function decodeHeader(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value)) return value
  try {
    return strictUtf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

/** An encoded word stands between blanks (RFC 2047 §5). */
const encodedWord = /(?<![^ \t])=\?(utf-8|us-ascii|iso-8859-1)\?([bq])\?([^?\s]*)\?=(?![^ \t])/gi

/** Metadata as received: Latin-1, or RFC 2047 encoded words, adjacent ones joined. */
export function decodeMetadata(value: string): string {
  if (!value.includes('=?')) return value
  let end = -1
  let decoded = ''
  let rest = 0
  for (const match of value.matchAll(encodedWord)) {
    const [word, charset = '', encoding = '', body = ''] = match
    const between = value.slice(rest, match.index)
    if (end !== rest || between.trim() !== '') decoded += between
    const bytes = encoding.toLowerCase() === 'b' ? Buffer.from(body, 'base64') : decodeQ(body)
    decoded += bytes.toString(charset.toLowerCase() === 'iso-8859-1' ? 'latin1' : 'utf8')
    end = rest = match.index + word.length
  }
  return decoded + value.slice(rest)
}

/**
 * Metadata that is text already, from a form or a query, as a header that is read as that text. What looks like an encoded
 * word there is none (recorded of the service by localstack's `test_post_object_with_unicode_metadata`).
 */
export function metadataHeader(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.includes('=?')
  return isPlain || value === '' ? value : `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`
}

function decodeQ(body: string): Buffer {
  const latin1 = body
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(latin1, 'latin1')
}

/** Bytes of an encoded word's text: it is 75 long at most (RFC 2047 §2). */
const WORD_BYTES_MAX = 75 - '=?UTF-8?Q??='.length

/**
 * Metadata as sent: US-ASCII as it is, anything else in encoded words, of which kind whichever is likely to be shorter. A
 * text too long for one word is halved until it fits, which is how the service's own answers are cut (aws-amplify/aws-sdk-ios
 * issue 241).
 */
export function encodeMetadata(value: string): string {
  const other = value.replace(/[\t\x20-\x7e]/g, '').length
  if (other === 0) return value
  const encoding = value.length - other > other ? 'Q' : 'B'
  const encode = encoding === 'Q' ? encodeQ : (text: string) => Buffer.from(text).toString('base64')
  return pieces(value, encode)
    .map((piece) => `=?UTF-8?${encoding}?${piece}?=`)
    .join(' ')
}

function pieces(text: string, encode: (text: string) => string): string[] {
  const encoded = encode(text)
  if (encoded.length <= WORD_BYTES_MAX || text.length < 2) return [encoded]
  const middle = Math.floor(text.length / 2)
  const isPair = /[\ud800-\udbff]/.test(text.charAt(middle - 1))
  const half = isPair ? middle - 1 : middle
  if (half === 0) return [encoded]
  return [...pieces(text.slice(0, half), encode), ...pieces(text.slice(half), encode)]
}

function encodeQ(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[^\x20-\x7e]|[=?_]/g, (byte) => {
      return `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
    })
    .replaceAll(' ', '_')
}

/**
 * A kept header's text as Node wants it, one character a byte: Latin-1, and a blank for each character that it lacks, which
 * only a form can have brought. Throws a TypeError on control characters.
 */
export function encodeHeader(value: string): string {
  if (!isHeaderSafe(value)) throw new TypeError('control character in a header value')
  return value.replace(/[^\u0000-\u00ff]/gu, ' ')
}

/** True when the text can be sent without loss. */
export function isLatin1(value: string): boolean {
  return !/[^\u0000-\u00ff]/.test(value)
}

/** True when the text may stand in a header: no control character but tab (RFC 9110 §5.5). */
export function isHeaderSafe(value: string): boolean {
  return !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)
}

/** Items of a comma-separated header list, quotes removed. */
export function splitHeaderList(value: string): string[] {
  const items: string[] = []
  // Cut first, and trimmed then: a pattern for both would begin again at each of many blanks.
  for (const [text] of value.matchAll(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g)) {
    const trimmed = text.trim()
    const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(trimmed)?.[1]
    const item = quoted === undefined ? trimmed : quoted.replace(/\\(.)/g, '$1')
    if (item !== '') items.push(item)
  }
  return items
}
