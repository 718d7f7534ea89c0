/** OPTIONS, which no schema has, and what browsers need in every other answer. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PutBucketCorsCommand, PutObjectCommand, type CORSRule } from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { DOMAIN, startConformance } from './harness.ts'
import type { RawResponse } from './signed-request.ts'

const { client, newBucket, raw, faults, heal } = await startConformance()

const VARY = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method'
const NOT_ALLOWED =
  "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."

/** A bucket with these rules. */
async function bucketWith(...CORSRules: CORSRule[]): Promise<string> {
  const Bucket = await newBucket()
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  return Bucket
}

const preflight = (target: string, headers: Record<string, string>) =>
  raw({ method: 'OPTIONS', target, headers, signed: false })

const ask = (method: string, headers?: string): Record<string, string> => ({
  origin: 'http://a.example',
  'access-control-request-method': method,
  ...(headers === undefined ? {} : { 'access-control-request-headers': headers }),
})

/** The headers of an answer that browsers look at. */
const grants = ({ headers }: RawResponse): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  )

/** Code, message, method and resource of an error document. */
function errorOf({ status, body }: RawResponse): unknown[] {
  const element = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1]
  return [status, ...['Code', 'Message', 'Method', 'ResourceType'].map(element)]
}

const rule: CORSRule = {
  AllowedMethods: ['GET', 'PUT'],
  AllowedOrigins: ['http://a.example'],
  AllowedHeaders: ['X-Amz-*'],
  ExposeHeaders: ['ETag', 'x-amz-request-id'],
  MaxAgeSeconds: 3000,
}
const granted = {
  'access-control-allow-origin': 'http://a.example',
  'access-control-allow-methods': 'GET, PUT',
  'access-control-expose-headers': 'ETag, x-amz-request-id',
  'access-control-max-age': '3000',
  'access-control-allow-credentials': 'true',
  vary: VARY,
}

describe('preflights', () => {
  test('what a rule allows is 200 without a body, of buckets and objects, in both styles of address', async () => {
    const Bucket = await bucketWith(rule)
    for (const [target, host] of [
      [`/${Bucket}`, undefined],
      [`/${Bucket}/no/such/key?uploads&X-Amz-Signature=not-looked-at`, undefined],
      ['/', `${Bucket}.${DOMAIN}`],
      ['/key', `${Bucket}.${DOMAIN}`],
    ] as const) {
      const headers = { ...ask('PUT', 'x-amz-date, X-AMZ-Content-Sha256'), ...(host && { host }) }
      const answer = await preflight(target, headers)
      assert.deepEqual([answer.status, answer.body, answer.headers['content-length']], [200, '', '0'], target)
      const asked = { 'access-control-allow-headers': 'x-amz-date, x-amz-content-sha256' }
      assert.deepEqual(grants(answer), { ...granted, ...asked }, target)
      assert.ok(answer.headers['x-amz-request-id'])
    }
  })

  test('any origin is answered with *, to which browsers give no credentials', async () => {
    const Bucket = await bucketWith({ AllowedMethods: ['GET'], AllowedOrigins: ['*'] })
    const answer = await preflight(`/${Bucket}/key`, ask('GET'))
    assert.deepEqual(grants(answer), {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET',
      vary: VARY,
    })
  })

  test('the first rule that fits answers', async () => {
    const Bucket = await bucketWith(
      { ...rule, AllowedMethods: ['DELETE'] },
      { AllowedMethods: ['GET'], AllowedOrigins: ['*.example'], MaxAgeSeconds: 1 },
      rule,
    )
    assert.equal(grants(await preflight(`/${Bucket}`, ask('GET')))['access-control-max-age'], '1')
    assert.equal(grants(await preflight(`/${Bucket}`, ask('PUT')))['access-control-max-age'], '3000')
  })

  test('without an origin: 400, whether or not there is such a bucket', async () => {
    const message = 'Insufficient information. Origin request header needed.'
    for (const target of ['/', '/not-there', `/${await bucketWith(rule)}/key`]) {
      const answer = await preflight(target, { 'access-control-request-method': 'GET' })
      assert.deepEqual(errorOf(answer), [400, 'BadRequest', message, undefined, undefined], target)
    }
  })

  test('methods and headers that are none: 400', async () => {
    const Bucket = await bucketWith(rule)
    for (const method of ['get', 'BLAH', 'CONNECT']) {
      const message = `Invalid Access-Control-Request-Method: ${method}`
      const answer = await preflight(`/${Bucket}`, ask(method))
      assert.deepEqual(errorOf(answer), [400, 'BadRequest', message, undefined, undefined])
    }
    const answer = await preflight(`/${Bucket}`, ask('GET', 'x-amz-date,bad header'))
    const message = 'Access-Control-Request-Headers &quot;bad header&quot; contains invalid character.'
    assert.deepEqual(errorOf(answer), [400, 'BadRequest', message, undefined, undefined])
  })

  test('no method: 403 before there is a configuration, 400 after', async () => {
    const origin = { origin: 'http://a.example' }
    const bare = await preflight(`/${await newBucket()}/key`, origin)
    const disabled = 'CORSResponse: CORS is not enabled for this bucket.'
    assert.deepEqual(errorOf(bare), [403, 'AccessForbidden', disabled, 'OPTIONS', 'BUCKET'])
    const configured = await preflight(`/${await bucketWith(rule)}/key`, origin)
    const message = 'Invalid Access-Control-Request-Method: null'
    assert.deepEqual(errorOf(configured), [400, 'BadRequest', message, undefined, undefined])
  })

  test('no configuration, no bucket: 403', async () => {
    const disabled = 'CORSResponse: CORS is not enabled for this bucket.'
    const bare = await preflight(`/${await newBucket()}/key`, ask('PUT'))
    assert.deepEqual(errorOf(bare), [403, 'AccessForbidden', disabled, 'PUT', 'BUCKET'])
    for (const target of ['/', '/not-there', '/not-there/key']) {
      const answer = await preflight(target, ask('GET'))
      const missing = 'CORSResponse: Bucket not found'
      assert.deepEqual(errorOf(answer), [403, 'AccessForbidden', missing, 'GET', 'BUCKET'], target)
    }
  })

  test('origin, method or header that no rule allows: 403 with nothing granted', async () => {
    const Bucket = await bucketWith(rule)
    for (const [target, method, headers, resource] of [
      [`/${Bucket}`, 'GET', { ...ask('GET'), origin: 'https://a.example' }, 'BUCKET'],
      [`/${Bucket}/key`, 'DELETE', ask('DELETE'), 'OBJECT'],
      [`/${Bucket}/key`, 'OPTIONS', ask('OPTIONS'), 'OBJECT'],
      [`/${Bucket}/key`, 'GET', ask('GET', 'x-amz-date, content-type'), 'OBJECT'],
    ] as const) {
      const answer = await preflight(target, headers)
      assert.deepEqual(errorOf(answer), [403, 'AccessForbidden', NOT_ALLOWED, method, resource])
      assert.deepEqual(grants(answer), {})
    }
  })

  test('metadata that cannot be asked is 503', async () => {
    const Bucket = await bucketWith(rule)
    faults.metadata = () => new MetadataError(FailureCode.UNAVAILABLE, 'down')
    const answer = await preflight(`/${Bucket}`, ask('GET'))
    heal()
    assert.deepEqual([answer.status, answer.code], [503, 'ServiceUnavailable'])
  })
})

