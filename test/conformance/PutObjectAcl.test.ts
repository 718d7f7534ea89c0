import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectAclCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  type Grant,
  type PutObjectAclCommandInput,
} from '@aws-sdk/client-s3'
import { ANONYMOUS_ID } from '../../gateway/accounts/account.ts'
import { EC2_IMAGES_ID } from '../../gateway/rules/acl/canned.ts'
import { ALL_USERS, AUTHENTICATED_USERS } from '../../gateway/rules/acl/grants.ts'
import { accounts, alice, bob, root } from './accounts.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, clientOf, newBucket, raw } = await startConformance('us-east-1', { accounts })
const ofAlice = clientOf(alice.keys)
const ofBob = clientOf(bob.keys)
const unsigned = clientOf(undefined)

const Bucket = 'objects-with-acls'
await client.send(
  new CreateBucketCommand({ Bucket, ObjectOwnership: 'ObjectWriter', ACL: 'public-read-write' }),
)

const toAccount = (ID: string, Permission: Grant['Permission']): Grant => ({
  Grantee: { Type: 'CanonicalUser', ID },
  Permission,
})
const toGroup = (URI: string, Permission: Grant['Permission']): Grant => ({
  Grantee: { Type: 'Group', URI },
  Permission,
})
const full = (ID: string) => toAccount(ID, 'FULL_CONTROL')

let made = 0

/** An object of alice's in root's bucket. */
async function newObject(): Promise<string> {
  const Key = `object-${(made += 1)}`
  await ofAlice.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  return Key
}

type Change = Omit<PutObjectAclCommandInput, 'Bucket' | 'Key'>

async function put(change: Change, Key?: string): Promise<string> {
  const name = Key ?? (await newObject())
  await ofAlice.send(new PutObjectAclCommand({ Bucket, Key: name, ...change }))
  return name
}

async function grantsOf(Key: string, VersionId?: string): Promise<Grant[] | undefined> {
  const { Owner, Grants } = await ofAlice.send(
    new GetObjectAclCommand({ Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) }),
  )
  assert.deepEqual(Owner, { ID: alice.canonicalId })
  return Grants
}

describe('canned lists', () => {
  const owner = full(alice.canonicalId)
  const cases: [PutObjectAclCommandInput['ACL'] & string, Grant[]][] = [
    ['private', [owner]],
    ['public-read', [owner, toGroup(ALL_USERS, 'READ')]],
    ['public-read-write', [owner, toGroup(ALL_USERS, 'READ'), toGroup(ALL_USERS, 'WRITE')]],
    ['authenticated-read', [owner, toGroup(AUTHENTICATED_USERS, 'READ')]],
    ['aws-exec-read', [owner, toAccount(EC2_IMAGES_ID, 'READ')]],
    ['bucket-owner-read', [owner, toAccount(root.id, 'READ')]],
    ['bucket-owner-full-control', [owner, full(root.id)]],
  ]
  for (const [ACL, grants] of cases) {
    test(ACL, async () => {
      const Key = await put({ ACL: ACL === 'private' ? 'public-read' : 'private' })
      assert.deepEqual(await grantsOf(await put({ ACL }, Key)), grants)
      // As one that the object was put with.
      await ofAlice.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ACL }))
      assert.deepEqual(await grantsOf(Key), grants)
    })
  }
})

test('grant headers replace the list, the owner’s part of it too', async () => {
  const Key = await put({ GrantRead: `uri="${ALL_USERS}"`, GrantWriteACP: `id=${bob.canonicalId}` })
  assert.deepEqual(await grantsOf(Key), [toGroup(ALL_USERS, 'READ'), toAccount(bob.canonicalId, 'WRITE_ACP')])
  await ofAlice.send(new HeadObjectCommand({ Bucket, Key }))
})

