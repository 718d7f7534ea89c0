import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { isAddressableBucketName, isCreatableBucketName } from './bucket-name.ts'
import {
  bareEntityTag,
  evaluateReadConditions,
  isRangeStale,
  matchesEntityTag,
  requireCopyConditions,
  requireReadConditions,
} from './conditions.ts'
import { parseCopySource } from './copy-source.ts'
import { encodeListingName, listingEncoder } from './encoding-type.ts'
import { checkUserMetadata } from './metadata.ts'
import { formatContentRange, parseCopySourceRange, parseRange } from './range.ts'
import { responseOverrides } from './response-overrides.ts'

const fails = (code: string) => (error: unknown) => error instanceof S3Error && error.code === code

describe('bucket names', () => {
  it('that may be made', () => {
    for (const name of ['abc', 'a-b', 'a.b.c', '0ab', 'a'.repeat(63), 'my-bucket.2026', 'a--b', 'x.1-2']) {
      assert.equal(isCreatableBucketName(name), true, name)
    }
  })

  it('that may not be made', () => {
    const wrong = [
      '',
      'ab',
      'a'.repeat(64),
      'Abc',
      'a_b',
      '-ab',
      'ab-',
      '.ab',
      'ab.',
      'a..b',
      'a.-b',
      'a-.b',
      '192.168.5.4',
    ]
    const reserved = [
      'xn--a',
      'sthree-a',
      'amzn-s3-demo-a',
      'a-s3alias',
      'a--ol-s3',
      'a.mrap',
      'a--x-s3',
      'a--table-s3',
      'a-an',
    ]
    for (const name of [...wrong, ...reserved, 'a b', 'ä-ö', 'a/b', 'abc\n']) {
      assert.equal(isCreatableBucketName(name), false, name)
    }
  })

  it('that may be made may be addressed', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.-]{1,70}$/), (name) => {
        assert.ok(!isCreatableBucketName(name) || isAddressableBucketName(name))
      }),
    )
    assert.equal(isAddressableBucketName('Old_Bucket'), true)
    assert.equal(isAddressableBucketName('a/b'), false)
  })
})

describe('ranges', () => {
  const cases: readonly (readonly [
    header: string | undefined,
    size: number,
    expected: string | undefined,
  ])[] = [
    [undefined, 10, undefined],
    ['bytes=0-4', 10, '0-4'],
    ['bytes=5-', 10, '5-9'],
    ['bytes=-3', 10, '7-9'],
    ['bytes=-30', 10, '0-9'],
    ['bytes=3-100', 10, '3-9'],
    ['bytes=9-9', 10, '9-9'],
    ['Bytes=0-0', 10, '0-0'],
    ['bytes=4-3', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['items=0-1', 10, undefined],
    ['bytes=0-99999999999999999999', 10, '0-9'],
  ]
  for (const [header, size, expected] of cases) {
    it(`${header ?? 'no header'} of ${size}: ${expected ?? 'all'}`, () => {
      const range = parseRange(header, size)
      assert.equal(range && `${range.first}-${range.last}`, expected)
    })
  }

  it('that cannot be met are 416 with both sizes', () => {
    for (const [header, size] of [
      ['bytes=10-', 10],
      ['bytes=10-20', 10],
      ['bytes=-0', 10],
      ['bytes=0-', 0],
      ['bytes=-5', 0],
    ] as const) {
      assert.throws(
        () => parseRange(header, size),
        (error) =>
          error instanceof S3Error &&
          error.status === 416 &&
          error.fields['RangeRequested'] === header &&
          error.fields['ActualObjectSize'] === String(size),
      )
    }
  })

  it('lie inside the object, whatever the header', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.constantFrom('full', 'from', 'last'),
        (a, b, size, form) => {
          const header = form === 'full' ? `bytes=${a}-${b}` : form === 'from' ? `bytes=${a}-` : `bytes=-${b}`
          try {
            const range = parseRange(header, size)
            if (range) assert.ok(0 <= range.first && range.first <= range.last && range.last < size)
          } catch (error) {
            assert.ok(fails('InvalidRange')(error))
          }
        },
      ),
    )
  })

  it('of copies must be whole and inside', () => {
    assert.deepEqual(parseCopySourceRange('bytes=0-9', 10), { first: 0, last: 9 })
    for (const header of [
      'bytes=0-',
      'bytes=-5',
      'bytes=5-4',
      'bytes=0-10',
      'bytes=a-b',
      '0-5',
      'bytes=0-1,2-3',
    ]) {
      assert.throws(() => parseCopySourceRange(header, 10), fails('InvalidArgument'), header)
    }
  })

  it('are told in Content-Range', () => {
    assert.equal(formatContentRange({ first: 2, last: 4 }, 10), 'bytes 2-4/10')
  })
})

