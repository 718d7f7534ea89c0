/**
 * Who may do what: every sender × every list × every operation, held against tables written by hand from the User Guide
 * ("Access control list (ACL) overview"), and not from the code.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { accounts, alice, bob, root } from './accounts.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, clientOf, raw } = await startConformance('us-east-1', { accounts })

const senders = {
  owner: client,
  alice: clientOf(alice.keys),
  bob: clientOf(bob.keys),
  nobody: clientOf(undefined),
}
type SenderName = keyof typeof senders
const others = ['alice', 'bob', 'nobody'] as const

/** What each of the others gets, by the letters of the operations below. */
type Rights = readonly [alice: string, bob: string, nobody: string]

/** As CreateBucket and PutObject both take them, but for the two canned lists that only objects have. */
interface ListHeaders extends Pick<
  s3.CreateBucketCommandInput,
  'GrantRead' | 'GrantWrite' | 'GrantReadACP' | 'GrantWriteACP' | 'GrantFullControl'
> {
  readonly ACL?: s3.BucketCannedACL
}

interface List {
  readonly headers: ListHeaders
  readonly rights: Rights
}

const toAlice = `id=${alice.canonicalId}`

/** L: list, P: put, r: read the list, w: write the list. */
const bucketLists: Readonly<Record<string, List>> = {
  none: { headers: {}, rights: ['', '', ''] },
  private: { headers: { ACL: 'private' }, rights: ['', '', ''] },
  'public-read': { headers: { ACL: 'public-read' }, rights: ['L', 'L', 'L'] },
  'public-read-write': { headers: { ACL: 'public-read-write' }, rights: ['LP', 'LP', 'LP'] },
  'authenticated-read': { headers: { ACL: 'authenticated-read' }, rights: ['L', 'L', ''] },
  'alice READ': { headers: { GrantRead: toAlice }, rights: ['L', '', ''] },
  'alice WRITE': { headers: { GrantWrite: toAlice }, rights: ['P', '', ''] },
  'alice READ_ACP': { headers: { GrantReadACP: toAlice }, rights: ['r', '', ''] },
  'alice WRITE_ACP': { headers: { GrantWriteACP: toAlice }, rights: ['w', '', ''] },
  'alice FULL_CONTROL': { headers: { GrantFullControl: toAlice }, rights: ['LPrw', '', ''] },
}

/** G: get, r: read the list, w: write the list. */
const objectLists: Readonly<Record<string, List>> = {
  none: { headers: {}, rights: ['', '', ''] },
  private: { headers: { ACL: 'private' }, rights: ['', '', ''] },
  'public-read': { headers: { ACL: 'public-read' }, rights: ['G', 'G', 'G'] },
  'public-read-write': { headers: { ACL: 'public-read-write' }, rights: ['G', 'G', 'G'] },
  'authenticated-read': { headers: { ACL: 'authenticated-read' }, rights: ['G', 'G', ''] },
  'alice READ': { headers: { GrantRead: toAlice }, rights: ['G', '', ''] },
  'alice READ_ACP': { headers: { GrantReadACP: toAlice }, rights: ['r', '', ''] },
  'alice WRITE_ACP': { headers: { GrantWriteACP: toAlice }, rights: ['w', '', ''] },
  'alice FULL_CONTROL': { headers: { GrantFullControl: toAlice }, rights: ['Grw', '', ''] },
}

/** The letter that lets do it; an empty one: the owner alone. */
type Operation = readonly [
  letter: string,
  run: (by: s3.S3Client, Bucket: string, Key: string) => Promise<unknown>,
]

const tags = { TagSet: [{ Key: 'a', Value: 'b' }] }

