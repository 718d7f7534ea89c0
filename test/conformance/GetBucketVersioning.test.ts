import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetBucketVersioningCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

test('the document of a bucket that never had versions is empty', async () => {
  const Bucket = await newBucket()
  const { status, body } = await raw({ target: `/${Bucket}?versioning` })
  assert.equal(status, 200)
  const empty =
    /^(<\?xml[^>]*\?>\s*)<VersioningConfiguration xmlns="http:\/\/s3.amazonaws.com\/doc\/2006-03-01\/"(\/>|><\/VersioningConfiguration>)$/
  assert.match(body, empty)
  const { Status, MFADelete } = await client.send(new GetBucketVersioningCommand({ Bucket }))
  assert.deepEqual([Status, MFADelete], [undefined, undefined])
})

test('the state, and no word of MFA delete', async () => {
  const Bucket = await newBucket()
  for (const Status of ['Enabled', 'Suspended'] as const) {
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
    const answer = await client.send(new GetBucketVersioningCommand({ Bucket }))
    assert.deepEqual([answer.Status, answer.MFADelete], [Status, undefined])
  }
})

test('NoSuchBucket; AccessDenied for strangers', async () => {
  const command = new GetBucketVersioningCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
  const { status, code } = await raw({ target: `/${await newBucket()}?versioning`, signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