describe('conditions', () => {
  const now = Date.UTC(2026, 5, 1, 12, 0, 0, 500)
  const current = { etag: 'abc', lastModifiedMs: now }
  const nowMs = now + 120_000
  const earlier = new Date(now - 60_000)
  const later = new Date(now + 60_000)
  const future = new Date(nowMs + 1000)
  const sameSecond = new Date(Math.floor(now / 1000) * 1000)
  const outcome = (conditions: Parameters<typeof evaluateReadConditions>[0]) =>
    evaluateReadConditions(conditions, current, nowMs).kind

  it('each alone', () => {
    assert.equal(outcome({}), 'proceed')
    assert.equal(outcome({ IfMatch: '"abc"' }), 'proceed')
    assert.equal(outcome({ IfMatch: 'abc' }), 'proceed')
    assert.equal(outcome({ IfMatch: '"x", "abc"' }), 'proceed')
    assert.equal(outcome({ IfMatch: '*' }), 'proceed')
    assert.equal(outcome({ IfMatch: '"x"' }), 'failed')
    assert.equal(outcome({ IfNoneMatch: '"abc"' }), 'not-modified')
    assert.equal(outcome({ IfNoneMatch: '*' }), 'not-modified')
    assert.equal(outcome({ IfNoneMatch: '"x"' }), 'proceed')
    assert.equal(outcome({ IfModifiedSince: earlier }), 'proceed')
    assert.equal(outcome({ IfModifiedSince: later }), 'not-modified')
    assert.equal(outcome({ IfModifiedSince: sameSecond }), 'not-modified')
    assert.equal(outcome({ IfModifiedSince: new Date(nowMs) }), 'not-modified')
    assert.equal(outcome({ IfModifiedSince: future }), 'proceed')
    assert.equal(outcome({ IfUnmodifiedSince: earlier }), 'failed')
    assert.equal(outcome({ IfUnmodifiedSince: later }), 'proceed')
    assert.equal(outcome({ IfUnmodifiedSince: sameSecond }), 'proceed')
  })

  it('in the order of precedence that S3 documents', () => {
    assert.equal(outcome({ IfMatch: '"abc"', IfUnmodifiedSince: earlier }), 'proceed')
    assert.equal(outcome({ IfNoneMatch: '"abc"', IfModifiedSince: earlier }), 'not-modified')
    assert.equal(outcome({ IfNoneMatch: '"x"', IfModifiedSince: later }), 'proceed')
    assert.equal(outcome({ IfMatch: '"x"', IfNoneMatch: '"abc"' }), 'failed')
    assert.equal(outcome({ IfUnmodifiedSince: earlier, IfNoneMatch: '"abc"' }), 'failed')
  })

  it('become errors: 412 by name, 304 with the validators', () => {
    assert.throws(
      () => requireReadConditions({ IfMatch: '"x"' }, current, nowMs),
      (error) =>
        fails('PreconditionFailed')(error) &&
        error instanceof S3Error &&
        error.fields['Condition'] === 'If-Match',
    )
    assert.throws(
      () => requireReadConditions({ IfNoneMatch: '"abc"' }, current, nowMs),
      (error) => error instanceof S3Error && error.status === 304 && error.headers['etag'] === '"abc"',
    )
    requireReadConditions({ IfMatch: '"abc"' }, current, nowMs)
  })

  it('of copies are all 412', () => {
    assert.throws(
      () => requireCopyConditions({ CopySourceIfNoneMatch: '"abc"' }, current, nowMs),
      fails('PreconditionFailed'),
    )
    assert.throws(
      () => requireCopyConditions({ CopySourceIfModifiedSince: later }, current, nowMs),
      fails('PreconditionFailed'),
    )
    requireCopyConditions({ CopySourceIfMatch: 'abc', CopySourceIfUnmodifiedSince: earlier }, current, nowMs)
  })

  it('entity tags lose quotes and weakness', () => {
    assert.equal(bareEntityTag(' W/"a-1" '), 'a-1')
    assert.equal(matchesEntityTag('W/"abc"', 'abc'), true)
  })
})