describe('the document', () => {
  const policy = (Grants: Grant[], ID = alice.canonicalId): Change => ({
    AccessControlPolicy: { Owner: { ID }, Grants },
  })

  test('replaces the list', async () => {
    const grants = [toAccount(bob.canonicalId, 'READ_ACP'), toGroup(AUTHENTICATED_USERS, 'READ')]
    assert.deepEqual(await grantsOf(await put(policy(grants))), grants)
  })

  test('cannot change the owner, not even for whoever may write the list', async () => {
    const Key = await put({ GrantFullControl: `id=${bob.canonicalId}` })
    const change = (ID: string) =>
      new PutObjectAclCommand({ Bucket, Key, ...policy([full(bob.canonicalId)], ID) })
    await assert.rejects(ofBob.send(change(bob.canonicalId)), s3Error('AccessDenied', 403))
    await ofBob.send(change(alice.canonicalId))
    assert.deepEqual(await grantsOf(Key), [full(bob.canonicalId)])
  })

  test('refused: too many grants, no such account, not the schema, headers beside it', async () => {
    const many = Array.from({ length: 101 }, () => full(bob.canonicalId))
    await assert.rejects(put(policy(many)), s3Error('MalformedACLError', 400))
    await assert.rejects(put(policy([full('0123')])), s3Error('InvalidArgument', 400, 'Invalid id'))
    await assert.rejects(put({ ...policy([]), ACL: 'private' }), s3Error('UnexpectedContent', 400))
    const answer = await raw({ method: 'PUT', target: `/${Bucket}/${await newObject()}?acl`, body: '<ACL/>' })
    // The document is read before the object is.
    assert.deepEqual([answer.status, answer.code], [400, 'MalformedACLError'])
  })

  test('an owner that nobody knows keeps its place', async () => {
    const Key = 'nobodys'
    await unsigned.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    await unsigned.send(
      new PutObjectAclCommand({ Bucket, Key, ...policy([full(ANONYMOUS_ID), full(root.id)], ANONYMOUS_ID) }),
    )
    const { Grants } = await client.send(new GetObjectAclCommand({ Bucket, Key }))
    assert.deepEqual(Grants, [full(ANONYMOUS_ID), full(root.id)])
  })
})

test('no list at all', async () => {
  const Key = 'nothing'
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  const { status, code } = await raw({ method: 'PUT', target: `/${Bucket}/${Key}?acl` })
  assert.deepEqual([status, code], [400, 'MissingSecurityHeader'])
})

test('the object is the same otherwise', async () => {
  const Key = 'kept'
  await ofAlice.send(
    new PutObjectCommand({ Bucket, Key, Body: 'x', Metadata: { note: 'kept' }, Tagging: '' }),
  )
  const before = await ofAlice.send(new HeadObjectCommand({ Bucket, Key }))
  await put({ ACL: 'public-read' }, Key)
  const after = await ofBob.send(new HeadObjectCommand({ Bucket, Key }))
  assert.deepEqual(
    [after.ETag, after.LastModified, after.Metadata, after.ContentLength],
    [before.ETag, before.LastModified, before.Metadata, before.ContentLength],
  )
})

test('an object put anew has no list of the one before', async () => {
  const Key = await put({ ACL: 'public-read' })
  await ofAlice.send(new PutObjectCommand({ Bucket, Key, Body: 'again' }))
  assert.deepEqual(await grantsOf(Key), [full(alice.canonicalId)])
})

test('only for the owner and whoever has WRITE_ACP', async () => {
  const Key = await put({ GrantWriteACP: `id=${bob.canonicalId}` })
  const change = new PutObjectAclCommand({ Bucket, Key, ACL: 'private' })
  for (const sender of [client, unsigned]) {
    await assert.rejects(sender.send(change), s3Error('AccessDenied', 403))
  }
  await ofBob.send(change)
  await assert.rejects(ofBob.send(change), s3Error('AccessDenied', 403))
})