const bucketOperations: Readonly<Record<string, Operation>> = {
  HeadBucket: ['L', (by, Bucket) => by.send(new s3.HeadBucketCommand({ Bucket }))],
  ListObjects: ['L', (by, Bucket) => by.send(new s3.ListObjectsCommand({ Bucket }))],
  ListObjectsV2: ['L', (by, Bucket) => by.send(new s3.ListObjectsV2Command({ Bucket }))],
  ListMultipartUploads: ['L', (by, Bucket) => by.send(new s3.ListMultipartUploadsCommand({ Bucket }))],
  PutObject: ['P', (by, Bucket, Key) => by.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'x' }))],
  GetBucketAcl: ['r', (by, Bucket) => by.send(new s3.GetBucketAclCommand({ Bucket }))],
  GetBucketLocation: ['', (by, Bucket) => by.send(new s3.GetBucketLocationCommand({ Bucket }))],
  GetBucketVersioning: ['', (by, Bucket) => by.send(new s3.GetBucketVersioningCommand({ Bucket }))],
  GetBucketOwnershipControls: [
    '',
    (by, Bucket) => by.send(new s3.GetBucketOwnershipControlsCommand({ Bucket })),
  ],
  PutBucketTagging: ['', (by, Bucket) => by.send(new s3.PutBucketTaggingCommand({ Bucket, Tagging: tags }))],
  'PutObject with tags': [
    '',
    (by, Bucket, Key) => by.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'x', Tagging: 'a=b' })),
  ],
  DeleteBucket: ['', (by, Bucket) => by.send(new s3.DeleteBucketCommand({ Bucket }))],
}

/** Last, and each on a list of its own: what it changes is what the others are judged by. */
const bucketChanges: Readonly<Record<string, Operation>> = {
  PutBucketAcl: ['w', (by, Bucket) => by.send(new s3.PutBucketAclCommand({ Bucket, ACL: 'private' }))],
}

const objectOperations: Readonly<Record<string, Operation>> = {
  GetObject: ['G', (by, Bucket, Key) => by.send(new s3.GetObjectCommand({ Bucket, Key }))],
  HeadObject: ['G', (by, Bucket, Key) => by.send(new s3.HeadObjectCommand({ Bucket, Key }))],
  GetObjectAcl: ['r', (by, Bucket, Key) => by.send(new s3.GetObjectAclCommand({ Bucket, Key }))],
  GetObjectTagging: ['', (by, Bucket, Key) => by.send(new s3.GetObjectTaggingCommand({ Bucket, Key }))],
  PutObjectTagging: [
    '',
    (by, Bucket, Key) => by.send(new s3.PutObjectTaggingCommand({ Bucket, Key, Tagging: tags })),
  ],
  PutObject: ['', (by, Bucket, Key) => by.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'x' }))],
  DeleteObject: ['', (by, Bucket, Key) => by.send(new s3.DeleteObjectCommand({ Bucket, Key }))],
}

const objectChanges: Readonly<Record<string, Operation>> = {
  PutObjectAcl: [
    'w',
    (by, Bucket, Key) => by.send(new s3.PutObjectAclCommand({ Bucket, Key, ACL: 'private' })),
  ],
}

let made = 0

async function newBucket(
  list: ListHeaders = {},
  ObjectOwnership: s3.ObjectOwnership = 'ObjectWriter',
): Promise<string> {
  const Bucket = `authorization-${(made += 1)}`
  await client.send(new s3.CreateBucketCommand({ Bucket, ObjectOwnership, ...list }))
  return Bucket
}

/** Undefined: it was done. */
async function refusal(done: Promise<unknown>): Promise<string | undefined> {
  try {
    await done
    return undefined
  } catch (error) {
    assert.ok(error instanceof s3.S3ServiceException, String(error))
    // A HEAD has no document, and the SDK no name for 403.
    return error.$metadata.httpStatusCode === 403 ? 'AccessDenied' : error.name
  }
}

function rightsOf({ rights }: List, sender: SenderName): string {
  return sender === 'owner' ? 'everything' : (rights[others.indexOf(sender)] ?? '')
}

const may = (list: List, sender: SenderName, letter: string): boolean =>
  sender === 'owner' || (letter !== '' && rightsOf(list, sender).includes(letter))