describe('copy sources', () => {
  it('as clients write them', () => {
    const expected = { bucket: 'bucket', key: 'a/b c+d', versionId: undefined }
    for (const header of [
      'bucket/a/b%20c%2Bd',
      '/bucket/a/b%20c%2bd',
      'bucket%2Fa%2Fb%20c%2Bd',
      '/bucket/a/b c%2Bd',
      'bucket/a/b+c%2Bd',
      'http://localhost:9000/bucket/a/b+c%2Bd',
      'https://s3.amazonaws.com/bucket/a/b%20c%2Bd',
    ]) {
      assert.deepEqual(parseCopySource(header), expected, header)
    }
    assert.deepEqual(parseCopySource('bucket/k?versionId=3/L4'), {
      bucket: 'bucket',
      key: 'k',
      versionId: '3/L4',
    })
    assert.equal(parseCopySource('bucket/%3FversionId=1').key, '?versionId=1')
    assert.equal(parseCopySource('bucket/%E2%82%AC').key, '€')
    assert.equal(parseCopySource('bucket/€').key, '€')
  })

  it('that name nothing', () => {
    for (const header of [
      '',
      '/',
      'bucket',
      'bucket/',
      '/bucket/',
      'b/key',
      'bucket/%ff',
      'bucket/k?versionId=',
      'arn:aws:s3:::b/k',
    ]) {
      assert.throws(() => parseCopySource(header), fails('InvalidArgument'), header)
    }
  })

  it('any key survives its encoding', () => {
    const key = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(key, (text) => {
        const encoded = text.split('/').map(encodeURIComponent).join('/')
        assert.equal(parseCopySource(`bucket/${encoded}`).key, text)
      }),
    )
  })
})

describe('user metadata', () => {
  it('may have 2 KiB of names and values', () => {
    checkUserMetadata(undefined)
    checkUserMetadata({ name: 'v'.repeat(2044) })
    assert.throws(() => checkUserMetadata({ name: 'v'.repeat(2045) }), fails('MetadataTooLarge'))
    assert.throws(() => checkUserMetadata({ a: 'ä'.repeat(1024) }), fails('MetadataTooLarge'))
  })
})

describe('response overrides', () => {
  it('replace members of the output', () => {
    assert.deepEqual(
      responseOverrides({ ResponseContentType: 'text/x', ResponseExpires: new Date(0) }, false),
      { ContentType: 'text/x', ExpiresString: 'Thu, 01 Jan 1970 00:00:00 GMT' },
    )
    assert.deepEqual(responseOverrides({}, true), {})
  })

  it('are refused to anonymous callers and when no header can carry them', () => {
    assert.throws(() => responseOverrides({ ResponseContentType: 'a' }, true), fails('InvalidRequest'))
    assert.throws(
      () => responseOverrides({ ResponseCacheControl: 'a\r\nx: y' }, false),
      fails('InvalidArgument'),
    )
  })
})

describe('encoding-type=url', () => {
  it("is Java's URLEncoder with the slash kept", () => {
    assert.equal(encodeListingName('a/b c+d~e*f-g_h.i'), 'a/b+c%2Bd%7Ee*f-g_h.i')
    assert.equal(encodeListingName("ä!'()\u0001"), '%C3%A4%21%27%28%29%01')
  })

  it('is undone by decoding plus and percent', () => {
    const name = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(name, (text) => {
        assert.equal(decodeURIComponent(encodeListingName(text).replaceAll('+', ' ')), text)
      }),
    )
  })

  it('applies only when asked for', () => {
    assert.equal(listingEncoder(undefined)('a b'), 'a b')
    assert.equal(listingEncoder('url')('a b'), 'a+b')
  })
})

describe('If-Range', () => {
  const current = { etag: 'tag', lastModifiedMs: Date.UTC(2030, 0, 2, 3, 4, 5, 678) }

  it('holds for the strong tag, and for the second of the last change', () => {
    for (const text of [undefined, '"tag"', ' "tag" ', 'Wed, 02 Jan 2030 03:04:05 GMT']) {
      assert.equal(isRangeStale(text, current), false, text)
    }
  })

  it('does not hold for anything else', () => {
    for (const text of ['W/"tag"', 'tag', '"other"', '', 'Wed, 02 Jan 2030 03:04:06 GMT', '"tag", "other"']) {
      assert.equal(isRangeStale(text, current), true, text)
    }
  })
})
