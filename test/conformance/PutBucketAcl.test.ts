import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CreateBucketCommand,
  GetBucketAclCommand,
  PutBucketAclCommand,
  type BucketCannedACL,
  type Grant,
  type PutBucketAclCommandInput,
} from '@aws-sdk/client-s3'
import { ANONYMOUS_ID } from '../../gateway/accounts/account.ts'
import { EC2_IMAGES_ID } from '../../gateway/rules/acl/canned.ts'
import { ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY } from '../../gateway/rules/acl/grants.ts'
import { accounts, alice, bob, root } from './accounts.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, clientOf, raw } = await startConformance('us-east-1', { accounts })

let made = 0

async function bucketWithAcls(): Promise<string> {
  const Bucket = `acl-${(made += 1)}`
  await client.send(new CreateBucketCommand({ Bucket, ObjectOwnership: 'ObjectWriter' }))
  return Bucket
}

const toAccount = (ID: string, Permission: Grant['Permission']): Grant => ({
  Grantee: { Type: 'CanonicalUser', ID },
  Permission,
})
const toGroup = (URI: string, Permission: Grant['Permission']): Grant => ({
  Grantee: { Type: 'Group', URI },
  Permission,
})
const owner = toAccount(root.id, 'FULL_CONTROL')

type Change = Omit<PutBucketAclCommandInput, 'Bucket'>

async function put(change: Change, Bucket?: string): Promise<string> {
  const name = Bucket ?? (await bucketWithAcls())
  await client.send(new PutBucketAclCommand({ Bucket: name, ...change }))
  return name
}

async function grantsAfter(change: Change): Promise<Grant[] | undefined> {
  const Bucket = await put(change)
  const { Owner, Grants } = await client.send(new GetBucketAclCommand({ Bucket }))
  assert.deepEqual(Owner, { ID: root.id })
  return Grants
}

describe('canned lists', () => {
  const cases: [string, Grant[]][] = [
    ['private', [owner]],
    ['public-read', [owner, toGroup(ALL_USERS, 'READ')]],
    ['public-read-write', [owner, toGroup(ALL_USERS, 'READ'), toGroup(ALL_USERS, 'WRITE')]],
    ['authenticated-read', [owner, toGroup(AUTHENTICATED_USERS, 'READ')]],
    ['aws-exec-read', [owner, toAccount(EC2_IMAGES_ID, 'READ')]],
    // S3 ignores these two where there is no object.
    ['bucket-owner-read', [owner]],
    ['bucket-owner-full-control', [owner]],
    ['log-delivery-write', [owner, toGroup(LOG_DELIVERY, 'WRITE'), toGroup(LOG_DELIVERY, 'READ_ACP')]],
  ]
  for (const [name, grants] of cases) {
    test(name, async () => {
      const Bucket = await bucketWithAcls()
      const { status } = await raw({
        method: 'PUT',
        target: `/${Bucket}?acl`,
        headers: { 'x-amz-acl': name },
      })
      assert.equal(status, 200)
      const answer = await client.send(new GetBucketAclCommand({ Bucket }))
      assert.deepEqual(answer.Grants, grants)
    })
  }

  test('another name', async () => {
    const denied = put({ ACL: 'public' as BucketCannedACL })
    await assert.rejects(denied, s3Error('InvalidArgument', 400))
  })
})

