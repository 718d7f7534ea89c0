import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetBucketVersioningCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw, metadata } = await startConformance()

const document = (content: string): string =>
  `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</VersioningConfiguration>`

const put = (Bucket: string, Status: 'Enabled' | 'Suspended') =>
  client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))

const statusOf = async (Bucket: string): Promise<string | undefined> =>
  (await client.send(new GetBucketVersioningCommand({ Bucket }))).Status

test('versioning is enabled, suspended and enabled again', async () => {
  const Bucket = await newBucket()
  for (const status of ['Enabled', 'Suspended', 'Enabled', 'Enabled'] as const) {
    await put(Bucket, status)
    assert.equal(await statusOf(Bucket), status)
  }
})

test('a bucket that never had versions can be suspended at once', async () => {
  const Bucket = await newBucket()
  await put(Bucket, 'Suspended')
  assert.equal(await statusOf(Bucket), 'Suspended')
})

test('the rest of the bucket stays as it was', async () => {
  const Bucket = await newBucket()
  const before = await metadata.call('getBucket', { name: Bucket })
  await put(Bucket, 'Enabled')
  const after = await metadata.call('getBucket', { name: Bucket })
  assert.deepEqual({ ...after.bucket, versioning: before.bucket?.versioning }, { ...before.bucket })
})

test('without a Status it is IllegalVersioningConfigurationException, and nothing changes', async () => {
  const Bucket = await newBucket()
  for (const content of ['', '<MfaDelete>Disabled</MfaDelete>']) {
    const answer = await raw({ method: 'PUT', target: `/${Bucket}?versioning`, body: document(content) })
    assert.deepEqual([answer.status, answer.code], [400, 'IllegalVersioningConfigurationException'])
    assert.match(answer.body, /<Message>The Versioning element must be specified<\/Message>/)
  }
  assert.equal(await statusOf(Bucket), undefined)
})

test('other states are MalformedXML', async () => {
  const Bucket = await newBucket()
  for (const content of [
    '<Status>enabled</Status>',
    '<Status>Disabled</Status>',
    '<Status/>',
    '<Status>Enabled</Status><Status>Enabled</Status>',
    '<Status>Enabled</Status><Other/>',
  ]) {
    const answer = await raw({ method: 'PUT', target: `/${Bucket}?versioning`, body: document(content) })
    assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML'], content)
  }
  const empty = await raw({ method: 'PUT', target: `/${Bucket}?versioning` })
  assert.deepEqual([empty.status, empty.code], [400, 'MissingRequestBodyError'])
})

test('MFA delete: disabling it changes nothing, enabling it is refused by name', async () => {
  const Bucket = await newBucket()
  const target = `/${Bucket}?versioning`
  const content = (mfa: string): string => document(`<Status>Enabled</Status><MfaDelete>${mfa}</MfaDelete>`)
  const enabled = await raw({ method: 'PUT', target, body: content('Enabled') })
  assert.deepEqual([enabled.status, enabled.code], [501, 'NotImplemented'])
  assert.match(enabled.body, /<Element>MfaDelete<\/Element>/)
  assert.equal(await statusOf(Bucket), undefined)
  assert.equal((await raw({ method: 'PUT', target, body: content('Disabled') })).status, 200)
  assert.equal(await statusOf(Bucket), 'Enabled')
})

test('NoSuchBucket; AccessDenied for strangers', async () => {
  await assert.rejects(put('not-there', 'Enabled'), s3Error('NoSuchBucket', 404))
  const Bucket = await newBucket()
  const body = document('<Status>Enabled</Status>')
  const answer = await raw({ method: 'PUT', target: `/${Bucket}?versioning`, body, signed: false })
  assert.deepEqual([answer.status, answer.code], [403, 'AccessDenied'])
})
