import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateBucketCommand, GetBucketOwnershipControlsCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()
const withLists = await startConformance('us-east-1', { bucketDefaults: { objectOwnership: 'ObjectWriter' } })

const rulesOf = async ({ client: s3 }: Pick<typeof withLists, 'client'>, Bucket: string) =>
  (await s3.send(new GetBucketOwnershipControlsCommand({ Bucket }))).OwnershipControls?.Rules

test('a new bucket is its owner’s, unless its maker says otherwise', async () => {
  assert.deepEqual(await rulesOf({ client }, await newBucket()), [{ ObjectOwnership: 'BucketOwnerEnforced' }])
  const made = { Bucket: 'made-with', ObjectOwnership: 'BucketOwnerPreferred' } as const
  await client.send(new CreateBucketCommand(made))
  assert.deepEqual(await rulesOf({ client }, 'made-with'), [{ ObjectOwnership: 'BucketOwnerPreferred' }])
})

test('the operator chooses what a new bucket has whose maker says nothing', async () => {
  const Bucket = await withLists.newBucket()
  assert.deepEqual(await rulesOf(withLists, Bucket), [{ ObjectOwnership: 'ObjectWriter' }])
  const made = { Bucket: 'made-with', ObjectOwnership: 'BucketOwnerEnforced' } as const
  await withLists.client.send(new CreateBucketCommand(made))
  assert.deepEqual(await rulesOf(withLists, 'made-with'), [{ ObjectOwnership: 'BucketOwnerEnforced' }])
})

test('NoSuchBucket; AccessDenied for strangers', async () => {
  const command = new GetBucketOwnershipControlsCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
  const { status, code } = await raw({ target: `/${await newBucket()}?ownershipControls`, signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