describe('grant headers', () => {
  test('every permission, several grantees, with and without quotes', async () => {
    const grants = await grantsAfter({
      GrantRead: `uri="${ALL_USERS}", id=${alice.canonicalId}`,
      GrantWrite: `id="${alice.canonicalId}"`,
      GrantReadACP: `id="${bob.canonicalId.toUpperCase()}"`,
      GrantWriteACP: `uri=${LOG_DELIVERY}`,
      GrantFullControl: `id=${root.id},id=${ANONYMOUS_ID}`,
    })
    assert.deepEqual(grants, [
      toGroup(ALL_USERS, 'READ'),
      toAccount(alice.canonicalId, 'READ'),
      toAccount(alice.canonicalId, 'WRITE'),
      toAccount(bob.canonicalId, 'READ_ACP'),
      toGroup(LOG_DELIVERY, 'WRITE_ACP'),
      owner,
      toAccount(ANONYMOUS_ID, 'FULL_CONTROL'),
    ])
  })

  test('refused, with the argument', async () => {
    const Bucket = await bucketWithAcls()
    const cases: [Record<string, string>, string, string, string, string][] = [
      [
        { 'x-amz-grant-read': 'whoever' },
        'InvalidArgument',
        'Argument format not recognized',
        'x-amz-grant-read',
        'whoever',
      ],
      [
        { 'x-amz-grant-write': 'name=alice' },
        'InvalidArgument',
        'Argument format not recognized',
        'x-amz-grant-write',
        'name=alice',
      ],
      [{ 'x-amz-grant-read': 'id="0123"' }, 'InvalidArgument', 'Invalid id', 'id', '0123'],
      [
        { 'x-amz-grant-read': `id="${'9'.repeat(64)}"` },
        'InvalidArgument',
        'Invalid id',
        'id',
        '9'.repeat(64),
      ],
      [
        { 'x-amz-grant-read': 'uri="http://nowhere"' },
        'InvalidArgument',
        'Invalid group uri',
        'uri',
        'http://nowhere',
      ],
    ]
    for (const [headers, code, message, name, value] of cases) {
      const { status, body } = await raw({ method: 'PUT', target: `/${Bucket}?acl`, headers })
      assert.equal(status, 400)
      const expected = `<Code>${code}</Code><Message>${message}</Message><ArgumentName>${name}</ArgumentName><ArgumentValue>${value}</ArgumentValue>`
      assert.ok(body.includes(expected), body)
    }
  })

  test('e-mail addresses are resolved no more', async () => {
    const denied = put({ GrantRead: 'emailAddress="alice@example.com"' })
    await assert.rejects(denied, s3Error('MethodNotAllowed', 405))
  })

  test('together with a canned list', async () => {
    const denied = put({ ACL: 'private', GrantRead: `id=${alice.canonicalId}` })
    const message = 'Specifying both Canned ACLs and Header Grants is not allowed'
    await assert.rejects(denied, s3Error('InvalidRequest', 400, message))
  })
})

describe('the document', () => {
  const policy = (Grants: Grant[], ID: string = root.id): Change => ({
    AccessControlPolicy: { Owner: { ID }, Grants },
  })

  test('replaces the list, and may leave the owner out', async () => {
    const grants = [toAccount(alice.canonicalId, 'WRITE_ACP'), toGroup(AUTHENTICATED_USERS, 'READ')]
    assert.deepEqual(await grantsAfter(policy(grants)), grants)
  })

  test('may be empty: the owner keeps its rights', async () => {
    const Bucket = await put(policy([]))
    assert.deepEqual((await client.send(new GetBucketAclCommand({ Bucket }))).Grants ?? [], [])
    await put(policy([owner]), Bucket)
    assert.deepEqual((await client.send(new GetBucketAclCommand({ Bucket }))).Grants, [owner])
  })

  test('100 grants and no more', async () => {
    const hundred = Array.from({ length: 100 }, () => toAccount(alice.canonicalId, 'READ'))
    assert.equal((await grantsAfter(policy(hundred)))?.length, 100)
    await assert.rejects(put(policy([...hundred, owner])), s3Error('MalformedACLError', 400))
  })

  test('another owner', async () => {
    await assert.rejects(put(policy([owner], alice.canonicalId)), s3Error('AccessDenied', 403))
    await assert.rejects(put(policy([owner], 'nobody')), s3Error('InvalidArgument', 400, 'Invalid id'))
  })

  test('grantees that are none', async () => {
    const cases: [Grant, string, number, string?][] = [
      [toAccount('_foo', 'READ'), 'InvalidArgument', 400, 'Invalid id'],
      [toAccount('9'.repeat(64), 'READ'), 'InvalidArgument', 400, 'Invalid id'],
      [toGroup('http://nowhere', 'READ'), 'InvalidArgument', 400, 'Invalid group uri'],
      [toGroup(ALL_USERS, 'EVERYTHING' as 'READ'), 'MalformedACLError', 400],
      [{ Permission: 'READ' }, 'MalformedACLError', 400],
      [{ Grantee: { Type: 'CanonicalUser' }, Permission: 'READ' }, 'MalformedACLError', 400],
      [{ Grantee: { Type: 'Group' }, Permission: 'READ' }, 'MalformedACLError', 400],
      [{ Grantee: { Type: 'Robot' as 'Group', ID: root.id }, Permission: 'READ' }, 'MalformedACLError', 400],
      [{ Grantee: { Type: 'AmazonCustomerByEmail' }, Permission: 'READ' }, 'MalformedACLError', 400],
      [
        { Grantee: { Type: 'AmazonCustomerByEmail', EmailAddress: 'a@b.example' }, Permission: 'READ' },
        'MethodNotAllowed',
        405,
      ],
    ]
    for (const [grant, code, status, message] of cases) {
      await assert.rejects(put(policy([grant])), s3Error(code, status, message), JSON.stringify(grant))
    }
  })

  test('that is none, or lacks its parts', async () => {
    const Bucket = await bucketWithAcls()
    const documents = [
      '<AccessControlPolicy>',
      'not xml',
      '<AccessControlPolicy></AccessControlPolicy>',
      '<AccessControlPolicy><AccessControlList></AccessControlList></AccessControlPolicy>',
      `<AccessControlPolicy><Owner><ID>${root.id}</ID></Owner></AccessControlPolicy>`,
    ]
    for (const body of documents) {
      const answer = await raw({ method: 'PUT', target: `/${Bucket}?acl`, body })
      assert.deepEqual([answer.status, answer.code], [400, 'MalformedACLError'], body)
    }
  })

  test('together with headers', async () => {
    const denied = put({ ...policy([owner]), ACL: 'private' })
    await assert.rejects(denied, s3Error('UnexpectedContent', 400))
    const grants = put({ ...policy([owner]), GrantRead: `id=${root.id}` })
    await assert.rejects(grants, s3Error('UnexpectedContent', 400))
  })
})

