/** Requests of all bad sorts: S3's own error, never a 500, never a crash. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readResponse, requestText, startToyGateway } from './testing.ts'

const document = (body: string): string => requestText('POST', '/bucket?delete', {}, body)
const objects = (inner: string): string => document(`<Delete>${inner}</Delete>`)

/** Name → request text, status, code. */
const cases: Readonly<Record<string, readonly [request: string, status: number, code: string]>> = {
  'anonymous caller': [requestText('GET', '/bucket/hello', { Authorization: '' }), 403, 'AccessDenied'],
  'bad percent-encoding': [requestText('GET', '/bucket/a%zz'), 400, 'InvalidURI'],
  'percent at the end': [requestText('GET', '/bucket/a%'), 400, 'InvalidURI'],
  'invalid UTF-8': [requestText('GET', '/bucket/a%ff'), 400, 'InvalidURI'],
  'surrogate in UTF-8': [requestText('GET', '/bucket/%ed%a0%80'), 400, 'InvalidURI'],
  'bad percent-encoding in the query': [
    requestText('GET', '/bucket?list-type=2&prefix=%g'),
    400,
    'InvalidURI',
  ],
  'key of 1,025 bytes': [requestText('GET', `/bucket/${'k'.repeat(1025)}`), 400, 'KeyTooLongError'],
  'key of 1,026 bytes in 342 characters': [
    requestText('GET', `/bucket/${'%e2%82%ac'.repeat(342)}`),
    400,
    'KeyTooLongError',
  ],
  'illegal bucket name': [requestText('GET', '/a%2Fb/key'), 400, 'InvalidBucketName'],
  'bucket of two letters': [requestText('GET', '/ab/key'), 400, 'InvalidBucketName'],
  'empty bucket name': [requestText('GET', '//key'), 400, 'InvalidBucketName'],
  'asterisk target': [requestText('OPTIONS', '*'), 400, 'InvalidURI'],
  'no host': ['GET /bucket/hello HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'InvalidRequest'],
  'two hosts': ['GET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n', 400, 'InvalidRequest'],
  'host with a path': [requestText('GET', '/', { Host: 'a/b' }), 400, 'InvalidRequest'],
  'not HTTP': ['HELLO\r\n\r\n', 400, 'BadRequest'],
  'unknown method': [requestText('FROBNICATE', '/bucket'), 400, 'BadRequest'],
  'method without meaning': [requestText('PATCH', '/bucket/key'), 405, 'MethodNotAllowed'],
  'post to an object': [requestText('POST', '/bucket/key'), 405, 'MethodNotAllowed'],
  'delete of a listing': [requestText('DELETE', '/bucket?versions'), 405, 'MethodNotAllowed'],
  'form with a signed head': [requestText('POST', '/bucket', {}, 'x'), 400, 'CredentialsNotSupported'],
  'form without a length': [
    requestText('POST', '/bucket', {
      Authorization: '',
      'Content-Type': 'multipart/form-data; boundary=b',
      'Transfer-Encoding': 'chunked',
    }),
    501,
    'NotImplemented',
  ],
  'form that is none': [
    requestText('POST', '/bucket', { Authorization: '' }, 'x'),
    412,
    'PreconditionFailed',
  ],
  preflight: [requestText('OPTIONS', '/bucket/key'), 400, 'BadRequest'],
  'two sub-resources': [requestText('GET', '/bucket?acl&policy'), 400, 'InvalidArgument'],
  'max-keys that is no number': [
    requestText('GET', '/bucket?list-type=2&max-keys=many'),
    400,
    'InvalidArgument',
  ],
  'max-keys of 33 bits': [
    requestText('GET', '/bucket?list-type=2&max-keys=2147483648'),
    400,
    'InvalidArgument',
  ],
  'bad encoding-type': [requestText('GET', '/bucket?list-type=2&encoding-type=x'), 400, 'InvalidArgument'],
  'bad storage class': [
    requestText('PUT', '/bucket/key', { 'x-amz-storage-class': 'GOLD' }),
    400,
    'InvalidStorageClass',
  ],
  'bad retention date': [
    requestText('PUT', '/bucket/key', { 'x-amz-object-lock-retain-until-date': 'soon' }),
    400,
    'InvalidArgument',
  ],
  'part without a number': [requestText('PUT', '/bucket/key?uploadId=u', {}, 'x'), 501, 'NotImplemented'],
  'put without a length': [requestText('PUT', '/bucket/key'), 411, 'MissingContentLength'],
  'chunked without a length': [
    requestText('PUT', '/bucket/key', { 'Transfer-Encoding': 'chunked' }) + '1\r\nx\r\n0\r\n\r\n',
    501,
    'NotImplemented',
  ],
  'more than 5 GiB at once': [
    requestText('PUT', '/bucket/key', { 'Content-Length': String(5 * 1024 ** 3 + 1) }),
    400,
    'EntityTooLarge',
  ],
  'wrong Content-MD5': [
    requestText('PUT', '/bucket/key', { 'Content-MD5': 'XUFAKrxLKna5cZ2REBfFkg==' }, 'hellO'),
    400,
    'BadDigest',
  ],
  'wrong checksum': [
    requestText('PUT', '/bucket/key', { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'hello'),
    400,
    'BadDigest',
  ],
  'lengths that disagree': [
    requestText('PUT', '/bucket/key', { 'Content-Length': '5', 'content-length': '6' }) + 'hello',
    400,
    'BadRequest',
  ],
  'document missing': [requestText('POST', '/bucket?delete'), 400, 'MissingRequestBodyError'],
  'document not XML': [document('{"Delete":1}'), 400, 'MalformedXML'],
  'document cut off': [document('<Delete><Object>'), 400, 'MalformedXML'],
  'document with another root': [document('<Remove/>'), 400, 'MalformedXML'],
  'document with two roots': [document('<Delete/><Delete/>'), 400, 'MalformedXML'],
  'document with an unknown element': [objects('<Thing/>'), 400, 'MalformedXML'],
  'document without a required element': [
    objects('<Object><VersionId>1</VersionId></Object>'),
    400,
    'MalformedXML',
  ],
  'document with a repeated element': [
    objects('<Object><Key>a</Key><Key>b</Key></Object>'),
    400,
    'MalformedXML',
  ],
  'document with stray text': [objects('stray<Object><Key>a</Key></Object>'), 400, 'MalformedXML'],
  'document with a bad boolean': [
    objects('<Object><Key>a</Key></Object><Quiet>perhaps</Quiet>'),
    400,
    'MalformedXML',
  ],
  'document with a doctype': [
    document('<!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>'),
    400,
    'MalformedXML',
  ],
  'document with an unknown entity': [objects('<Object><Key>&nope;</Key></Object>'), 400, 'MalformedXML'],
  'document nested too deep': [objects('<Object>'.repeat(100)), 400, 'MalformedXML'],
  'document with too many nodes': [objects('<Quiet/>'.repeat(200_000)), 400, 'MalformedXML'],
  'document in invalid UTF-8': [objects('<Object><Key>\xff</Key></Object>'), 400, 'MalformedXML'],
  'document in another encoding': [
    document('<?xml version="1.0" encoding="latin1"?><Delete><Object><Key>a</Key></Object></Delete>'),
    400,
    'MalformedXML',
  ],
  'document too large': [
    requestText('POST', '/bucket?delete', { 'Content-Length': '10000000' }),
    400,
    'MaxMessageLengthExceeded',
  ],
}

describe('bad requests', () => {
  for (const [name, [request, status, code]] of Object.entries(cases)) {
    it(name, async () => {
      await using toy = await startToyGateway()
      const client = await toy.open()
      client.write(request)
      // Some of these announce a body that never comes, so the connection stays open after the answer.
      const response = readResponse(await client.until((received) => received.includes('</Error>')))
      assert.equal(response.status, status)
      assert.match(response.body, new RegExp(`<Error><Code>${code}</Code>`))
      assert.match(response.body, /<RequestId>[0-9A-F]{16}<\/RequestId>/)
      assert.equal(toy.logged.length, 0)
    })
  }

  it('no line of rubbish gives a 500 or kills the gateway', async () => {
    await using toy = await startToyGateway()
    const word = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 30 }),
      fc.constantFrom(
        '/',
        '%',
        '%2F',
        '..',
        '?',
        '&',
        '=',
        'uploadId',
        'acl',
        'delete',
        'list-type=2',
        'bucket',
        '\xff',
      ),
    )
    const target = fc.array(word, { maxLength: 8 }).map((words) => `/${words.join('')}`)
    const header = fc.tuple(
      fc.constantFrom(
        'x-amz-copy-source',
        'Range',
        'Expect',
        'x-amz-meta-a',
        'If-Match',
        'Expires',
        'Date',
        'x-amz-acl',
      ),
      fc.string({ maxLength: 20 }),
    )
    const request = fc.record({
      method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS'),
      target,
      headers: fc.array(header, { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
      body: fc.string({ maxLength: 50 }),
    })
    await fc.assert(
      fc.asyncProperty(request, async ({ method, target: path, headers, body }) => {
        const bytes = Buffer.from(body).toString('latin1')
        const received = await toy.exchange(requestText(method, path, headers, bytes))
        const { status } = readResponse(received)
        assert.ok(received === '' || (status >= 100 && status < 500) || status === 501, received)
      }),
      { numRuns: 300 },
    )
    assert.equal(readResponse(await toy.exchange(requestText('GET', '/bucket/hello'))).body, 'hello')
    assert.deepEqual(toy.logged, [])
  })
})
