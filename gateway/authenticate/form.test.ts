/** Who sent a browser's form: AWS's documented example, and what is refused. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { createAuthenticator } from './authenticate.ts'

const ACCESS_KEY = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const START = Date.UTC(2015, 11, 29)

const authenticateAt = (nowMs: number) =>
  createAuthenticator({
    credentials: {
      find: async (accessKey) =>
        accessKey === ACCESS_KEY
          ? { secret: SECRET, principal: 'root' }
          : accessKey === 'ASIATEMPORARY'
            ? { secret: SECRET, principal: 'guest', sessionToken: 'token' }
            : undefined,
    },
    endpoint: { region: 'us-east-1', services: ['s3'] },
    digests: nodeDigests,
    nowMs: () => nowMs,
  })

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html */
const policy = Buffer.from(
  [
    '{ "expiration": "2015-12-30T12:00:00.000Z",',
    '  "conditions": [',
    '    {"bucket": "sigv4examplebucket"},',
    '    ["starts-with", "$key", "user/user1/"],',
    '    {"acl": "public-read"},',
    '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
    '    ["starts-with", "$Content-Type", "image/"],',
    '    {"x-amz-meta-uuid": "14365123651274"},',
    '    {"x-amz-server-side-encryption": "AES256"},',
    '    ["starts-with", "$x-amz-meta-tag", ""],',
    '',
    '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
    '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
    '    {"x-amz-date": "20151229T000000Z" }',
    '  ]',
    '}',
  ].join('\r\n'),
).toString('base64')

const example: Readonly<Record<string, string>> = {
  policy,
  'x-amz-algorithm': 'AWS4-HMAC-SHA256',
  'x-amz-credential': `${ACCESS_KEY}/20151229/us-east-1/s3/aws4_request`,
  'x-amz-date': '20151229T000000Z',
  'x-amz-signature': '8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e',
}

async function refusal(fields: Readonly<Record<string, string>>, nowMs = START): Promise<S3Error> {
  try {
    await authenticateAt(nowMs).form(new Map(Object.entries(fields)))
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    assert.ok(!JSON.stringify([error.message, error.fields]).includes(SECRET), 'the secret leaked')
    return error
  }
  return assert.fail('the form was accepted')
}

describe('the sender of a form', () => {
  /** As the service writes them. */
  const shownNames = new Map(
    ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Signature'].map((name) => [
      name.toLowerCase(),
      name,
    ]),
  )

  it('is known by the documented example', async () => {
    const sender = await authenticateAt(START).form(new Map(Object.entries(example)))
    assert.ok(sender.kind === 'signed')
    assert.equal(sender.accessKey, ACCESS_KEY)
    assert.equal(sender.principal, 'root')
    assert.deepEqual(sender.payload, { kind: 'unsigned' })
  })

  it('is nobody without a signature, whatever the policy', async () => {
    for (const fields of [{ key: 'k' }, { key: 'k', policy }]) {
      const sender = await authenticateAt(START).form(new Map(Object.entries(fields)))
      assert.equal(sender.kind, 'anonymous')
    }
  })

  it('needs all fields once it has one', async () => {
    for (const name of Object.keys(example)) {
      const { [name]: _, ...rest } = example
      const error = await refusal(rest)
      const shown = shownNames.get(name) ?? name
      assert.equal(error.code, 'InvalidArgument')
      assert.equal(
        error.message,
        `Bucket POST must contain a field named '${shown}'.  If it is specified, please check the order of the fields.`,
      )
      assert.deepEqual(error.fields, { ArgumentName: shown, ArgumentValue: '' })
    }
  })

  const cases: readonly (readonly [
    name: string,
    change: Record<string, string>,
    code: string,
    message: RegExp,
  ])[] = [
    ['another signature', { 'x-amz-signature': '0'.repeat(64) }, 'SignatureDoesNotMatch', /./],
    ['another policy', { policy: policy.replace('eyAi', 'eyAg') }, 'SignatureDoesNotMatch', /./],
    [
      'an unknown key',
      { 'x-amz-credential': 'AKID/20151229/us-east-1/s3/aws4_request' },
      'InvalidAccessKeyId',
      /./,
    ],
    [
      'a malformed credential',
      { 'x-amz-credential': 'no-slashes' },
      'InvalidArgument',
      /^the Credential is mal-formed/,
    ],
    [
      'another region',
      { 'x-amz-credential': `${ACCESS_KEY}/20151229/eu-west-1/s3/aws4_request` },
      'InvalidArgument',
      /^the region 'eu-west-1' is wrong; expecting 'us-east-1'$/,
    ],
    [
      'another day',
      { 'x-amz-credential': `${ACCESS_KEY}/20151228/us-east-1/s3/aws4_request` },
      'InvalidArgument',
      /not the same as X-Amz-Date: "20151229"/,
    ],
    [
      'another algorithm',
      { 'x-amz-algorithm': 'AWS4-ECDSA-P256-SHA256' },
      'InvalidArgument',
      /^Only AWS4-HMAC/,
    ],
    ['a bad date', { 'x-amz-date': '2015-12-29' }, 'InvalidArgument', /^X-Amz-Date must be formated/],
    ['a token that the key does not have', { 'x-amz-security-token': 'x' }, 'InvalidToken', /./],
    [
      'Signature Version 2',
      { awsaccesskeyid: 'A', signature: 's' },
      'InvalidRequest',
      /Please use AWS4-HMAC-SHA256/,
    ],
  ]
  for (const [name, change, code, message] of cases) {
    it(`is refused for ${name}`, async () => {
      const error = await refusal({ ...example, ...change })
      assert.equal(error.code, code, error.message)
      assert.match(error.message, message)
    })
  }

  it('is told what was to be signed', async () => {
    const { fields } = await refusal({ ...example, 'x-amz-signature': 'bad' })
    assert.equal(fields['StringToSign'], policy)
    assert.equal(fields['SignatureProvided'], 'bad')
    assert.equal(fields['CanonicalRequest'], undefined)
  })

  it('is refused seven days after its key was made', async () => {
    const week = 7 * 24 * 3600 * 1000
    await authenticateAt(START + week).form(new Map(Object.entries(example)))
    const error = await refusal(example, START + week + 1)
    assert.equal(error.message, 'Invalid according to Policy: Policy expired.')
  })

  it('with temporary credentials needs their token', async () => {
    const step = (key: string | Buffer, data: string): Buffer =>
      createHmac('sha256', key).update(data).digest()
    const key = step(step(step(step(`AWS4${SECRET}`, '20151229'), 'us-east-1'), 's3'), 'aws4_request')
    const fields = {
      ...example,
      'x-amz-credential': 'ASIATEMPORARY/20151229/us-east-1/s3/aws4_request',
      'x-amz-signature': step(key, policy).toString('hex'),
    }
    assert.equal((await refusal(fields)).code, 'InvalidAccessKeyId')
    const withToken = new Map(Object.entries({ ...fields, 'x-amz-security-token': 'token' }))
    assert.equal((await authenticateAt(START).form(withToken)).kind, 'signed')
  })
})
