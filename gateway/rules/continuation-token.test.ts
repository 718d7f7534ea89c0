import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { formatContinuationToken, parseContinuationToken } from './continuation-token.ts'

const isRefusal = (error: unknown): boolean => error instanceof S3Error && error.code === 'InvalidArgument'

test('any name comes back, in text that needs no encoding in a URL', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
      const token = formatContinuationToken(name)
      assert.match(token, /^[A-Za-z0-9_-]+$/)
      assert.equal(parseContinuationToken(token), name)
    }),
  )
})

test('a changed token is refused, whatever was changed', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.nat(),
      fc.constantFrom('A', 'z', '_', '='),
      (name, place, letter) => {
        const token = formatContinuationToken(name)
        const at = place % token.length
        const changed = token.slice(0, at) + letter + token.slice(at + 1)
        if (changed !== token) assert.throws(() => parseContinuationToken(changed), isRefusal)
        assert.throws(() => parseContinuationToken(token.slice(0, at)), isRefusal)
      },
    ),
  )
})

test('text of others is refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.throws(() => parseContinuationToken(text), isRefusal)
    }),
  )
})

test('the layout is fixed: tokens given out yesterday hold', () => {
  assert.equal(parseContinuationToken(formatContinuationToken('photos/2026/')), 'photos/2026/')
  assert.equal(formatContinuationToken('photos/2026/'), 'AXIQuL1waG90b3MvMjAyNi8')
})
