import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { checkTagSet, parseTaggingHeader } from './tags.ts'

const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof S3Error)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}
const shape = (tags: readonly { key: string; value: string }[]) => tags.map(({ key, value }) => [key, value])

test('x-amz-tagging is a query: empty pairs, missing values, plus and percent', () => {
  const cases: readonly (readonly [string, readonly (readonly string[])[]])[] = [
    ['', []],
    ['&&&', []],
    ['key', [['key', '']]],
    ['key=&', [['key', '']]],
    [
      'b=2&a=1',
      [
        ['b', '2'],
        ['a', '1'],
      ],
    ],
    ['key@=val@', [['key@', 'val@']]],
    ['k=a=b', [['k', 'a=b']]],
    ['key%2E=value%2F', [['key.', 'value/']]],
    ['key++key=value%2Bvalue', [['key  key', 'value+value']]],
    ['%C3%A4=ö', [['ä', 'ö']]],
  ]
  for (const [header, tags] of cases) assert.deepEqual(shape(parseTaggingHeader(header)), tags, header)
})

test('x-amz-tagging that is no query, or names a tag twice, is InvalidArgument', () => {
  for (const header of ['=', '=v', 'key%', '%FF=v', 'k=%zz', 'k=v&k=v', 'k=1&%6B=2']) {
    assert.throws(
      () => parseTaggingHeader(header),
      refused('InvalidArgument', /shall be encoded as UTF-8/),
      header,
    )
  }
})

test('what is in a tag: characters, lengths in UTF-16, the names of Amazon', () => {
  const check = (Key: string, Value = '') => checkTagSet([{ Key, Value }], 'object')
  for (const text of ['a b', '_.:/=+-@', 'größe', '日本', '٣']) assert.equal(check(text, text).length, 1)
  for (const bad of ['user!name', 'foo#bar', 'data%20', 'a*b', 'a,b', 'a;b', '(a)', '`', 'a\nb']) {
    assert.throws(() => check(bad), refused('InvalidTag', /TagKey you have provided is invalid/), bad)
    assert.throws(() => check('k', bad), refused('InvalidTag', /TagValue you have provided is invalid/), bad)
  }
  assert.throws(() => check(''), refused('InvalidTag', /TagKey/))
  assert.equal(check('k'.repeat(128), 'v'.repeat(256)).length, 1)
  assert.throws(() => check('k'.repeat(129)), refused('InvalidTag', /TagKey/))
  assert.throws(() => check('k', 'v'.repeat(257)), refused('InvalidTag', /TagValue/))
  // U+20000, a letter outside the basic plane, is two of them.
  assert.equal(check('\u{20000}'.repeat(64)).length, 1)
  assert.throws(() => check('\u{20000}'.repeat(65)), refused('InvalidTag', /TagKey/))
  for (const name of ['aws:x', 'AWS:x']) {
    assert.throws(() => check(name), refused('InvalidTag', /prefixed with aws:/))
  }
  assert.throws(
    () => checkTagSet([{ Key: 'aws:x', Value: '' }], 'bucket'),
    refused('InvalidTag', /System tags/),
  )
})

test('how many tags, and each once', () => {
  const tags = (count: number) => Array.from({ length: count }, (_, i) => ({ Key: `k${i}`, Value: '' }))
  assert.equal(checkTagSet(tags(10), 'object').length, 10)
  assert.equal(checkTagSet(tags(50), 'bucket').length, 50)
  assert.throws(
    () => checkTagSet(tags(11), 'object'),
    refused('BadRequest', /^Object tags cannot be greater than 10$/),
  )
  assert.throws(() => checkTagSet(tags(51), 'bucket'), refused('BadRequest', /^Bucket tag count .* than 50$/))
  const twice = [...tags(1), ...tags(1)]
  assert.throws(() => checkTagSet(twice, 'object'), refused('InvalidTag', /multiple Tags with the same key/))
})

test('any allowed set survives the header', () => {
  const text = fc.stringMatching(/^[\p{L}\p{N} _.:/=+\-@]{1,20}$/u)
  const key = text.filter((name) => !name.toLowerCase().startsWith('aws:'))
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(key, text), { maxLength: 10, selector: ([name]) => name }),
      (pairs) => {
        const header = pairs
          .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
          .join('&')
        assert.deepEqual(shape(parseTaggingHeader(header)), pairs)
      },
    ),
  )
})
