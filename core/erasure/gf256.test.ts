import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inverse, multiply, NIBBLE_TABLE_BYTES, nibbleTable, productTable } from './gf256.ts'

/** Multiplication by its definition: polynomials over GF(2), reduced modulo 0x11d. */
function carryless(a: number, b: number): number {
  let product = 0
  for (let bit = 0; bit < 8; bit++) if (((b >> bit) & 1) === 1) product ^= a << bit
  for (let bit = 14; bit >= 8; bit--) if (((product >> bit) & 1) === 1) product ^= 0x11d << (bit - 8)
  return product
}

test('every product is that of the definition, and so is every table', () => {
  for (let a = 0; a < 256; a++) {
    const products = productTable(a)
    const nibbles = nibbleTable(a)
    assert.equal(nibbles.length, NIBBLE_TABLE_BYTES)
    for (let b = 0; b < 256; b++) {
      const expected = carryless(a, b)
      assert.equal(multiply(a, b), expected)
      assert.equal(products[b], expected)
      assert.equal((nibbles[b & 15] ?? -1) ^ (nibbles[16 + (b >> 4)] ?? -1), expected)
    }
  }
})

test('every element but 0 has its inverse', () => {
  for (let a = 1; a < 256; a++) assert.equal(carryless(a, inverse(a)), 1)
  assert.throws(() => inverse(0), RangeError)
})