describe('lists of buckets', () => {
  for (const [name, list] of Object.entries(bucketLists)) {
    test(name, async () => {
      const Bucket = await newBucket(list.headers)
      for (const sender of others) {
        for (const [operation, [letter, run]] of Object.entries(bucketOperations)) {
          const outcome = await refusal(run(senders[sender], Bucket, `by-${sender}`))
          const expected = may(list, sender, letter) ? undefined : 'AccessDenied'
          assert.equal(outcome, expected, `${operation} by ${sender}`)
        }
        for (const [operation, [letter, run]] of Object.entries(bucketChanges)) {
          const expected = may(list, sender, letter) ? undefined : 'AccessDenied'
          assert.equal(
            await refusal(run(senders[sender], await newBucket(list.headers), '')),
            expected,
            `${operation} by ${sender}`,
          )
        }
      }
      for (const [operation, [, run]] of Object.entries({ ...bucketOperations, ...bucketChanges })) {
        const outcome = await refusal(run(client, Bucket, 'by-owner'))
        assert.equal(
          outcome,
          operation === 'DeleteBucket' ? 'BucketNotEmpty' : undefined,
          `${operation} by the owner`,
        )
      }
    })
  }
})

describe('lists of objects', () => {
  for (const [name, list] of Object.entries(objectLists)) {
    test(name, async () => {
      const Bucket = await newBucket()
      const put = (Key: string) =>
        client.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'content', ...list.headers }))
      await put('key')
      for (const sender of [...others, 'owner'] as const) {
        for (const [operation, [letter, run]] of Object.entries(objectOperations)) {
          const outcome = await refusal(run(senders[sender], Bucket, 'key'))
          const expected = may(list, sender, letter) ? undefined : 'AccessDenied'
          assert.equal(outcome, expected, `${operation} by ${sender}`)
        }
        for (const [operation, [letter, run]] of Object.entries(objectChanges)) {
          const Key = `${operation}-${sender}`
          await put(Key)
          const expected = may(list, sender, letter) ? undefined : 'AccessDenied'
          assert.equal(
            await refusal(run(senders[sender], Bucket, Key)),
            expected,
            `${operation} by ${sender}`,
          )
        }
      }
    })
  }
})

describe('what is not there', () => {
  for (const [name, list] of Object.entries(bucketLists)) {
    test(`a key, with ${name}`, async () => {
      const Bucket = await newBucket(list.headers)
      for (const sender of [...others, 'owner'] as const) {
        const mayList = may(list, sender, 'L')
        const by = senders[sender]
        for (const [run, missing] of [
          [() => by.send(new s3.GetObjectCommand({ Bucket, Key: 'none' })), 'NoSuchKey'],
          [() => by.send(new s3.HeadObjectCommand({ Bucket, Key: 'none' })), 'NotFound'],
          [() => by.send(new s3.GetObjectAclCommand({ Bucket, Key: 'none' })), 'NoSuchKey'],
        ] as const) {
          assert.equal(await refusal(run()), mayList ? missing : 'AccessDenied', sender)
        }
      }
    })
  }

  test('a bucket is NoSuchBucket for everybody', async () => {
    const operations = { ...bucketOperations, ...bucketChanges, ...objectOperations, ...objectChanges }
    for (const by of Object.values(senders)) {
      for (const [operation, [, run]] of Object.entries(operations)) {
        const outcome = await refusal(run(by, 'not-there', 'key'))
        assert.equal(outcome, operation.startsWith('Head') ? 'NotFound' : 'NoSuchBucket', operation)
      }
    }
  })
})

test('BucketOwnerEnforced: lists of before count for nothing', async () => {
  const Bucket = await newBucket()
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'key', Body: 'x', ACL: 'public-read' }))
  const rule = { ObjectOwnership: 'BucketOwnerEnforced' } as const
  await senders.bob.send(new s3.GetObjectCommand({ Bucket, Key: 'key' }))
  await client.send(
    new s3.PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls: { Rules: [rule] } }),
  )
  for (const sender of others) {
    const outcome = await refusal(senders[sender].send(new s3.GetObjectCommand({ Bucket, Key: 'key' })))
    assert.equal(outcome, 'AccessDenied')
  }
})

