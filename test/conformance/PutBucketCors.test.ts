import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { GetBucketCorsCommand, PutBucketCorsCommand, type CORSRule } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

const put = (Bucket: string, ...CORSRules: CORSRule[]) =>
  client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))

const rulesOf = async (Bucket: string) => (await client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules

const minimal: CORSRule = { AllowedMethods: ['GET'], AllowedOrigins: ['*'] }

const document = (content: string): string =>
  `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</CORSConfiguration>`

const sendDocument = (Bucket: string, body: string) =>
  raw({
    method: 'PUT',
    target: `/${Bucket}?cors`,
    body,
    headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
  })

test('a configuration is kept as it is, and the next one replaces all of it', async () => {
  const Bucket = await newBucket()
  const full: CORSRule = {
    ID: 'first',
    AllowedHeaders: ['X-Amz-*', 'content-type'],
    AllowedMethods: ['GET', 'PUT', 'HEAD', 'POST', 'DELETE'],
    AllowedOrigins: ['https://*.a.example', 'http://b.example:80'],
    ExposeHeaders: ['ETag', 'x-amz-request-id'],
    MaxAgeSeconds: 3000,
  }
  await put(Bucket, full, minimal)
  assert.deepEqual(await rulesOf(Bucket), [full, minimal])
  await put(Bucket, { ...minimal, AllowedOrigins: [''], MaxAgeSeconds: 0 })
  assert.deepEqual(await rulesOf(Bucket), [{ ...minimal, AllowedOrigins: [''], MaxAgeSeconds: 0 }])
})

test('a hundred rules, and no more', async () => {
  const Bucket = await newBucket()
  const rules = Array.from({ length: 101 }, (_, i) => ({ ...minimal, ID: String(i) }))
  await put(Bucket, ...rules.slice(0, 100))
  const message = 'The number of CORS rules should not exceed allowed limit of 100 rules.'
  await assert.rejects(put(Bucket, ...rules), s3Error('InvalidRequest', 400, message))
  assert.equal((await rulesOf(Bucket))?.length, 100)
})

test('64 KiB, and no more', async () => {
  const Bucket = await newBucket()
  const rule = (filler: number): string =>
    document(
      `<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>${'a'.repeat(filler)}</AllowedOrigin></CORSRule>`,
    )
  const room = 64 * 1024 - rule(0).length
  assert.equal((await sendDocument(Bucket, rule(room))).status, 200)
  const answer = await sendDocument(Bucket, rule(room + 1))
  assert.deepEqual([answer.status, answer.code], [400, 'MaxMessageLengthExceeded'])
  assert.match(answer.body, /<MaxMessageLengthBytes>65536<\/MaxMessageLengthBytes>/)
})

test('values that no rule may have are named', async () => {
  const Bucket = await newBucket()
  const cases: readonly (readonly [parts: Partial<CORSRule>, message: string])[] = [
    [
      { AllowedMethods: ['GET', 'PATCH'] },
      'Found unsupported HTTP method in CORS config. Unsupported method is PATCH',
    ],
    [{ AllowedOrigins: ['http://*.*'] }, 'AllowedOrigin "http://*.*" can not have more than one wildcard.'],
    [{ AllowedHeaders: ['x-*-*'] }, 'AllowedHeader "x-*-*" can not have more than one wildcard.'],
    [{ AllowedHeaders: ['bad header'] }, 'AllowedHeader "bad header" contains invalid character.'],
    [
      { ExposeHeaders: ['*'] },
      'ExposeHeader "*" contains wildcard. We currently do not support wildcard for ExposeHeader.',
    ],
  ]
  for (const [parts, message] of cases) {
    await assert.rejects(put(Bucket, { ...minimal, ...parts }), s3Error('InvalidRequest', 400, message))
  }
  await assert.rejects(rulesOf(Bucket), s3Error('NoSuchCORSConfiguration', 404))
})

test('documents that are no configuration are MalformedXML', async () => {
  const Bucket = await newBucket()
  const rule = '<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>'
  for (const body of [
    document(''),
    document('<CORSRule/>'),
    document('<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>'),
    document('<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>'),
    document(`<CORSRule>${rule}<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>`),
    document(`<CORSRule>${rule}<MaxAgeSeconds>1h</MaxAgeSeconds></CORSRule>`),
    document(`<CORSRule>${rule}<ID>${'a'.repeat(256)}</ID></CORSRule>`),
    document(`<CORSRule>${rule}<Other/></CORSRule>`),
    `<Other>${rule}</Other>`,
  ]) {
    const { status, code } = await sendDocument(Bucket, body)
    assert.deepEqual([status, code], [400, 'MalformedXML'], body)
  }
})

test('the document comes with a checksum that holds', async () => {
  const Bucket = await newBucket()
  const body = document(
    '<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>',
  )
  const target = `/${Bucket}?cors`
  const without = await raw({ method: 'PUT', target, body })
  assert.deepEqual([without.status, without.code], [400, 'InvalidRequest'])
  const headers = { 'content-md5': createHash('md5').update('other').digest('base64') }
  const wrong = await raw({ method: 'PUT', target, body, headers })
  assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
})

test('NoSuchBucket', async () => {
  await assert.rejects(put('not-there', minimal), s3Error('NoSuchBucket', 404))
})
