/**
 * UTF-8 without an engine's TextEncoder, and the order it gives strings.
 *
 * S3 lists keys in the order of their UTF-8 bytes, which is the order of code points. JavaScript compares UTF-16 code
 * units, which puts the astral characters (U+10000 and up, written as surrogates D800–DFFF) before U+E000–U+FFFF.
 */

/** The string holds half of a surrogate pair: no UTF-8 says that. */
export class IllFormedStringError extends RangeError {
  override readonly name = 'IllFormedStringError'
}

/** @throws {IllFormedStringError} when a surrogate stands alone. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  return bytes.subarray(0, writeUtf8(text, bytes, 0))
}

/**
 * Writes `text` into `bytes` from `offset` and returns the offset after it. `bytes` must have room for three bytes a
 * code unit.
 * @throws {IllFormedStringError} when a surrogate stands alone.
 */
export function writeUtf8(text: string, bytes: Uint8Array, offset: number): number {
  let at = offset
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) {
      bytes[at++] = unit
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else if (unit < 0xd800 || unit > 0xdfff) {
      bytes[at++] = 0xe0 | (unit >> 12)
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      const low = text.charCodeAt(++index)
      if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) {
        throw new IllFormedStringError('a string with half of a surrogate pair has no UTF-8')
      }
      const point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  return at
}

/** Reads what {@link encodeUtf8} wrote. The bytes must be UTF-8: they are not checked again. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at++] ?? 0
    if (first < 0x80) text += String.fromCharCode(first)
    else if (first < 0xe0) text += String.fromCharCode(((first & 0x1f) << 6) | tail(bytes, at++))
    else if (first < 0xf0) {
      text += String.fromCharCode(((first & 0x0f) << 12) | (tail(bytes, at++) << 6) | tail(bytes, at++))
    } else {
      text += String.fromCodePoint(
        ((first & 0x07) << 18) | (tail(bytes, at++) << 12) | (tail(bytes, at++) << 6) | tail(bytes, at++),
      )
    }
  }
  return text
}

/** Negative, zero or positive as the UTF-8 of `left` sorts before, with or after that of `right`. */
export function compareUtf8(left: string, right: string): number {
  const shared = Math.min(left.length, right.length)
  for (let index = 0; index < shared; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return rank(a) - rank(b)
  }
  return left.length - right.length
}

/** Moves the surrogates behind the rest of the code units, where their code points belong. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function tail(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) & 0x3f
}
