import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  GetBucketOwnershipControlsCommand,
  PutBucketOwnershipControlsCommand,
  type ObjectOwnership,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw, metadata } = await startConformance()

const put = (Bucket: string, ...ownerships: ObjectOwnership[]) => {
  const Rules = ownerships.map((ObjectOwnership) => ({ ObjectOwnership }))
  return client.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls: { Rules } }))
}

const ownershipOf = async (Bucket: string) => {
  const answer = await client.send(new GetBucketOwnershipControlsCommand({ Bucket }))
  return answer.OwnershipControls?.Rules?.map(({ ObjectOwnership }) => ObjectOwnership)
}

test('each of the three, one after the other', async () => {
  const Bucket = await newBucket()
  for (const ownership of ['ObjectWriter', 'BucketOwnerPreferred', 'BucketOwnerEnforced'] as const) {
    const { $metadata } = await put(Bucket, ownership)
    assert.equal($metadata.httpStatusCode, 200)
    assert.deepEqual(await ownershipOf(Bucket), [ownership])
  }
})

test('exactly one rule of a known name, or MalformedXML', async () => {
  const Bucket = await newBucket()
  await assert.rejects(put(Bucket, 'ObjectWriter', 'BucketOwnerPreferred'), s3Error('MalformedXML', 400))
  for (const content of ['', '<Rule/>', '<Rule><ObjectOwnership>objectwriter</ObjectOwnership></Rule>']) {
    const body = `<OwnershipControls xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</OwnershipControls>`
    const { status, code } = await raw({ method: 'PUT', target: `/${Bucket}?ownershipControls`, body })
    assert.deepEqual([status, code], [400, 'MalformedXML'], content)
  }
  assert.deepEqual(await ownershipOf(Bucket), ['BucketOwnerEnforced'])
})

test('lists are not switched off while that of the bucket gives others anything', async () => {
  const Bucket = await newBucket()
  await put(Bucket, 'ObjectWriter')
  const owner = (await metadata.call('getBucket', { name: Bucket })).bucket?.owner ?? ''
  const setAcl = (grants: { account?: string; group?: string; permission: string }[]) =>
    metadata.call('putBucketSetting', {
      name: Bucket,
      setting: { setting: { case: 'acl' as const, value: { grants } } },
    })
  const own = { account: owner, permission: 'FULL_CONTROL' }
  const message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
  for (const other of [
    { group: 'http://acs.amazonaws.com/groups/global/AllUsers', permission: 'READ' },
    { account: 'somebody-else', permission: 'READ' },
  ]) {
    await setAcl([own, other])
    await assert.rejects(
      put(Bucket, 'BucketOwnerEnforced'),
      s3Error('InvalidBucketAclWithObjectOwnership', 400, message),
    )
    assert.deepEqual(await ownershipOf(Bucket), ['ObjectWriter'])
    await put(Bucket, 'BucketOwnerPreferred')
    await put(Bucket, 'ObjectWriter')
  }
  await setAcl([own])
  await put(Bucket, 'BucketOwnerEnforced')
  assert.deepEqual(await ownershipOf(Bucket), ['BucketOwnerEnforced'])
})

test('NoSuchBucket', async () => {
  await assert.rejects(put('not-there', 'ObjectWriter'), s3Error('NoSuchBucket', 404))
})
