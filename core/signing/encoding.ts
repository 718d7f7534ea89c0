/** The encodings of Signature Version 4, over byte strings (one character, one byte). */

const percentOf = Array.from(
  { length: 256 },
  (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
)

function percent(character: string): string {
  return percentOf[character.charCodeAt(0) & 0xff] ?? ''
}

/** `UriEncode` of the S3 documentation: all but `A-Z a-z 0-9 - . _ ~`, in upper-case hex. */
export function uriEncode(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9\-._~]/g, percent)
}

/** The same, leaving the slashes of an object key. */
export function uriEncodePath(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9\-._~/]/g, percent)
}

/** Undoes percent-encoding to bytes; a percent sign that begins no escape stands for itself. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Bytes as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += hexOf[byte] ?? ''
  return text
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Bytes as S3 shows them in errors: `41 57 53 34`. */
export function hexDump(bytes: string): string {
  return Array.from(bytes, (character) => hexOf[character.charCodeAt(0) & 0xff]).join(' ')
}

/** The bytes read as UTF-8, for people; bytes that are not UTF-8 stay one character each. */
export function readableText(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes
  try {
    return decodeURIComponent(bytes.replace(/[%\x80-\xff]/g, percent))
  } catch {
    return bytes
  }
}

/** The UTF-8 bytes of a text, as a byte string. Lone surrogates become U+FFFD. */
export function utf8(text: string): string {
  return percentDecode(encodeURIComponent(text.toWellFormed()))
}

/**
 * Whether two texts are equal, in time that depends on their lengths only: how much of a signature was right must not
 * be measurable.
 */
export function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1))
  return difference === 0
}