test('BucketOwnerEnforced takes no list', async () => {
  const enforced = await newBucket()
  await client.send(new PutObjectCommand({ Bucket: enforced, Key: 'key', Body: 'x' }))
  for (const ACL of ['private', 'public-read', 'bucket-owner-full-control'] as const) {
    const change = client.send(new PutObjectAclCommand({ Bucket: enforced, Key: 'key', ACL }))
    await assert.rejects(change, s3Error('AccessControlListNotSupported', 400))
  }
  // What is no list is refused as such first.
  const nobody = client.send(
    new PutObjectAclCommand({ Bucket: enforced, Key: 'key', GrantRead: 'id=nobody' }),
  )
  await assert.rejects(nobody, s3Error('InvalidArgument', 400, 'Invalid id'))
  const putWith = (ACL: 'private' | 'public-read' | 'bucket-owner-full-control') =>
    client.send(new PutObjectCommand({ Bucket: enforced, Key: 'key', Body: 'x', ACL }))
  await putWith('bucket-owner-full-control')
  for (const ACL of ['private', 'public-read'] as const) {
    await assert.rejects(
      putWith(ACL),
      s3Error('AccessControlListNotSupported', 400, 'The bucket does not allow ACLs'),
    )
  }
})

test('NoSuchKey and NoSuchBucket', async () => {
  const change = (name: string) =>
    client.send(new PutObjectAclCommand({ Bucket: name, Key: 'none', ACL: 'private' }))
  await assert.rejects(change(Bucket), s3Error('NoSuchKey', 404))
  await assert.rejects(change('not-there'), s3Error('NoSuchBucket', 404))
})

describe('versions', () => {
  test('each has its own list; delete markers have none', async () => {
    const versioned = 'versioned-acls'
    await client.send(new CreateBucketCommand({ Bucket: versioned, ObjectOwnership: 'ObjectWriter' }))
    await client.send(
      new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration: { Status: 'Enabled' } }),
    )
    const Key = 'key'
    const putVersion = async () =>
      (await client.send(new PutObjectCommand({ Bucket: versioned, Key, Body: 'x' }))).VersionId
    const first = await putVersion()
    const second = await putVersion()
    assert.ok(first !== undefined && second !== undefined && first !== second)
    await client.send(
      new PutObjectAclCommand({ Bucket: versioned, Key, VersionId: first, ACL: 'public-read' }),
    )
    const grants = async (VersionId?: string) =>
      (
        await client.send(
          new GetObjectAclCommand({ Bucket: versioned, Key, ...(VersionId && { VersionId }) }),
        )
      ).Grants?.length
    assert.deepEqual([await grants(first), await grants(second), await grants()], [2, 1, 1])
    await client.send(new PutObjectAclCommand({ Bucket: versioned, Key, ACL: 'public-read-write' }))
    assert.deepEqual([await grants(first), await grants(second), await grants()], [2, 3, 3])

    const { VersionId: marker } = await client.send(new DeleteObjectCommand({ Bucket: versioned, Key }))
    assert.ok(marker !== undefined)
    const get = (VersionId?: string) =>
      client.send(new GetObjectAclCommand({ Bucket: versioned, Key, ...(VersionId && { VersionId }) }))
    const change = (VersionId?: string) =>
      client.send(
        new PutObjectAclCommand({ Bucket: versioned, Key, ACL: 'private', ...(VersionId && { VersionId }) }),
      )
    await assert.rejects(get(), s3Error('NoSuchKey', 404))
    await assert.rejects(change(), s3Error('MethodNotAllowed', 405))
    await assert.rejects(get(marker), s3Error('MethodNotAllowed', 405))
    await assert.rejects(change(marker), s3Error('MethodNotAllowed', 405))
    assert.equal(await grants(second), 3)
  })

  test('a version that is none', async () => {
    const Key = await newObject()
    const malformed = put({ ACL: 'private', VersionId: 'no version' }, Key)
    await assert.rejects(malformed, s3Error('InvalidArgument', 400))
  })
})
