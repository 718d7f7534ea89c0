import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { SIGNING_KEYS_MAX } from '../../core/limits.ts'
import { canonicalRequest, parseQuery } from '../../core/signing/canonical.ts'
import { stringToSign } from '../../core/signing/verify.ts'
import type { SignableRequest } from '../../core/signing/request.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { createAuthenticator, type Authentication } from './authenticate.ts'
import { SigningKeys } from './signing-keys.ts'

const start = Date.UTC(2026, 0, 2, 3, 4, 5)
const stamp = '20260102T030405Z'
const key = 'AKIDEXAMPLE'
const secret = 'sëcret'
const scope = { date: '20260102', region: 'us-east-1', service: 's3' }
const known = new Map([
  [key, { secret, principal: 'root' }],
  ['ASIATEMPORARY', { secret, principal: 'guest', sessionToken: 'the/token+of=the&key' }],
])

function authenticateAt(nowMs: number, request: SignableRequest): Promise<Authentication<string>> {
  return createAuthenticator({
    credentials: { find: (accessKey) => Promise.resolve(known.get(accessKey)) },
    endpoint: { region: 'us-east-1', services: ['s3'] },
    digests: nodeDigests,
    nowMs: () => nowMs,
  })(request)
}

/** HMAC by HMAC, as the documentation spells it out. */
function sign(toSign: string): string {
  const step = (k: string | Buffer, data: string): Buffer => createHmac('sha256', k).update(data).digest()
  const signingKey = step(step(step(step(`AWS4${secret}`, '20260102'), 'us-east-1'), 's3'), 'aws4_request')
  return step(signingKey, toSign).toString('hex')
}

const plainHeaders: Record<string, string> = {
  host: 'localhost:9000',
  'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  'x-amz-date': stamp,
}

/** A request as a client would sign it, before `edit` tampers with it. */
function signed(headers: Record<string, string> = {}, accessKey = key): SignableRequest {
  const all: Record<string, string> = { ...plainHeaders, ...headers }
  const names = Object.keys(all).toSorted()
  const bare: SignableRequest = { method: 'GET', rawPath: '/b/k', rawQuery: 'a=1', headers: fields(all) }
  const canonical = canonicalRequest(bare, parseQuery('a=1'), names, all['x-amz-content-sha256'] ?? '')
  const signature = sign(stringToSign(nodeDigests, stamp, scope, canonical))
  const credential = `${accessKey}/20260102/us-east-1/s3/aws4_request`
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...bare, headers: fields({ ...all, authorization }) }
}

