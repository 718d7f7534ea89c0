/**
 * Header values between Node's strings (one character a byte) and the text that clients mean.
 *
 * S3 takes user metadata as US-ASCII, with RFC 2047 encoded words for the rest (S3 User Guide, "Working with object
 * metadata"); many clients send raw UTF-8 instead, which is read as such.
 */

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text of a header as received: UTF-8 when its bytes are valid UTF-8, else Latin-1. */
export function decodeHeader(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

const encodedWord = /=\?(utf-8|us-ascii|iso-8859-1)\?([bq])\?([^?\s]*)\?=/gi

/** Metadata as received: raw text, or RFC 2047 encoded words, adjacent ones joined. */
export function decodeMetadata(value: string): string {
  const text = decodeHeader(value)
  if (!text.includes('=?')) return text
  return text
    .replace(/(\?=)[ \t]+(?==\?)/g, '$1')
    .replace(encodedWord, (word: string, charset: string, encoding: string, body: string) => {
      const bytes = encoding.toLowerCase() === 'b' ? Buffer.from(body, 'base64') : decodeQ(body)
      if (charset.toLowerCase() === 'iso-8859-1') return bytes.toString('latin1')
      try {
        return utf8.decode(bytes)
      } catch {
        return word
      }
    })
}

function decodeQ(body: string): Buffer {
  const latin1 = body
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(latin1, 'latin1')
}

/** Metadata as sent: US-ASCII as it is, anything else as one encoded word of base64. */
export function encodeMetadata(value: string): string {
  return /^[\t\x20-\x7e]*$/.test(value)
    ? value
    : `=?UTF-8?B?${Buffer.from(value, 'utf8').toString('base64')}?=`
}

/** A header's text as Node wants it: UTF-8 bytes, one character each. Throws a TypeError on control characters. */
export function encodeHeader(value: string): string {
  if (/^[\t\x20-\x7e]*$/.test(value)) return value
  const bytes = Buffer.from(value, 'utf8').toString('latin1')
  if (!isHeaderSafe(bytes)) throw new TypeError('control character in a header value')
  return bytes
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
