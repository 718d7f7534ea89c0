/**
 * A small fixed hash for placement: where things lie depends on it, so it never changes. FNV-1a over UTF-16 code
 * units, with MurmurHash3's finaliser, since FNV alone leaves the high bits of short strings alike.
 */
function hash32(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ mix32(seed)) >>> 0
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return mix32(hash)
}

/** MurmurHash3's 32-bit finaliser: every input bit changes each output bit with a chance of about a half. */
export function mix32(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A number strictly between 0 and 1, spread evenly over texts and seeds. */
export function unitHash(text: string, seed: number): number {
  const high = hash32(text, seed)
  const low = hash32(text, ~seed)
  return (high * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52
}
