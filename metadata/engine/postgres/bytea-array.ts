/** Object id of the type bytea, in the catalogue since it exists. */
const BYTEA_OID = 17
const HEADER_BYTES = 20

/**
 * A `bytea[]` as PostgreSQL takes it in its binary form: number of dimensions, a flag for nulls, the type of the elements,
 * length and lower bound of the one dimension, and the elements, each after its length. All numbers are 32 bits, most
 * significant first. As text, the driver would send every byte as two digits.
 */
export function byteaArray(elements: readonly Uint8Array[]): Buffer {
  const size = elements.reduce((sum, { length }) => sum + 4 + length, HEADER_BYTES)
  const array = Buffer.allocUnsafe(size)
  array.writeInt32BE(1, 0)
  array.writeInt32BE(0, 4)
  array.writeInt32BE(BYTEA_OID, 8)
  array.writeInt32BE(elements.length, 12)
  array.writeInt32BE(1, 16)
  let at = HEADER_BYTES
  for (const element of elements) {
    array.writeInt32BE(element.length, at)
    array.set(element, at + 4)
    at += 4 + element.length
  }
  return array
}
