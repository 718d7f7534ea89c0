import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { formKey, putHeaders, textFields } from './put-head.ts'

const bytes = (text: string): string => Buffer.from(text).toString('latin1')

describe('the fields of a form', () => {
  it('become the headers of a PutObject, and nothing else does', () => {
    const fields = {
      key: 'k',
      acl: 'private',
      'content-type': 'image/png',
      'x-amz-meta-a': 'b',
      'x-amz-storage-class': 'STANDARD',
      tagging: '<Tagging><TagSet><Tag><Key>a b</Key><Value>=</Value></Tag></TagSet></Tagging>',
      policy: 'p',
      file: 'f',
      submit: 's',
      success_action_status: '201',
      'x-ignore-me': 'i',
      'x-amz-signature': 's',
      'x-amz-credential': 'c',
      'x-amz-date': 'd',
      'x-amz-algorithm': 'a',
      'x-amz-security-token': 't',
      'content-length': '1',
      'transfer-encoding': 'chunked',
      host: 'h',
      authorization: 'a',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': '1',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    }
    assert.deepEqual(putHeaders(new Map(Object.entries(fields))), {
      'x-amz-acl': ['private'],
      'content-type': ['image/png'],
      'x-amz-meta-a': ['b'],
      'x-amz-storage-class': ['STANDARD'],
      'x-amz-tagging': ['a%20b=%3D'],
    })
  })

  it('are refused where no header could carry them back, but metadata, which is encoded', () => {
    const refused: readonly (readonly [name: string, value: string])[] = [
      ['content-disposition', 'a\r\nset-cookie: b'],
      ['content-type', 'a\u0000'],
      ['expires', '\u007f'],
      ['x-amz-website-redirect-location', '/\n'],
      ['x-amz-meta-a b', 'v'],
      ['x-amz-meta-a:', 'v'],
      ['x-amz-meta-a\r', 'v'],
      [bytes('x-amz-meta-é'), 'v'],
    ]
    for (const field of refused) {
      assert.throws(
        () => putHeaders(new Map([field])),
        (error) => error instanceof S3Error && error.code === 'InvalidArgument',
        JSON.stringify(field),
      )
    }
    const taken = [
      ['content-disposition', `inline; filename="${bytes('č')}"`],
      ['x-amz-meta-a', 'two\r\nlines'],
      ['a b', 'of no meaning\n'],
    ] as const
    assert.equal(Object.keys(putHeaders(new Map(taken))).length, 2)
  })

  it('are text in UTF-8, and what looks like an encoded word is none', () => {
    const fields = new Map([
      ['cache-control', bytes('é—')],
      ['x-amz-website-redirect-location', bytes('/é')],
      ['x-amz-meta-a', bytes('ä')],
      ['x-amz-meta-b', '=?UTF-8?Q?ascii?='],
      ['x-amz-meta-c', ' blanks '],
      ['x-amz-meta-d', ''],
      ['x-amz-meta-e', 'a b'],
    ])
    assert.deepEqual(putHeaders(fields), {
      'cache-control': ['é—'],
      'x-amz-website-redirect-location': ['/é'],
      'x-amz-meta-a': ['=?UTF-8?B?w6Q=?='],
      'x-amz-meta-b': [`=?UTF-8?B?${btoa('=?UTF-8?Q?ascii?=')}?=`],
      'x-amz-meta-c': [`=?UTF-8?B?${btoa(' blanks ')}?=`],
      'x-amz-meta-d': [''],
      'x-amz-meta-e': ['a b'],
    })
  })

  it('name a key in UTF-8 of up to 1,024 bytes', () => {
    assert.equal(formKey(new Map([['key', bytes('ключ')]])), 'ключ')
    assert.equal(formKey(new Map([['key', 'k'.repeat(1024)]])).length, 1024)
    for (const [key, code] of [
      ['', 'InvalidArgument'],
      ['\xff', 'InvalidURI'],
      ['k'.repeat(1025), 'KeyTooLongError'],
    ] as const) {
      assert.throws(
        () => formKey(new Map([['key', key]])),
        (error) => error instanceof S3Error && error.code === code,
      )
    }
  })

  it('are compared as text, and as bytes where they are none', () => {
    const text = textFields(
      new Map([
        ['a', bytes('é')],
        ['b', '\xff'],
      ]),
    )
    assert.deepEqual([text.get('a'), text.get('b')], ['é', '\xff'])
  })

  it('are taken, or refused by S3 errors, whatever they say', () => {
    const document = fc
      .array(
        fc.constantFrom(
          '<Tagging>',
          '<TagSet>',
          '<Tag>',
          '<Key>',
          'a',
          '</Key>',
          '<Value>',
          '</Value>',
          '</Tag>',
          '</TagSet>',
          '</Tagging>',
          '&',
        ),
      )
      .map((words) => words.join(''))
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), document, (key, tagging) => {
        const fields = new Map([
          ['key', bytes(key)],
          ['tagging', tagging],
        ])
        for (const read of [formKey, putHeaders]) {
          try {
            read(fields)
          } catch (error) {
            assert.ok(error instanceof S3Error, String(error))
          }
        }
      }),
      { numRuns: 3000 },
    )
  })
})