describe('answers to pages of other origins', () => {
  const origin = { origin: 'http://a.example' }

  test('successes and errors alike carry what the rule says', async () => {
    const Bucket = await bucketWith(rule)
    await client.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'content' }))
    for (const [target, signed, status] of [
      [`/${Bucket}/key`, true, 200],
      [`/${Bucket}?list-type=2`, true, 200],
      [`/${Bucket}/not-there`, true, 404],
      [`/${Bucket}/key`, false, 403],
      [`/${Bucket}?acl&tagging`, true, 400],
    ] as const) {
      const answer = await raw({ target, headers: origin, signed })
      assert.equal(answer.status, status, target)
      assert.deepEqual(grants(answer), granted, target)
    }
    const written = await raw({ method: 'PUT', target: `/${Bucket}/new`, headers: origin, body: 'x' })
    assert.deepEqual([written.status, grants(written)], [200, granted])
  })

  test('nothing without an origin, without a rule that fits, without a configuration, without a bucket', async () => {
    const Bucket = await bucketWith(rule)
    const other = { origin: 'http://b.example' }
    for (const [method, target, headers] of [
      ['GET', `/${Bucket}`, undefined],
      ['GET', `/${Bucket}`, other],
      ['DELETE', `/${Bucket}/key`, origin],
      ['GET', `/${await newBucket()}`, origin],
      ['GET', '/not-there', origin],
      ['GET', '/', origin],
    ] as const) {
      const answer = await raw({ method, target, ...(headers && { headers }) })
      assert.deepEqual(grants(answer), {}, `${method} ${target}`)
    }
  })

  test('a request that asks as its preflight did is judged by what it asks', async () => {
    const Bucket = await bucketWith(rule)
    const send = async (headers: Record<string, string>) =>
      grants(await raw({ target: `/${Bucket}`, headers: { ...origin, ...headers } }))
    assert.deepEqual(await send({ 'access-control-request-method': 'DELETE' }), {})
    assert.deepEqual(await send({ 'access-control-request-method': 'PUT' }), granted)
    assert.deepEqual(await send({ 'access-control-request-headers': 'content-type' }), {})
  })

  test('the configuration is read only when an origin is named, and its loss costs the headers alone', async () => {
    const Bucket = await bucketWith(rule)
    const asked: string[] = []
    faults.metadata = (operation) => {
      asked.push(operation)
      return operation === 'getBucketSetting' ? new MetadataError(FailureCode.UNAVAILABLE, 'down') : undefined
    }
    const target = `/${Bucket}?location`
    const plain = await raw({ target })
    assert.deepEqual([plain.status, asked.includes('getBucketSetting')], [200, false])
    const cross = await raw({ target, headers: origin })
    heal()
    assert.deepEqual([cross.status, grants(cross), asked.includes('getBucketSetting')], [200, {}, true])
  })
})
