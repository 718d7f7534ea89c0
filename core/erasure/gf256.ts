/**
 * The field GF(2⁸) with the polynomial x⁸ + x⁴ + x³ + x² + 1 (0x11d), in which 2 generates every non-zero element: the
 * field of Intel ISA-L, of RAID-6 and of most Reed–Solomon storage codes. Addition and subtraction are XOR.
 *
 * Elements are integers 0 … 255.
 */

const POLYNOMIAL = 0x11d

/** EXP[i] = 2^i, for i up to twice the order so that a sum of two logarithms needs no reduction. */
const EXP = new Uint8Array(510)
/** LOG[EXP[i]] = i for 0 <= i < 255; LOG[0] has no meaning. */
const LOG = new Uint8Array(256)

let power = 1
for (let i = 0; i < 255; i++) {
  EXP[i] = power
  EXP[i + 255] = power
  LOG[power] = i
  power <<= 1
  if (power > 255) power ^= POLYNOMIAL
}

const at = (table: Uint8Array, index: number): number => table[index] ?? 0

/** The product of two elements. */
export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0
  return at(EXP, at(LOG, a) + at(LOG, b))
}

/**
 * The element whose product with `a` is 1.
 *
 * @throws {RangeError} for 0, which has none.
 */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse')
  return at(EXP, 255 - at(LOG, a))
}

/** A coefficient of a Cauchy matrix: 1 / (x ⊕ y), for x of the rows and y of the columns, which share no element. */
export function cauchy(x: number, y: number): number {
  return inverse(x ^ y)
}

/** All products of `a`: 256 bytes, indexed by the other factor. */
export function productTable(a: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 256 }, (_, b) => multiply(a, b))
}

/** Bytes of the nibble tables of one coefficient. */
export const NIBBLE_TABLE_BYTES = 32

/**
 * The products of `a` with every low nibble (bytes 0 … 15: a·0 … a·15) and every high one (16 … 31: a·0x00, a·0x10, …
 * a·0xf0). As multiplication distributes over XOR, a·x is `table[x & 15] ^ table[16 + (x >> 4)]`: two lookups among 16,
 * which a byte shuffle does for a whole vector at once.
 *
 * Source: Plank, Greenan, Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions", FAST 2013.
 */
export function nibbleTable(a: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: NIBBLE_TABLE_BYTES }, (_, i) => multiply(a, i < 16 ? i : (i - 16) << 4))
}
