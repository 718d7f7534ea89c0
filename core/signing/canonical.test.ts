import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalHeaders, canonicalPath, canonicalQuery, parseQuery } from './canonical.ts'
import { equalInConstantTime, hexDump, percentDecode, readableText, uriEncode, utf8 } from './encoding.ts'
import { formatAmzDate, formatIsoSeconds, parseAmzDate, parseHttpDate } from './time.ts'

test('paths are encoded once, and never normalised', () => {
  const cases: Record<string, string> = {
    '': '/',
    '/': '/',
    '/a%20b/a+b': '/a%20b/a%2Bb',
    '/%c3%bc/%E4%B8%AD': '/%C3%BC/%E4%B8%AD',
    "/!*'()~=&:@$,;": '/%21%2A%27%28%29~%3D%26%3A%40%24%2C%3B',
    '/%21%2A%27%28%29%7E%3D': '/%21%2A%27%28%29~%3D',
    '/100%25/100%': '/100%25/100%25',
    '//a//b/../c/.': '//a//b/../c/.',
    '/\u00c3\u00bc': '/%C3%BC',
  }
  for (const [raw, canonical] of Object.entries(cases)) assert.equal(canonicalPath(raw), canonical)
})

test('queries are sorted by encoded name, then by encoded value', () => {
  const cases: Record<string, string> = {
    '': '',
    'b=2&a=1': 'a=1&b=2',
    'a=2&a=1&a=&A=3': 'A=3&a=&a=1&a=2',
    'acl&b=': 'acl=&b=',
    'a=b+c&d=e%2Bf&g=%20': 'a=b%20c&d=e%2Bf&g=%20',
    'k=1&k-x=2&k.y=3&k0=4': 'k=1&k-x=2&k.y=3&k0=4',
    "k=%c3%bc~!*'()&l=a=b&m=a:b/c": 'k=%C3%BC~%21%2A%27%28%29&l=a%3Db&m=a%3Ab%2Fc',
    '&&a&&': 'a=',
  }
  for (const [raw, canonical] of Object.entries(cases)) {
    assert.equal(canonicalQuery(parseQuery(raw)), canonical)
  }
})

test('header values are trimmed, folded and joined', () => {
  const headers = { a: ['  x   y \t z  '], b: ['1', ' 2 '], c: [''] }
  assert.equal(
    canonicalHeaders(headers, ['a', 'b', 'c', 'constructor']),
    'a:x y z\nb:1,2\nc:\nconstructor:\n',
  )
})

test('encoding and decoding are inverse over all bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = String.fromCharCode(...bytes)
      assert.equal(percentDecode(uriEncode(text)), text)
    }),
  )
})

test('texts become UTF-8 bytes, and back for people to read', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(readableText(utf8(text)), text.toWellFormed())
    }),
  )
  assert.equal(utf8('\ud800'), '\u00ef\u00bf\u00bd')
  assert.equal(readableText('\u00ff\u00fe 50%'), '\u00ff\u00fe 50%')
  assert.equal(hexDump('AWS\n\u00ff'), '41 57 53 0a ff')
})

test('constant-time comparison is equality', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(equalInConstantTime(a, b), a === b)
      assert.equal(equalInConstantTime(a, a), true)
    }),
  )
})

test('times of both forms', () => {
  const ms = Date.UTC(2013, 4, 24, 1, 2, 3)
  assert.equal(parseAmzDate('20130524T010203Z'), ms)
  assert.equal(parseHttpDate('Fri, 24 May 2013 01:02:03 GMT'), ms)
  assert.equal(formatAmzDate(ms), '20130524T010203Z')
  assert.equal(formatIsoSeconds(ms), '2013-05-24T01:02:03Z')
  for (const bad of [
    '',
    '20130524',
    '20130524T010203',
    '20130230T000000Z',
    '20131301T000000Z',
    '20130524T240000Z',
    '20130524T006000Z',
  ]) {
    assert.equal(parseAmzDate(bad), undefined, bad)
  }
  for (const bad of ['', 'Fri, 24 Foo 2013 01:02:03 GMT', 'Fri, 31 Apr 2013 01:02:03 GMT', '24 May 2013']) {
    assert.equal(parseHttpDate(bad), undefined, bad)
  }
})
