import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { enumerationOf, xmlEnumerationPlaces } from './enumerations.ts'
import { decodeHeader, decodeMetadata, encodeHeader, encodeMetadata, splitHeaderList } from './header-text.ts'
import type { Shape } from './model.ts'
import { s3Operations } from './operations.ts'
import { formatTimestamp, parseBoolean, parseHttpDate, parseInteger, parseTimestamp } from './values.ts'

const formats = ['date-time', 'http-date', 'epoch-seconds'] as const

describe('timestamps', () => {
  it('in each format read back as written', () => {
    const seconds = fc.integer({ min: -30_000_000_000, max: 200_000_000_000 })
    fc.assert(
      fc.property(fc.constantFrom(...formats), seconds, (format, value) => {
        const date = new Date(value * 1000)
        assert.deepEqual(parseTimestamp(formatTimestamp(date, format), format), date)
      }),
    )
  })

  it('http-dates are padded and cut to seconds', () => {
    assert.equal(
      formatTimestamp(new Date('0999-02-03T04:05:06.789Z'), 'http-date'),
      'Sun, 03 Feb 0999 04:05:06 GMT',
    )
  })

  it('the three forms of an http-date', () => {
    const expected = new Date('1994-11-06T08:49:37Z')
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      assert.deepEqual(parseHttpDate(text), expected)
    }
  })

  it('date-times with offsets, fractions and dates alone', () => {
    const read = (text: string) => parseTimestamp(text, 'date-time')?.toISOString()
    assert.equal(read('2009-10-12T17:50:30.000Z'), '2009-10-12T17:50:30.000Z')
    assert.equal(read('2009-10-12T17:50:30.57Z'), '2009-10-12T17:50:30.570Z')
    assert.equal(read('2009-10-12T17:50:30.123456789Z'), '2009-10-12T17:50:30.123Z')
    assert.equal(read('2009-10-12T17:50:30+02:00'), '2009-10-12T15:50:30.000Z')
    assert.equal(read('2009-10-12'), '2009-10-12T00:00:00.000Z')
  })

  it('that do not exist are refused', () => {
    for (const text of [
      '2026-02-30T00:00:00Z',
      '2026-13-01',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
      'now',
      '',
    ]) {
      assert.equal(parseTimestamp(text, 'date-time'), undefined, text)
    }
    for (const text of ['Sun, 31 Feb 2026 00:00:00 GMT', 'Sun, 06 Nov 1994 08:49:37 PST', '0']) {
      assert.equal(parseTimestamp(text, 'http-date'), undefined, text)
    }
    assert.equal(parseTimestamp('1e9', 'epoch-seconds'), undefined)
  })
})

describe('integers and booleans', () => {
  it('are strict', () => {
    assert.equal(parseInteger('12'), 12)
    assert.equal(parseInteger('-1'), -1)
    for (const text of ['', ' 1', '1.0', '1e3', '0x1', 'NaN', '99999999999999999999', '9007199254740993']) {
      assert.equal(parseInteger(text), undefined, text)
    }
    assert.equal(parseBoolean('True'), true)
    assert.equal(parseBoolean('false'), false)
    assert.equal(parseBoolean('1'), undefined)
  })
})

describe('header text', () => {
  it('metadata survives the trip as RFC 2047 or as itself', () => {
    const text = fc
      .string({ unit: 'grapheme' })
      .filter((value) => !value.includes('=?') && !/[\u0000-\u001f\u007f]/.test(value))
    fc.assert(fc.property(text, (value) => assert.equal(decodeMetadata(encodeMetadata(value)), value)))
  })

  it('encoded words of both kinds, adjacent ones joined', () => {
    assert.equal(decodeMetadata('=?UTF-8?Q?f=C3=BCr_alle?='), 'für alle')
    assert.equal(decodeMetadata('=?utf-8?B?w7w=?= =?utf-8?B?w7w=?='), 'üü')
    assert.equal(decodeMetadata('=?iso-8859-1?Q?=FC?='), 'ü')
    assert.equal(decodeMetadata('=?UTF-8?Q?=FF?='), '=?UTF-8?Q?=FF?=')
  })

  it('raw UTF-8 is read as such, other bytes as Latin-1', () => {
    assert.equal(decodeHeader(Buffer.from('ü').toString('latin1')), 'ü')
    assert.equal(decodeHeader('\u00fc'), 'ü')
  })

  it('control characters never reach the wire', () => {
    assert.throws(() => encodeHeader('a\r\nb'), TypeError)
    assert.throws(() => encodeHeader('ä\u0000'), TypeError)
    assert.equal(Buffer.from(encodeHeader('ü'), 'latin1').toString('utf8'), 'ü')
  })

  it('lists', () => {
    assert.deepEqual(splitHeaderList('ETag, Checksum,ObjectSize'), ['ETag', 'Checksum', 'ObjectSize'])
    assert.deepEqual(splitHeaderList('"a,b", c , "d\\"e"'), ['a,b', 'c', 'd"e'])
    assert.deepEqual(splitHeaderList(''), [])
    assert.deepEqual(splitHeaderList(' , a ,, "" ,"b'), ['a', '"b'])
    assert.deepEqual(splitHeaderList('"a\\'), ['"a\\'])
    // Hours, where each blank is a place to begin again from.
    assert.equal(splitHeaderList(`a${' '.repeat(1_000_000)}b`).length, 1)
    assert.equal(splitHeaderList('"\\"'.repeat(300_000)).length, 1)
  })
})

describe('enumerations', () => {
  it('stand at members that exist and are strings', () => {
    const places = new Map<string, Shape['kind']>()
    const walk = (shape: Shape): void => {
      if (shape.kind === 'list') return walk(shape.item.shape)
      if (shape.kind !== 'structure' && shape.kind !== 'union') return
      for (const member of shape.members) {
        const place = `${shape.name}.${member.name}`
        if (places.has(place)) continue
        places.set(place, member.shape.kind)
        walk(member.shape)
      }
    }
    for (const operation of s3Operations.values()) walk(operation.input)
    for (const place of xmlEnumerationPlaces) assert.equal(places.get(place), 'string', place)
    assert.ok(enumerationOf('VersioningConfiguration.Status')?.has('Enabled'))
  })
})
