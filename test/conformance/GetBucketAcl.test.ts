import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateBucketCommand,
  GetBucketAclCommand,
  PutBucketAclCommand,
  PutBucketOwnershipControlsCommand,
} from '@aws-sdk/client-s3'
import { accounts, alice, bob, root } from './accounts.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, clientOf, newBucket, raw } = await startConformance('us-east-1', { accounts })

const OWNER_ONLY = [{ Grantee: { Type: 'CanonicalUser', ID: root.id }, Permission: 'FULL_CONTROL' }]

test('a new bucket: its owner, and nobody else', async () => {
  const Bucket = await newBucket()
  const { Owner, Grants } = await client.send(new GetBucketAclCommand({ Bucket }))
  assert.deepEqual(Owner, { ID: root.id })
  assert.deepEqual(Grants, OWNER_ONLY)
})

test('the document as S3 writes it, without display names', async () => {
  const Bucket = await newBucket()
  const { status, body } = await raw({ target: `/${Bucket}?acl` })
  assert.equal(status, 200)
  const grantee = `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>${root.id}</ID></Grantee>`
  assert.equal(
    body.replace(/^<\?xml[^>]*\?>\s*/, ''),
    `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>${root.id}</ID></Owner><AccessControlList><Grant>${grantee}<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`,
  )
})

test('the list of before does not show while lists are disabled, and is there again after', async () => {
  const Bucket = 'switched'
  await client.send(new CreateBucketCommand({ Bucket, ObjectOwnership: 'ObjectWriter' }))
  await client.send(new PutBucketAclCommand({ Bucket, GrantReadACP: `id=${root.id}` }))
  const switchTo = (ObjectOwnership: 'BucketOwnerEnforced' | 'ObjectWriter') =>
    client.send(
      new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls: { Rules: [{ ObjectOwnership }] } }),
    )
  await switchTo('BucketOwnerEnforced')
  assert.deepEqual((await client.send(new GetBucketAclCommand({ Bucket }))).Grants, OWNER_ONLY)
  await switchTo('ObjectWriter')
  const { Grants } = await client.send(new GetBucketAclCommand({ Bucket }))
  assert.deepEqual(Grants, [{ ...OWNER_ONLY[0], Permission: 'READ_ACP' }])
})

test('for the owner and whoever has READ_ACP', async () => {
  const Bucket = 'alices'
  const ofAlice = clientOf(alice.keys)
  await ofAlice.send(
    new CreateBucketCommand({
      Bucket,
      ObjectOwnership: 'ObjectWriter',
      GrantReadACP: `id=${bob.canonicalId}`,
    }),
  )
  const get = new GetBucketAclCommand({ Bucket })
  assert.equal((await clientOf(bob.keys).send(get)).Owner?.ID, alice.canonicalId)
  // The list that alice gave leaves her out, and she is the owner all the same.
  assert.equal((await ofAlice.send(get)).Grants?.length, 1)
  for (const sender of [client, clientOf(undefined)]) {
    await assert.rejects(sender.send(get), s3Error('AccessDenied', 403))
  }
})

test('NoSuchBucket, whoever asks', async () => {
  const get = new GetBucketAclCommand({ Bucket: 'not-there' })
  for (const sender of [client, clientOf(bob.keys), clientOf(undefined)]) {
    await assert.rejects(sender.send(get), s3Error('NoSuchBucket', 404))
  }
})

test('x-amz-expected-bucket-owner', async () => {
  const Bucket = await newBucket()
  await client.send(new GetBucketAclCommand({ Bucket, ExpectedBucketOwner: root.accountId }))
  const denied = client.send(new GetBucketAclCommand({ Bucket, ExpectedBucketOwner: bob.accountId }))
  await assert.rejects(denied, s3Error('AccessDenied', 403))
})