function presigned(
  expires: string,
  headers: Record<string, string> = {},
  token?: string,
  accessKey = key,
): SignableRequest {
  const credential = encodeURIComponent(`${accessKey}/20260102/us-east-1/s3/aws4_request`)
  const security = token === undefined ? '' : `&X-Amz-Security-Token=${encodeURIComponent(token)}`
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${stamp}&X-Amz-Expires=${expires}${security}&X-Amz-SignedHeaders=host`
  const bare: SignableRequest = {
    method: 'GET',
    rawPath: '/b/k',
    rawQuery: query,
    headers: fields({ host: 'h' }),
  }
  const canonical = canonicalRequest(bare, parseQuery(query), ['host'], 'UNSIGNED-PAYLOAD')
  const signature = sign(stringToSign(nodeDigests, stamp, scope, canonical))
  return {
    ...bare,
    rawQuery: `${query}&X-Amz-Signature=${signature}`,
    headers: fields({ host: 'h', ...headers }),
  }
}

function fields(headers: Record<string, string>): SignableRequest['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}

type Edit = (request: SignableRequest) => SignableRequest

const setHeader =
  (name: string, value: string | undefined): Edit =>
  (request) => ({
    ...request,
    headers: { ...request.headers, [name]: value === undefined ? undefined : [value] },
  })
const inAuthorization =
  (from: string | RegExp, to: string): Edit =>
  (request) =>
    setHeader('authorization', (request.headers['authorization']?.[0] ?? '').replace(from, to))(request)
const inQuery =
  (from: string | RegExp, to: string): Edit =>
  (request) => ({
    ...request,
    rawQuery: request.rawQuery.replace(from, to),
  })

async function refusal(nowMs: number, request: SignableRequest): Promise<S3Error> {
  try {
    await authenticateAt(nowMs, request)
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    assert.ok(!JSON.stringify([error.message, error.fields]).includes(secret), 'the secret leaked')
    return error
  }
  return assert.fail('the request was accepted')
}

const malformed = 'The authorization header is malformed; '
const headerCases: [name: string, edit: Edit, code: string, message: string | RegExp, fields?: object][] = [
  ['SigV2', setHeader('authorization', 'AWS AKID:c2ln'), 'InvalidRequest', /Please use AWS4-HMAC-SHA256/],
  [
    'no blank',
    setHeader('authorization', 'invalid_header'),
    'InvalidArgument',
    /one and only one ' '/,
    { ArgumentName: 'Authorization', ArgumentValue: 'invalid_header' },
  ],
  [
    'another scheme',
    setHeader('authorization', 'Bearer x'),
    'InvalidArgument',
    'Unsupported Authorization Type',
    { ArgumentName: 'Authorization', ArgumentValue: 'Bearer x' },
  ],
  [
    'two components',
    inAuthorization(/SignedHeaders=\S+ /, ''),
    'AuthorizationHeaderMalformed',
    /requires three components/,
  ],
  [
    'a component without =',
    inAuthorization('SignedHeaders=', 'SignedHeaders-'),
    'AuthorizationHeaderMalformed',
    /the authorization component "SignedHeaders-.*" is malformed/,
  ],
  [
    'no Credential',
    inAuthorization('Credential=', 'missing='),
    'AuthorizationHeaderMalformed',
    `${malformed}missing Credential.`,
  ],
  [
    'no SignedHeaders',
    inAuthorization('SignedHeaders=', 'missing='),
    'AuthorizationHeaderMalformed',
    `${malformed}missing SignedHeaders.`,
  ],
  [
    'no Signature',
    inAuthorization('Signature=', 'missing='),
    'AuthorizationHeaderMalformed',
    `${malformed}missing Signature.`,
  ],
  [
    'a short credential',
    inAuthorization('/us-east-1/', '/'),
    'AuthorizationHeaderMalformed',
    /the Credential is mal-formed/,
  ],
  [
    'a bad scope date',
    inAuthorization('/20260102/', '/2026010/'),
    'AuthorizationHeaderMalformed',
    /incorrect date format "2026010"/,
  ],
  [
    'an impossible scope date',
    inAuthorization('/20260102/', '/20260230/'),
    'AuthorizationHeaderMalformed',
    /incorrect date format "20260230"/,
  ],
  [
    'another service',
    inAuthorization('/s3/', '/ec2/'),
    'AuthorizationHeaderMalformed',
    `${malformed}incorrect service "ec2". This endpoint belongs to "s3".`,
  ],
  [
    'another terminator',
    inAuthorization('aws4_request', 'aws_request'),
    'AuthorizationHeaderMalformed',
    `${malformed}incorrect terminal "aws_request". This endpoint uses "aws4_request".`,
  ],
  [
    'another region',
    inAuthorization('us-east-1', 'eu-west-1'),
    'AuthorizationHeaderMalformed',
    `${malformed}the region 'eu-west-1' is wrong; expecting 'us-east-1'`,
    { Region: 'us-east-1' },
  ],
  [
    'another day',
    inAuthorization('/20260102/', '/20260101/'),
    'AuthorizationHeaderMalformed',
    /not the same as X-Amz-Date: "20260102"/,
  ],
  [
    'no date',
    setHeader('x-amz-date', undefined),
    'AccessDenied',
    /requires a valid Date or x-amz-date header/,
  ],
  [
    'a bad date',
    setHeader('x-amz-date', '2026-01-02T03:04:05Z'),
    'AccessDenied',
    /requires a valid Date or x-amz-date header/,
  ],
  [
    'no payload hash',
    setHeader('x-amz-content-sha256', undefined),
    'InvalidRequest',
    'Missing required header for this request: x-amz-content-sha256',
  ],
  [
    'a bad payload hash',
    setHeader('x-amz-content-sha256', 'abc'),
    'InvalidArgument',
    /must be UNSIGNED-PAYLOAD, .* or a valid sha256 value/,
  ],
  [
    'an asymmetric payload',
    setHeader('x-amz-content-sha256', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'),
    'NotImplemented',
    /./,
  ],
  [
    'two mechanisms',
    inQuery(/$/, '&X-Amz-Algorithm=AWS4-HMAC-SHA256'),
    'InvalidArgument',
    /^Only one auth mechanism allowed/,
  ],
  [
    'an unknown key',
    inAuthorization(key, 'AKIDOTHER'),
    'InvalidAccessKeyId',
    /./,
    { AWSAccessKeyId: 'AKIDOTHER' },
  ],
  [
    'unsigned amz headers',
    (r) => setHeader('x-amz-tagging', 'a=b')(setHeader('x-amz-acl', 'private')(r)),
    'AccessDenied',
    /not signed/,
    { HeadersNotSigned: 'x-amz-acl, x-amz-tagging' },
  ],
  [
    'host not signed',
    inAuthorization('SignedHeaders=host;', 'SignedHeaders='),
    'AccessDenied',
    /not signed/,
    { HeadersNotSigned: 'host' },
  ],
  [
    'a signed header taken away',
    (r) => inAuthorization('SignedHeaders=', 'SignedHeaders=expect;')(r),
    'SignatureDoesNotMatch',
    /./,
  ],
  [
    'a signed header named like a method of objects',
    inAuthorization('SignedHeaders=', 'SignedHeaders=constructor;'),
    'SignatureDoesNotMatch',
    /./,
  ],
  ['an empty signature', inAuthorization(/Signature=.*/, 'Signature='), 'SignatureDoesNotMatch', /./],
]

for (const [name, edit, code, message, expected] of headerCases) {
  test(`Authorization header: ${name}`, async () => {
    const error = await refusal(start, edit(signed()))
    assert.equal(error.code, code, error.message)
    if (typeof message === 'string') assert.equal(error.message, message)
    else assert.match(error.message, message)
    if (expected !== undefined) assert.deepEqual(error.fields, expected)
  })
}

const oneWeek = 604_800
const queryCases: [name: string, edit: Edit, code: string, message: RegExp][] = [
  ...['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature'].map(
    (name): [string, Edit, string, RegExp] => [
      `no X-Amz-${name}`,
      inQuery(`X-Amz-${name}=`, `X-Other-${name}=`),
      'AuthorizationQueryParametersError',
      /requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature/,
    ],
  ),
  [
    'another algorithm',
    inQuery('HMAC-SHA256', 'HMAC-SHA1'),
    'AuthorizationQueryParametersError',
    /only supports/,
  ],
  [
    'a bad credential',
    inQuery('%2Fs3', ''),
    'AuthorizationQueryParametersError',
    /^Error parsing the X-Amz-Credential parameter; the Credential is mal-formed/,
  ],
  [
    'another region',
    inQuery('us-east-1', 'eu-west-1'),
    'AuthorizationQueryParametersError',
    /the region 'eu-west-1' is wrong/,
  ],
  [
    'a bad date',
    inQuery(`Date=${stamp}`, 'Date=today'),
    'AuthorizationQueryParametersError',
    /ISO8601 Long Format/,
  ],
  [
    'another day',
    inQuery(`Date=${stamp}`, 'Date=20260103T030405Z'),
    'AuthorizationQueryParametersError',
    /not the same as X-Amz-Date/,
  ],
  [
    'no number',
    inQuery('Expires=60', 'Expires=1h'),
    'AuthorizationQueryParametersError',
    /should be a number/,
  ],
  [
    'a negative life',
    inQuery('Expires=60', 'Expires=-1'),
    'AuthorizationQueryParametersError',
    /must be non-negative/,
  ],
  [
    'over a week',
    inQuery('Expires=60', 'Expires=604801'),
    'AuthorizationQueryParametersError',
    /less than 604800 seconds/,
  ],
  ['another life', inQuery('Expires=60', 'Expires=61'), 'SignatureDoesNotMatch', /./],
  ['one more parameter', inQuery(/$/, '&versionId=null'), 'SignatureDoesNotMatch', /./],
  ['a header on top', setHeader('x-amz-acl', 'private'), 'AccessDenied', /not signed/],
  ['an Authorization header too', setHeader('authorization', 'Basic x'), 'InvalidArgument', /^Only one auth/],
  [
    'SigV2 only',
    (r) => ({ ...r, rawQuery: 'AWSAccessKeyId=A&Expires=1&Signature=s' }),
    'InvalidRequest',
    /Please use/,
  ],
]

for (const [name, edit, code, message] of queryCases) {
  test(`presigned: ${name}`, async () => {
    const error = await refusal(start, edit(presigned('60')))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
  })
}

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
  await authenticateAt(start + oneWeek * 1000, presigned(String(oneWeek)))
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
