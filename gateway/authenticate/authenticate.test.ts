import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SIGNING_KEYS_MAX } from '../../core/limits.ts'
import type { SignableRequest } from '../../core/signing/request.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { SigningKeys } from './signing-keys.ts'
import {
  authenticateAt,
  fields,
  inAuthorization,
  key,
  plainHeaders,
  presigned,
  refusal,
  scope,
  secret,
  setHeader,
  signed,
  stamp,
  start,
} from './test-support.ts'

test('a genuine request is accepted, also with the Date header and with an upper-case signature', async () => {
  const sender = await authenticateAt(start, signed())
  assert.ok(sender.kind === 'signed')
  assert.deepEqual([sender.principal, sender.accessKey, sender.presigned], ['root', key, false])
  assert.ok(!JSON.stringify(sender).includes(secret))

  await authenticateAt(
    start,
    inAuthorization(
      /\w+$/,
      (/\w+$/.exec(signed().headers['authorization']?.[0] ?? '')?.[0] ?? '').toUpperCase(),
    )(signed()),
  )
  assert.equal((await authenticateAt(start, presigned('60'))).kind, 'signed')
  const dated = signed({ 'x-amz-date': undefined, date: 'Fri, 02 Jan 2026 03:04:05 GMT' })
  assert.equal((await authenticateAt(start, dated)).kind, 'signed')
})

test('times are judged to the millisecond, after the signature', async () => {
  const skew = 900_000
  for (const offset of [-skew, skew]) await authenticateAt(start + offset, signed())
  for (const offset of [-skew - 1, skew + 1]) {
    const error = await refusal(start + offset, signed())
    assert.equal(error.code, 'RequestTimeTooSkewed')
    assert.equal(error.fields['RequestTime'], stamp)
    assert.equal(error.fields['MaxAllowedSkewMilliseconds'], '900000')
    assert.match(error.fields['ServerTime'] ?? '', /^2026-01-02T0[23]:\d\d:\d\dZ$/)
    assert.equal(
      (await refusal(start + offset, inAuthorization(/\w+$/, '00')(signed()))).code,
      'SignatureDoesNotMatch',
    )
  }
})

test('presigned URLs live from fifteen minutes before their time to the end of their last second', async () => {
  await authenticateAt(start - 900_000, presigned('60'))
  await authenticateAt(start + 60_000, presigned('60'))
  await authenticateAt(start + 604_800_000, presigned('604800'))
  const late = await refusal(start + 60_001, presigned('60'))
  assert.equal(late.message, 'Request has expired')
  assert.deepEqual(late.fields, {
    'X-Amz-Expires': '60',
    Expires: '2026-01-02T03:05:05Z',
    ServerTime: '2026-01-02T03:05:05Z',
  })
  const early = await refusal(start - 900_001, presigned('60'))
  assert.deepEqual([early.code, early.message], ['AccessDenied', 'Request is not yet valid'])
  assert.equal((await refusal(start, presigned('0'))).message, 'Request has expired')
})

test('a mismatch shows the client what was signed here', async () => {
  const error = await refusal(
    start,
    inAuthorization(/\w+$/, 'beef')(signed({ 'x-amz-meta-name': 'Zo\u00c3\u00ab  x ' })),
  )
  assert.equal(error.fields['SignatureProvided'], 'beef')
  assert.equal(error.fields['AWSAccessKeyId'], key)
  assert.match(
    error.fields['CanonicalRequest'] ?? '',
    /^GET\n\/b\/k\na=1\nhost:localhost:9000\n.*\nx-amz-meta-name:Zoë x\n/s,
  )
  assert.match(
    error.fields['StringToSign'] ?? '',
    /^AWS4-HMAC-SHA256\n20260102T030405Z\n20260102\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
  )
  assert.match(error.fields['StringToSignBytes'] ?? '', /^41 57 53 34 /)
  assert.match(error.fields['CanonicalRequestBytes'] ?? '', /^47 45 54 0a /)
})

test('session tokens belong to temporary keys, and only the right one', async () => {
  const temporary = 'ASIATEMPORARY'
  const token = 'the/token+of=the&key'
  const sender = await authenticateAt(start, signed({ 'x-amz-security-token': token }, temporary))
  assert.equal(sender.kind === 'signed' && sender.principal, 'guest')
  await authenticateAt(start, presigned('60', {}, token, temporary))
  assert.equal((await refusal(start, signed({}, temporary))).code, 'InvalidAccessKeyId')
  for (const request of [
    signed({ 'x-amz-security-token': 'x' }, temporary),
    signed({ 'x-amz-security-token': 'x' }),
    presigned('60', {}, 'x', temporary),
  ]) {
    const error = await refusal(start, request)
    assert.deepEqual([error.code, error.fields], ['InvalidToken', { 'Token-0': 'x' }])
  }
})

test('anonymous requests are told apart, with what guards their body', async () => {
  const bare: SignableRequest = { method: 'GET', rawPath: '/', rawQuery: '', headers: fields({ host: 'h' }) }
  assert.deepEqual(await authenticateAt(start, bare), { kind: 'anonymous', payload: { kind: 'unsigned' } })
  assert.equal((await authenticateAt(start, setHeader('authorization', '')(bare))).kind, 'anonymous')
  const unsigned = setHeader('x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')(bare)
  assert.deepEqual((await authenticateAt(start, unsigned)).payload, { kind: 'unsigned-chunks' })
  const chunks = setHeader('x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD')(bare)
  assert.match((await refusal(start, chunks)).message, /^Anonymous requests don't support/)
})

test('signing keys are kept within their bound, and follow a rotated secret', () => {
  const keys = new SigningKeys(nodeDigests)
  const credential = { accessKey: key, scope }
  assert.equal(keys.get(credential, 'one'), keys.get(credential, 'one'))
  assert.notDeepEqual(keys.get(credential, 'two'), keys.get(credential, 'one'))
  for (let i = 0; i < SIGNING_KEYS_MAX + 10; i++) keys.get({ accessKey: `key-${i}`, scope }, 's')
  assert.equal(keys.size, SIGNING_KEYS_MAX)
})

test('no header or query, however odd, ends in anything but an answer of S3', async () => {
  const word = fc.constantFrom(
    'AWS4-HMAC-SHA256 ',
    'Credential=',
    'SignedHeaders=',
    'Signature=',
    ',',
    ';',
    '/',
    '=',
    key,
    stamp,
    '20260102',
    'us-east-1',
    's3',
    'aws4_request',
    'host',
    '%',
    '%zz',
    '\u00ff',
    'X-Amz-Expires=',
    'X-Amz-Date=',
    'X-Amz-Algorithm=',
    '&',
    '+',
  )
  const text = fc.array(word, { maxLength: 20 }).map((words) => words.join(''))
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      fc.option(text),
      fc.option(text),
      async (path, query, authorization, sha256) => {
        const headers = {
          ...plainHeaders,
          ...(authorization === null ? {} : { authorization }),
          ...(sha256 === null ? {} : { 'x-amz-content-sha256': sha256 }),
        }
        const request = { method: 'GET', rawPath: `/${path}`, rawQuery: query, headers: fields(headers) }
        try {
          assert.equal((await authenticateAt(start, request)).kind, 'anonymous')
        } catch (error) {
          assert.ok(error instanceof S3Error, String(error))
        }
      },
    ),
    { numRuns: 3000 },
  )
})