test('nothing at all', async () => {
  const Bucket = await bucketWithAcls()
  const { status, code, body } = await raw({ method: 'PUT', target: `/${Bucket}?acl` })
  assert.deepEqual([status, code], [400, 'MissingSecurityHeader'])
  assert.match(body, /<MissingHeaderName>x-amz-acl<\/MissingHeaderName>/)
})

test('what is no list is refused as such, also under BucketOwnerEnforced', async () => {
  const Bucket = 'acl-enforced-malformed'
  await client.send(new CreateBucketCommand({ Bucket }))
  await assert.rejects(put({ GrantRead: 'id=nobody' }, Bucket), s3Error('InvalidArgument', 400, 'Invalid id'))
  await assert.rejects(put({ AccessControlPolicy: {} }, Bucket), s3Error('MalformedACLError', 400))
  await assert.rejects(put({}, Bucket), s3Error('MissingSecurityHeader', 400))
  await assert.rejects(
    put({ ACL: 'private', GrantRead: `id=${root.id}` }, Bucket),
    s3Error('InvalidRequest', 400),
  )
})

test('BucketOwnerEnforced takes no list, be it the default one', async () => {
  const Bucket = 'acl-enforced'
  await client.send(new CreateBucketCommand({ Bucket }))
  for (const change of [
    { ACL: 'private' },
    { ACL: 'public-read' },
    { GrantFullControl: `id=${root.id}` },
    { AccessControlPolicy: { Owner: { ID: root.id }, Grants: [owner] } },
  ] satisfies Change[]) {
    await assert.rejects(
      put(change, Bucket),
      s3Error('AccessControlListNotSupported', 400, 'The bucket does not allow ACLs'),
    )
  }
})

test('by whoever has WRITE_ACP; the owner stays who it is', async () => {
  const Bucket = await put({ GrantWriteACP: `id=${alice.canonicalId}` })
  const change = new PutBucketAclCommand({ Bucket, ACL: 'public-read' })
  await assert.rejects(clientOf(bob.keys).send(change), s3Error('AccessDenied', 403))
  await assert.rejects(clientOf(undefined).send(change), s3Error('AccessDenied', 403))
  await clientOf(alice.keys).send(change)
  const { Owner, Grants } = await client.send(new GetBucketAclCommand({ Bucket }))
  assert.deepEqual([Owner?.ID, Grants], [root.id, [owner, toGroup(ALL_USERS, 'READ')]])
  // Which took WRITE_ACP away from alice as well.
  await assert.rejects(clientOf(alice.keys).send(change), s3Error('AccessDenied', 403))
})

test('NoSuchBucket, whoever asks', async () => {
  for (const keys of [alice.keys, undefined]) {
    const change = new PutBucketAclCommand({ Bucket: 'not-there', ACL: 'private' })
    await assert.rejects(clientOf(keys).send(change), s3Error('NoSuchBucket', 404))
  }
})

test('x-amz-expected-bucket-owner', async () => {
  const Bucket = await bucketWithAcls()
  await put({ ACL: 'private', ExpectedBucketOwner: root.accountId }, Bucket)
  const denied = put({ ACL: 'private', ExpectedBucketOwner: alice.accountId }, Bucket)
  await assert.rejects(denied, s3Error('AccessDenied', 403))
  const malformed = put({ ACL: 'private', ExpectedBucketOwner: root.id }, Bucket)
  await assert.rejects(malformed, s3Error('InvalidBucketOwnerAWSAccountID', 400))
})
