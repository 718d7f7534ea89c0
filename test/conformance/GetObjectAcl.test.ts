import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateBucketCommand,
  GetObjectAclCommand,
  PutBucketOwnershipControlsCommand,
  PutObjectCommand,
  type ObjectOwnership,
} from '@aws-sdk/client-s3'
import { accounts, alice, bob, root } from './accounts.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, clientOf, newBucket, raw } = await startConformance('us-east-1', { accounts })

const full = (ID: string) => ({ Grantee: { Type: 'CanonicalUser', ID }, Permission: 'FULL_CONTROL' })

test('a new object: its owner, and nobody else', async () => {
  const Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'x' }))
  const { Owner, Grants } = await client.send(new GetObjectAclCommand({ Bucket, Key: 'key' }))
  assert.deepEqual(Owner, { ID: root.id })
  assert.deepEqual(Grants, [full(root.id)])
  const { body } = await raw({ target: `/${Bucket}/key?acl` })
  assert.doesNotMatch(body, /DisplayName/)
})

test('the owner of what others put, under each ownership of objects', async () => {
  const Bucket = 'owned'
  await client.send(
    new CreateBucketCommand({
      Bucket,
      ObjectOwnership: 'ObjectWriter',
      GrantWrite: `id=${alice.canonicalId}`,
    }),
  )
  const Key = 'key'
  await clientOf(alice.keys).send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: 'x',
      GrantReadACP: `id=${root.id}`,
      GrantRead: `id=${bob.canonicalId}`,
    }),
  )
  const { Owner, Grants } = await client.send(new GetObjectAclCommand({ Bucket, Key }))
  assert.equal(Owner?.ID, alice.canonicalId)
  assert.deepEqual(
    Grants?.map(({ Grantee, Permission }) => [Grantee?.ID, Permission]),
    [
      [bob.canonicalId, 'READ'],
      [root.id, 'READ_ACP'],
    ],
  )
})

test('belongs to the bucket owner while lists are disabled', async () => {
  const Bucket = 'switched'
  const switchTo = (objectOwnership: ObjectOwnership) =>
    client.send(
      new PutBucketOwnershipControlsCommand({
        Bucket,
        OwnershipControls: { Rules: [{ ObjectOwnership: objectOwnership }] },
      }),
    )
  await client.send(
    new CreateBucketCommand({ Bucket, ObjectOwnership: 'ObjectWriter', ACL: 'public-read-write' }),
  )
  await clientOf(alice.keys).send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'x' }))
  await assert.rejects(
    client.send(new GetObjectAclCommand({ Bucket, Key: 'key' })),
    s3Error('AccessDenied', 403),
  )
  await assert.rejects(switchTo('BucketOwnerEnforced'), s3Error('InvalidBucketAclWithObjectOwnership', 400))
  await client.send(new CreateBucketCommand({ Bucket }))
  await switchTo('BucketOwnerEnforced')
  const { Owner, Grants } = await client.send(new GetObjectAclCommand({ Bucket, Key: 'key' }))
  assert.deepEqual([Owner, Grants], [{ ID: root.id }, [full(root.id)]])
  await switchTo('BucketOwnerPreferred')
  await assert.rejects(
    client.send(new GetObjectAclCommand({ Bucket, Key: 'key' })),
    s3Error('AccessDenied', 403),
  )
})

test('NoSuchKey, NoSuchBucket, NoSuchVersion', async () => {
  const Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'x' }))
  const get = (name: string, Key: string, VersionId?: string) =>
    client.send(new GetObjectAclCommand({ Bucket: name, Key, ...(VersionId && { VersionId }) }))
  await assert.rejects(get(Bucket, 'none'), s3Error('NoSuchKey', 404))
  await assert.rejects(get('not-there', 'key'), s3Error('NoSuchBucket', 404))
  await assert.rejects(get(Bucket, 'key', 'A'.repeat(32)), s3Error('NoSuchVersion', 404))
  assert.deepEqual((await get(Bucket, 'key', 'null')).Grants, [full(root.id)])
})
