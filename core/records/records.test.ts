import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { planCompletion } from './completion.ts'
import { type Conditions, type ConditionTarget, disturbedCondition, refusalOf } from './conditions.ts'
import { assertKnownFormat, NewerFormatError } from './format.ts'

test('conditions: every row of the table', () => {
  const noSuchKey = { refused: 'no-such-key' }
  const conflict = { refused: 'conflict', condition: 'If-Match' }
  const failed = (condition: string) => ({ refused: 'precondition-failed', condition })
  const object = { etag: 'e', size: 5n, lastModifiedMs: 1_999n, deleteMarker: false }
  const marker = { etag: '', size: 0n, lastModifiedMs: 1_999n, deleteMarker: true }
  const size = 'x-amz-if-match-size'
  const time = 'x-amz-if-match-last-modified-time'
  const rows: readonly [Partial<Conditions>, ConditionTarget | undefined, object | undefined][] = [
    [{}, undefined, undefined],
    [{}, object, undefined],
    [{}, marker, undefined],
    [{ ifMatch: ['e'] }, object, undefined],
    [{ ifMatch: ['x', 'e'] }, object, undefined],
    [{ ifMatch: ['*'] }, object, undefined],
    [{ ifMatch: ['x'] }, object, failed('If-Match')],
    [{ ifMatch: ['x'] }, undefined, noSuchKey],
    [{ ifMatch: ['*'] }, undefined, noSuchKey],
    [{ ifMatch: ['*'] }, marker, failed('If-Match')],
    [{ ifMatch: [''] }, marker, failed('If-Match')],
    [{ ifMatch: ['e'], observedVersion: '' }, undefined, noSuchKey],
    [{ ifMatch: ['e'], observedVersion: 'null' }, undefined, conflict],
    [{ ifMatch: ['*'], observedVersion: 'v' }, undefined, conflict],
    [{ ifMatch: ['e'], observedVersion: 'v' }, object, undefined],
    [{ ifMatch: ['x'], observedVersion: 'v' }, object, failed('If-Match')],
    [{ observedVersion: 'v' }, undefined, undefined],
    [{ ifNoneMatchAny: true }, undefined, undefined],
    [{ ifNoneMatchAny: true }, object, failed('If-None-Match')],
    [{ ifMatch: ['e'], ifNoneMatchAny: true }, object, failed('If-None-Match')],
    [{ ifMatchSize: 5n }, object, undefined],
    [{ ifMatchSize: 0n }, object, failed(size)],
    [{ ifMatchSize: 9n }, undefined, undefined],
    [{ ifMatchSize: 0n }, marker, failed(size)],
    [{ ifMatchLastModifiedMs: 1_000n }, object, undefined],
    [{ ifMatchLastModifiedMs: 2_000n }, object, failed(time)],
    [{ ifMatchLastModifiedMs: 0n }, undefined, undefined],
    [{ ifMatchLastModifiedMs: 1_000n }, marker, failed(time)],
    [{ ifMatch: ['e'], ifMatchSize: 5n, ifMatchLastModifiedMs: 1_500n }, object, undefined],
    [{ ifMatch: ['e'], ifMatchSize: 4n, ifMatchLastModifiedMs: 9_000n }, object, failed(size)],
  ]
  for (const [conditions, target, wanted] of rows) {
    const all = { ifMatch: [], ifNoneMatchAny: false, ...conditions }
    assert.deepEqual(refusalOf(all, target), wanted, JSON.stringify(Object.keys(conditions)))
  }
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

test('a condition of a completion that what happened since the upload began disturbs', () => {
  const match = { ifMatch: ['e'], ifNoneMatchAny: false }
  const noneMatch = { ifMatch: [], ifNoneMatchAny: true }
  assert.equal(disturbedCondition(match, 'v1', 'v1'), undefined)
  assert.equal(disturbedCondition(match, 'v1', 'v2'), 'If-Match')
  assert.equal(disturbedCondition(match, '', 'v2'), 'If-Match')
  assert.equal(disturbedCondition(noneMatch, '', undefined), undefined)
  assert.equal(disturbedCondition(noneMatch, 'v1', undefined), 'If-None-Match')
  assert.equal(disturbedCondition({ ifMatch: [], ifNoneMatchAny: false }, 'v1', 'v2'), undefined)
  // Nobody looked when it began.
  assert.equal(disturbedCondition(match, undefined, 'v2'), undefined)
})