describe('objects that others own', () => {
  test('the bucket owner removes them, and reads them only if their list says so', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    const put = (Key: string, ACL?: s3.ObjectCannedACL) =>
      senders.alice.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'of alice', ...(ACL && { ACL }) }))
    await put('own')
    await put('shown', 'bucket-owner-read')
    await put('given', 'bucket-owner-full-control')
    const get = (by: s3.S3Client, Key: string) => refusal(by.send(new s3.GetObjectCommand({ Bucket, Key })))
    const readAcl = (by: s3.S3Client, Key: string) =>
      refusal(by.send(new s3.GetObjectAclCommand({ Bucket, Key })))
    assert.deepEqual(await Promise.all(['own', 'shown', 'given'].map((Key) => get(client, Key))), [
      'AccessDenied',
      undefined,
      undefined,
    ])
    assert.deepEqual(await Promise.all(['own', 'shown', 'given'].map((Key) => readAcl(client, Key))), [
      'AccessDenied',
      'AccessDenied',
      undefined,
    ])
    for (const Key of ['own', 'shown', 'given']) assert.equal(await get(senders.alice, Key), undefined)
    assert.equal(await get(senders.bob, 'own'), 'AccessDenied')
    const acl = await senders.alice.send(new s3.GetObjectAclCommand({ Bucket, Key: 'given' }))
    assert.equal(acl.Owner?.ID, alice.canonicalId)
    await client.send(new s3.DeleteObjectCommand({ Bucket, Key: 'own' }))
    assert.equal(await get(senders.alice, 'own'), 'NoSuchKey')
  })

  test('BucketOwnerPreferred gives them to the bucket owner if asked to', async () => {
    const Bucket = await newBucket({ GrantWrite: toAlice }, 'BucketOwnerPreferred')
    const ownerAfter = async (ACL?: s3.ObjectCannedACL) => {
      await senders.alice.send(
        new s3.PutObjectCommand({ Bucket, Key: 'key', Body: 'x', ...(ACL && { ACL }) }),
      )
      const { Contents } = await client.send(new s3.ListObjectsV2Command({ Bucket, FetchOwner: true }))
      return Contents?.[0]?.Owner?.ID
    }
    assert.equal(await ownerAfter(), alice.canonicalId)
    assert.equal(await ownerAfter('bucket-owner-full-control'), root.id)
    assert.equal(
      await refusal(senders.alice.send(new s3.GetObjectCommand({ Bucket, Key: 'key' }))),
      'AccessDenied',
    )
  })

  test('who may write overwrites anything, and removes what is its own', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    const put = (by: s3.S3Client, Key: string) => by.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'x' }))
    const remove = (by: s3.S3Client, Key: string) =>
      refusal(by.send(new s3.DeleteObjectCommand({ Bucket, Key })))
    await put(client, 'roots')
    await put(senders.alice, 'alices')
    await put(senders.nobody, 'nobodys')
    assert.equal(await remove(senders.bob, 'roots'), 'AccessDenied')
    assert.equal(await remove(senders.nobody, 'alices'), 'AccessDenied')
    assert.equal(await remove(senders.alice, 'nobodys'), 'AccessDenied')
    const keys = ['roots', 'alices', 'nobodys', 'none']
    const answer = await senders.alice.send(
      new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }),
    )
    assert.deepEqual(
      answer.Deleted?.map(({ Key }) => Key),
      ['alices', 'none'],
    )
    assert.deepEqual(
      answer.Errors?.map(({ Key, Code }) => [Key, Code]),
      [
        ['roots', 'AccessDenied'],
        ['nobodys', 'AccessDenied'],
      ],
    )
    await put(senders.bob, 'roots')
    assert.equal(await remove(senders.bob, 'roots'), undefined)
    assert.equal(await remove(senders.nobody, 'nobodys'), undefined)
  })

  test('nobody known owns what it puts', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    await senders.nobody.send(new s3.PutObjectCommand({ Bucket, Key: 'key', Body: 'x' }))
    const { Owner } = await senders.nobody.send(new s3.GetObjectAclCommand({ Bucket, Key: 'key' }))
    assert.equal(Owner?.ID, '65a011a29cdf8ec533ec3d1ccaae921c')
    assert.equal(await refusal(client.send(new s3.GetObjectCommand({ Bucket, Key: 'key' }))), 'AccessDenied')
    await senders.nobody.send(new s3.GetObjectCommand({ Bucket, Key: 'key' }))
  })
})

