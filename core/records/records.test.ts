import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { planCompletion } from './completion.ts'
import { refusalOf } from './conditions.ts'
import { assertKnownFormat, NewerFormatError } from './format.ts'

const none = { ifMatch: [], ifNoneMatchAny: false }

test('conditions: every row of the table', () => {
  const noSuchKey = { refused: 'no-such-key' }
  const failed = (condition: string) => ({ refused: 'precondition-failed', condition })
  const rows = [
    [none, undefined, undefined],
    [none, 'e', undefined],
    [{ ifMatch: ['e'], ifNoneMatchAny: false }, 'e', undefined],
    [{ ifMatch: ['x', 'e'], ifNoneMatchAny: false }, 'e', undefined],
    [{ ifMatch: ['*'], ifNoneMatchAny: false }, 'e', undefined],
    [{ ifMatch: ['x'], ifNoneMatchAny: false }, 'e', failed('If-Match')],
    [{ ifMatch: ['x'], ifNoneMatchAny: false }, undefined, noSuchKey],
    [{ ifMatch: ['*'], ifNoneMatchAny: false }, undefined, noSuchKey],
    [{ ifMatch: [], ifNoneMatchAny: true }, undefined, undefined],
    [{ ifMatch: [], ifNoneMatchAny: true }, 'e', failed('If-None-Match')],
    [{ ifMatch: ['e'], ifNoneMatchAny: true }, 'e', failed('If-None-Match')],
  ] as const
  for (const [conditions, etag, wanted] of rows) assert.deepEqual(refusalOf(conditions, etag), wanted)
})

test('a record of a newer format is refused by name and number', () => {
  assert.doesNotThrow(() => assertKnownFormat('the object record', 1, 1))
  assert.throws(() => assertKnownFormat('the object record', 3, 1), {
    name: NewerFormatError.name,
    message: 'the object record was made by a newer Ashlar (format 3, this program knows 1)',
  })
})

const RULES = { partBytesMin: 5n, pageParts: 3 }

function part(partNumber: number, size = 5n) {
  return {
    partNumber,
    size,
    etag: `e${partNumber}`,
    checksums: [{ algorithm: 'CRC32', value: `c${partNumber}` }],
  }
}

function named(partNumber: number) {
  return { partNumber, etag: `e${partNumber}`, checksums: [] }
}

test('completion: pages, their offsets, the size and what is left over', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      fc.nat(),
      (numbers, seed) => {
        const stored = numbers.map((number) => part(number, BigInt(5 + ((number * 7 + seed) % 11))))
        const used = stored.filter((_, index) => index === 0 || (index + seed) % 3 !== 0)
        used.sort((a, b) => a.partNumber - b.partNumber)
        const plan = planCompletion(
          used.map(({ partNumber }) => named(partNumber)),
          stored,
          RULES,
        )
        assert.equal(plan.refused, undefined)
        if (plan.refused !== undefined) return
        assert.deepEqual(plan.pages.flat(), used)
        assert.ok(plan.pages.every((page, index) => page.length === 3 || index === plan.pages.length - 1))
        let offset = 0n
        for (const [index, page] of plan.pages.entries()) {
          assert.equal(plan.pageOffsets[index], offset)
          for (const { size } of page) offset += size
        }
        assert.equal(plan.size, offset)
        assert.deepEqual(new Set([...plan.unused, ...used]), new Set(stored))
      },
    ),
  )
})

test('completion: refusals', () => {
  const stored = [part(1), part(2, 1n), part(4)]
  const order = { refused: 'part-order' }
  assert.deepEqual(planCompletion([], stored, RULES), order)
  assert.deepEqual(planCompletion([named(4), named(1)], stored, RULES), order)
  assert.deepEqual(planCompletion([named(1), named(1)], stored, RULES), order)
  const invalid = { refused: 'invalid-part', partNumber: 3, etag: 'e3' }
  assert.deepEqual(planCompletion([named(1), named(3)], stored, RULES), invalid)
  const wrongEtag = { ...named(4), etag: 'x' }
  assert.deepEqual(planCompletion([wrongEtag], stored, RULES), {
    refused: 'invalid-part',
    partNumber: 4,
    etag: 'x',
  })
  const right = { ...named(4), checksums: [{ algorithm: 'CRC32', value: 'c4' }] }
  assert.equal(planCompletion([right], stored, RULES).refused, undefined)
  const wrong = { ...named(4), checksums: [{ algorithm: 'CRC32', value: 'c5' }] }
  assert.equal(planCompletion([wrong], stored, RULES).refused, 'invalid-part')
  const small = { refused: 'too-small', partNumber: 2, etag: 'e2', size: 1n }
  assert.deepEqual(planCompletion([named(1), named(2), named(4)], stored, RULES), small)
  // The last part may be as small as it likes.
  assert.equal(planCompletion([named(1), named(2)], stored, RULES).refused, undefined)
})
