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
  it('metadata survives the trip, as itself or in words of at most 75 bytes', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 300 })
      .filter((value) => value === '' || /[^\t\x20-\x7e]/.test(value) || !value.includes('=?'))
    fc.assert(
      fc.property(text, (value) => {
        const sent = encodeMetadata(value)
        assert.equal(decodeMetadata(sent), value)
        if (sent === value) return
        assert.match(sent, /^[\x20-\x7e]*$/)
        for (const word of sent.split(' ')) assert.ok(word.length <= 75, word)
      }),
    )
  })

  // As S3 answers: the User Guide's example, minio/minio pull request 21282, and localstack's snapshots.
  it('metadata is encoded as S3 encodes it', () => {
    const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
    for (const [value, encoded] of [
      ['AMAZONS3', 'AMAZONS3'],
      [latin1('ÄMÄZÕÑ S3'), '=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?='],
      [latin1('Miniö'), '=?UTF-8?Q?Mini=C3=83=C2=B6?='],
      [latin1('ö'), '=?UTF-8?B?w4PCtg==?='],
      ['ÄMÄZÕÑ S3', '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?='],
      ['test_—_file%E2%80%94_é_2?.pdf', '=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?='],
      ['\0\x01\x02\x03\x04', '=?UTF-8?B?AAECAwQ=?='],
      ['\ufffd'.repeat(7), '=?UTF-8?B?77+977+977+977+977+977+977+9?='],
      ['=?UTF-8?Q?actually-ascii?=', '=?UTF-8?Q?actually-ascii?='],
    ] as const) {
      assert.equal(encodeMetadata(value), encoded)
    }
    const long = `${'x'.repeat(50)}é${'y'.repeat(50)}`
    assert.equal(encodeMetadata(long), `=?UTF-8?Q?${'x'.repeat(50)}?= =?UTF-8?Q?=C3=A9${'y'.repeat(50)}?=`)
  })

  it('encoded words of both kinds, adjacent ones joined', () => {
    for (const [value, text] of [
      ['=?UTF-8?Q?f=C3=BCr_alle?=', 'für alle'],
      ['=?utf-8?B?w7w=?= =?utf-8?B?w7w=?=', 'üü'],
      ['a =?utf-8?B?w7w=?=  b =?utf-8?B?w7w=?= \t =?utf-8?q?c?=', 'a ü  b üc'],
      ['=?iso-8859-1?Q?=FC?=', 'ü'],
      ['=?UTF-8?Q?=FF?=', '\ufffd'],
      ['a=?UTF-8?Q?b?=', 'a=?UTF-8?Q?b?='],
      ['=?UTF-8?Q?a?==?UTF-8?Q?b?=', '=?UTF-8?Q?a?==?UTF-8?Q?b?='],
      ['=?', '=?'],
    ] as const) {
      assert.equal(decodeMetadata(value), text)
    }
    // No time to speak of, however many words there are that are none.
    assert.equal(decodeMetadata('=?utf-8?q?'.repeat(100_000)).length, 1_000_000)
  })

  it('names in raw UTF-8 are read as such, other bytes as Latin-1', () => {
    assert.equal(decodeHeader(Buffer.from('ü').toString('latin1')), 'ü')
    assert.equal(decodeHeader('\u00fc'), 'ü')
  })

  it('what is kept is sent as Latin-1, without control characters', () => {
    assert.throws(() => encodeHeader('a\r\nb'), TypeError)
    assert.throws(() => encodeHeader('ä\u0000'), TypeError)
    assert.equal(encodeHeader('ü — 😀.'), 'ü    .')
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