describe('copies', () => {
  test('need the source to be readable and the destination to be writable', async () => {
    const from = await newBucket()
    const to = await newBucket({ GrantWrite: toAlice })
    const put = (Key: string, ACL: s3.ObjectCannedACL) =>
      client.send(new s3.PutObjectCommand({ Bucket: from, Key, Body: 'x', ACL }))
    await put('hidden', 'private')
    await put('shown', 'public-read')
    const copy = (by: s3.S3Client, Bucket: string, source: string) =>
      refusal(by.send(new s3.CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${from}/${source}` })))
    assert.equal(await copy(senders.alice, to, 'shown'), undefined)
    assert.equal(await copy(senders.alice, to, 'hidden'), 'AccessDenied')
    assert.equal(await copy(senders.alice, to, 'none'), 'AccessDenied')
    assert.equal(await copy(senders.alice, from, 'shown'), 'AccessDenied')
    assert.equal(await copy(senders.bob, to, 'shown'), 'AccessDenied')
    assert.equal(await copy(client, to, 'none'), 'NoSuchKey')
    // The copy has a list of its own, and alice owns it.
    assert.equal(
      await refusal(client.send(new s3.GetObjectCommand({ Bucket: to, Key: 'copy' }))),
      'AccessDenied',
    )
    const nobodys = senders.nobody.send(
      new s3.CopyObjectCommand({ Bucket: to, Key: 'copy', CopySource: `${from}/shown` }),
    )
    await assert.rejects(
      nobodys,
      s3Error('AccessDenied', 403, 'Anonymous users cannot copy objects.  Please authenticate.'),
    )
  })

  test('take tags over only for the owner of both buckets', async () => {
    const from = await newBucket()
    const to = await newBucket({ GrantWrite: toAlice })
    await client.send(
      new s3.PutObjectCommand({ Bucket: from, Key: 'tagged', Body: 'x', Tagging: 'a=b', ACL: 'public-read' }),
    )
    const copy = (by: s3.S3Client, TaggingDirective: s3.TaggingDirective) =>
      refusal(
        by.send(
          new s3.CopyObjectCommand({
            Bucket: to,
            Key: 'copy',
            CopySource: `${from}/tagged`,
            TaggingDirective,
          }),
        ),
      )
    assert.equal(await copy(senders.alice, 'COPY'), 'AccessDenied')
    assert.equal(await copy(senders.alice, 'REPLACE'), undefined)
    assert.equal(await copy(client, 'COPY'), undefined)
  })

  test('x-amz-source-expected-bucket-owner', async () => {
    const Bucket = await newBucket()
    await client.send(new s3.PutObjectCommand({ Bucket, Key: 'key', Body: 'x' }))
    const copy = (ExpectedSourceBucketOwner: string) =>
      client.send(
        new s3.CopyObjectCommand({
          Bucket,
          Key: 'copy',
          CopySource: `${Bucket}/key`,
          ExpectedSourceBucketOwner,
        }),
      )
    await copy(root.accountId)
    await assert.rejects(copy(bob.accountId), s3Error('AccessDenied', 403))
    await assert.rejects(copy('bob'), s3Error('InvalidBucketOwnerAWSAccountID', 400))
  })
})

describe('uploads', () => {
  test('are of whoever began them, and of the bucket owner', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    const Key = 'key'
    const { UploadId } = await senders.alice.send(
      new s3.CreateMultipartUploadCommand({ Bucket, Key, ACL: 'authenticated-read' }),
    )
    const { ETag } = await senders.alice.send(
      new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' }),
    )
    const list = (by: s3.S3Client) => refusal(by.send(new s3.ListPartsCommand({ Bucket, Key, UploadId })))
    const abort = (by: s3.S3Client) =>
      refusal(by.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId })))
    assert.deepEqual(await Promise.all(Object.values(senders).map(list)), [
      undefined,
      undefined,
      'AccessDenied',
      'AccessDenied',
    ])
    assert.equal(await abort(senders.bob), 'AccessDenied')
    assert.equal(await abort(senders.nobody), 'AccessDenied')
    await senders.alice.send(
      new s3.CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] },
      }),
    )
    // Owner and list are those that the upload began with.
    const get = (by: s3.S3Client) => refusal(by.send(new s3.GetObjectCommand({ Bucket, Key })))
    assert.deepEqual(await Promise.all(Object.values(senders).map(get)), [
      undefined,
      undefined,
      undefined,
      'AccessDenied',
    ])
    const { Owner } = await senders.alice.send(new s3.GetObjectAclCommand({ Bucket, Key }))
    assert.equal(Owner?.ID, alice.canonicalId)
  })

  test('are still theirs who began them where the object will be the bucket owner’s', async () => {
    const Bucket = await newBucket({ GrantFullControl: toAlice }, 'BucketOwnerPreferred')
    const Key = 'given-away'
    const { UploadId } = await senders.alice.send(
      new s3.CreateMultipartUploadCommand({ Bucket, Key, ACL: 'bucket-owner-full-control' }),
    )
    const place = { Bucket, Key, UploadId }
    await senders.alice.send(new s3.UploadPartCommand({ ...place, PartNumber: 1, Body: 'part' }))
    for (const by of [senders.owner, senders.alice]) {
      const { Parts, Owner, Initiator } = await by.send(new s3.ListPartsCommand(place))
      assert.deepEqual([Parts?.length, Owner?.ID, Initiator?.ID], [1, root.id, alice.canonicalId])
      const { Uploads } = await by.send(new s3.ListMultipartUploadsCommand({ Bucket }))
      assert.deepEqual(
        Uploads?.map((upload) => [upload.Owner?.ID, upload.Initiator?.ID]),
        [[root.id, alice.canonicalId]],
      )
    }
    assert.equal(await refusal(senders.bob.send(new s3.ListPartsCommand(place))), 'AccessDenied')
    assert.equal(await refusal(senders.alice.send(new s3.AbortMultipartUploadCommand(place))), undefined)
    await assert.rejects(senders.owner.send(new s3.ListPartsCommand(place)), s3Error('NoSuchUpload', 404))
  })

  test('take parts, and are completed, by whoever began them and the bucket owner alone', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    const Key = 'of-alice'
    const { UploadId } = await senders.alice.send(new s3.CreateMultipartUploadCommand({ Bucket, Key }))
    const place = { Bucket, Key, UploadId }
    const put = (by: s3.S3Client) =>
      by.send(new s3.UploadPartCommand({ ...place, PartNumber: 1, Body: 'part' }))
    const { ETag } = await put(senders.alice)
    const complete = (by: s3.S3Client) =>
      by.send(
        new s3.CompleteMultipartUploadCommand({
          ...place,
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
        }),
      )
    await senders.bob.send(new s3.PutObjectCommand({ Bucket, Key: 'of-bob', Body: 'bob' }))
    const copy = { ...place, PartNumber: 1, CopySource: `${Bucket}/of-bob` }
    assert.equal(await refusal(senders.bob.send(new s3.UploadPartCopyCommand(copy))), 'AccessDenied')
    for (const by of [senders.bob, senders.nobody]) {
      assert.equal(await refusal(put(by)), 'AccessDenied')
      assert.equal(await refusal(complete(by)), 'AccessDenied')
    }
    await put(senders.owner)
    await complete(senders.alice)
    // Sent again, by one who may not know more than that there is no such upload any more.
    assert.equal(await refusal(put(senders.bob)), 'NoSuchUpload')
    const { Owner } = await senders.alice.send(new s3.GetObjectAclCommand({ Bucket, Key }))
    assert.equal(Owner?.ID, alice.canonicalId)
  })

  test('are not begun unsigned', async () => {
    const Bucket = await newBucket({ ACL: 'public-read-write' })
    const begun = senders.nobody.send(new s3.CreateMultipartUploadCommand({ Bucket, Key: 'key' }))
    const words = 'Anonymous users cannot initiate multipart uploads.  Please authenticate.'
    await assert.rejects(begun, s3Error('AccessDenied', 403, words))
  })
})

describe('accounts', () => {
  test('each lists its own buckets, and nobody lists any', async () => {
    const Bucket = 'bobs-bucket'
    await senders.bob.send(new s3.CreateBucketCommand({ Bucket }))
    const { Buckets, Owner } = await senders.bob.send(new s3.ListBucketsCommand({}))
    assert.deepEqual(
      Buckets?.map(({ Name }) => Name),
      [Bucket],
    )
    assert.deepEqual(Owner, { ID: bob.canonicalId })
    assert.equal(await refusal(senders.nobody.send(new s3.ListBucketsCommand({}))), 'AccessDenied')
    assert.equal(await refusal(client.send(new s3.HeadBucketCommand({ Bucket }))), 'AccessDenied')
    await senders.bob.send(new s3.HeadBucketCommand({ Bucket, ExpectedBucketOwner: bob.accountId }))
  })

  test('a name that another account has taken', async () => {
    const Bucket = await newBucket()
    const again = senders.bob.send(new s3.CreateBucketCommand({ Bucket }))
    await assert.rejects(again, s3Error('BucketAlreadyExists', 409))
    const unsigned = senders.nobody.send(new s3.CreateBucketCommand({ Bucket: 'nobodys-bucket' }))
    await assert.rejects(unsigned, s3Error('AccessDenied', 403))
  })

  test('an access key of none', async () => {
    const stranger = clientOf({ accessKeyId: 'AKIDSTRANGER', secretAccessKey: 'stranger/secret' })
    await assert.rejects(stranger.send(new s3.ListBucketsCommand({})), s3Error('InvalidAccessKeyId', 403))
    const forged = clientOf({ ...bob.keys, secretAccessKey: alice.keys.secretAccessKey })
    await assert.rejects(forged.send(new s3.ListBucketsCommand({})), s3Error('SignatureDoesNotMatch', 403))
  })
})

describe('lists given to CreateBucket', () => {
  test('where lists are disabled, only such that give nobody else anything', async () => {
    for (const [headers, code] of [
      [{ ACL: 'private' }, undefined],
      [{ GrantRead: `id=${root.id}` }, undefined],
      [{ ACL: 'public-read' }, 'InvalidBucketAclWithObjectOwnership'],
      [{ GrantRead: toAlice }, 'InvalidBucketAclWithObjectOwnership'],
    ] as const) {
      assert.equal(await refusal(newBucket(headers, 'BucketOwnerEnforced')), code, JSON.stringify(headers))
    }
    const both = newBucket({ ACL: 'private', GrantRead: toAlice })
    await assert.rejects(both, s3Error('InvalidRequest', 400))
  })

  test('made again by its owner in us-east-1, the bucket has the list of the last request', async () => {
    const Bucket = await newBucket({ ACL: 'public-read' })
    await senders.nobody.send(new s3.ListObjectsV2Command({ Bucket }))
    await client.send(new s3.CreateBucketCommand({ Bucket }))
    assert.equal(await refusal(senders.nobody.send(new s3.ListObjectsV2Command({ Bucket }))), 'AccessDenied')
    await client.send(
      new s3.CreateBucketCommand({ Bucket, ACL: 'public-read', ObjectOwnership: 'ObjectWriter' }),
    )
    await senders.nobody.send(new s3.ListObjectsV2Command({ Bucket }))
  })
})

test('response-* overrides are for the signed only', async () => {
  const Bucket = await newBucket()
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'key', Body: 'x', ACL: 'public-read' }))
  const target = `/${Bucket}/key?response-content-type=text%2Fhtml`
  assert.equal((await raw({ target })).headers['content-type'], 'text/html')
  const { status, code } = await raw({ target, signed: false })
  assert.deepEqual([status, code], [400, 'InvalidRequest'])
  assert.equal((await raw({ target: `/${Bucket}/key`, signed: false })).status, 200)
})
