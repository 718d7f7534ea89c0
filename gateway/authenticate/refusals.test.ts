/** Every form of claim that S3 refuses, with its answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  inAuthorization,
  inQuery,
  key,
  presigned,
  refusal,
  setHeader,
  signed,
  stamp,
  start,
  type Edit,
} from './test-support.ts'

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

test('a wrong region is named in a header too, for answers without a document', async () => {
  const error = await refusal(start, inAuthorization('us-east-1', 'eu-west-1')(signed()))
  assert.deepEqual(error.headers, { 'x-amz-bucket-region': 'us-east-1' })
})
