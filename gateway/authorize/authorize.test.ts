import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  FailureCode,
  GetBucketSettingReplySchema,
  GetObjectReplySchema,
  GetUploadReplySchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { ObjectOwnership, type ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { ANONYMOUS_ID, type Account } from '../accounts/account.ts'
import { createAccounts } from '../accounts/directory.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { Sender } from '../http/ports.ts'
import { ALL_USERS, toAccount, toGroup, type GrantInit } from '../rules/acl/grants.ts'
import { s3Operations } from '../schema/operations.ts'
import { createAuthorize } from './authorize.ts'
import { operationsWithNeeds } from './needs.ts'

const aliceConfig = {
  accountId: '1'.repeat(12),
  canonicalId: 'a'.repeat(64),
  displayName: 'alice',
  accessKeys: [{ accessKeyId: 'ALICE', secretAccessKey: 'alice-secret' }],
}
const rootKeys = { accessKeyId: 'ROOT', secretAccessKey: 'root-secret' }
const onlyRoot = createAccounts(rootKeys, [], nodeDigests).directory
const withAlice = createAccounts(rootKeys, [aliceConfig], nodeDigests).directory
const { root } = onlyRoot
const alice: Account = { id: aliceConfig.canonicalId, accountId: aliceConfig.accountId, displayName: 'alice' }

const payload = { kind: 'unsigned' } as const
const anonymous: Sender = { kind: 'anonymous', payload }
const by = (principal: Account): Sender => ({
  kind: 'signed',
  accessKey: principal.displayName,
  principal,
  scope: { date: '20260102', region: 'us-east-1', service: 's3' },
  presigned: false,
  payload,
})

interface World {
  readonly owner?: string
  readonly objectOwnership?: ObjectOwnership
  readonly grants?: GrantInit[]
  /** Owner of the one object there is, and of the one upload. */
  readonly objectOwner?: string
  /** Of that upload; left out: it began before that was kept. */
  readonly initiator?: string
}

/** Metadata of one bucket, `there`, and the calls made to it. */
function metadataOf(world: World): { metadata: Pick<MetadataApi, 'call'>; calls: string[] } {
  const calls: string[] = []
  const {
    owner = root.id,
    objectOwnership = ObjectOwnership.OBJECT_WRITER,
    grants,
    objectOwner,
    initiator = '',
  } = world
  const answer = (operation: string, request: object): unknown => {
    calls.push(operation)
    const bucket = 'bucket' in request ? request.bucket : 'name' in request ? request.name : undefined
    if (bucket !== 'there') throw new MetadataError(FailureCode.NO_SUCH_BUCKET, '')
    if (operation === 'getBucketSetting') {
      return create(GetBucketSettingReplySchema, {
        bucket: { name: 'there', owner, objectOwnership },
        settings: grants === undefined ? [] : [{ setting: { case: 'acl', value: { grants } } }],
      })
    }
    if (operation === 'getObject') {
      if (objectOwner === undefined) throw new MetadataError(FailureCode.NO_SUCH_KEY, '')
      return create(GetObjectReplySchema, { object: { owner: objectOwner } })
    }
    if (operation === 'getUpload') {
      if (objectOwner === undefined) throw new MetadataError(FailureCode.NO_SUCH_UPLOAD, '')
      return create(GetUploadReplySchema, { upload: { owner: objectOwner, initiator } })
    }
    throw new Error(`${operation} is not asked for here`)
  }
  return {
    calls,
    metadata: {
      // The reply's type follows from the operation.
      call: async (operation, request) => answer(operation, request) as never,
    },
  }
}

interface Asked extends World {
  readonly operation: string
  readonly sender: Sender
  readonly bucket?: string | undefined
  readonly input?: Record<string, unknown>
  readonly single?: boolean
}

async function ask({ operation, sender, bucket = 'there', input = {}, single = false, ...rest }: Asked) {
  const { metadata, calls } = metadataOf(rest)
  const authorize = createAuthorize({ metadata, directory: single ? onlyRoot : withAlice })
  const signal = new AbortController().signal
  try {
    const access = await authorize({ sender, operation, action: '', bucket, key: 'key', input, signal })
    return { code: 'ok', access, calls }
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    return { code: error.code, message: error.message, calls }
  }
}

describe('what authorization costs', () => {
  const everyOperation = [...s3Operations.keys()].filter((name) => name !== 'ListBuckets')

  it('nothing, for the one account there is', async () => {
    for (const operation of everyOperation) {
      const { code, calls } = await ask({ operation, sender: by(root), single: true })
      assert.deepEqual([code, calls], ['ok', []], operation)
    }
  })

  it('nothing for its own objects either, and one look for those that nobody known has put', async () => {
    const read = async (objectOwner: string) => {
      const { access, calls } = await ask({ operation: 'GetObject', sender: by(root), single: true })
      const record = { owner: objectOwner } as ObjectRecord
      await access?.object('there', 'READ', async () => ({ record }))
      return calls
    }
    assert.deepEqual(await read(root.id), [])
    await assert.rejects(read(ANONYMOUS_ID), new S3Error('AccessDenied'))
  })

  it('one look at the bucket where there are more accounts, however often it is asked after', async () => {
    for (const sender of [by(root), by(alice), anonymous]) {
      const grants = [toGroup(ALL_USERS, 'WRITE')]
      const { code, access, calls } = await ask({ operation: 'PutObject', sender, grants })
      assert.equal(code, 'ok')
      await access?.bucket('there')
      await access?.bucketWithAcl('there')
      await access?.requireBucketOwner('there', root.accountId)
      assert.deepEqual(calls, ['getBucketSetting'])
    }
  })
})

describe('the stage', () => {
  it('knows only operations that there are', () => {
    for (const operation of operationsWithNeeds) assert.ok(s3Operations.has(operation), operation)
  })

  it('says NoSuchBucket before AccessDenied', async () => {
    for (const sender of [by(root), by(alice), anonymous]) {
      for (const operation of [
        'ListObjectsV2',
        'PutObject',
        'DeleteObject',
        'CopyObject',
        'GetBucketCors',
        'AbortMultipartUpload',
      ]) {
        const { code } = await ask({ operation, sender, bucket: 'elsewhere', input: { UploadId: 'x' } })
        assert.equal(code, 'NoSuchBucket', operation)
      }
    }
  })

  it('leaves what lists cannot grant to the owner', async () => {
    const grants = [toGroup(ALL_USERS, 'FULL_CONTROL')]
    for (const operation of [
      'DeleteBucket',
      'GetBucketCors',
      'PutBucketVersioning',
      'GetObjectTagging',
      'GetBucketLocation',
    ]) {
      assert.equal((await ask({ operation, sender: by(root), grants })).code, 'ok')
      assert.equal((await ask({ operation, sender: by(alice), grants })).code, 'AccessDenied', operation)
    }
    const withTags = { operation: 'PutObject', sender: by(alice), grants, input: { Tagging: 'a=b' } }
    assert.equal((await ask(withTags)).code, 'AccessDenied')
    assert.equal((await ask({ ...withTags, input: { Tagging: '' } })).code, 'ok')
  })

  it('lets nobody unsigned begin an upload or copy, and says so', async () => {
    const grants = [toGroup(ALL_USERS, 'WRITE')]
    for (const [operation, words] of [
      ['CreateMultipartUpload', 'Anonymous users cannot initiate multipart uploads.  Please authenticate.'],
      ['CopyObject', 'Anonymous users cannot copy objects.  Please authenticate.'],
    ] as const) {
      const { code, message } = await ask({ operation, sender: anonymous, grants })
      assert.deepEqual([code, message], ['AccessDenied', words])
      assert.equal((await ask({ operation, sender: by(alice), grants })).code, 'ok')
    }
  })

  it('asks for a signature where there is no bucket to look at', async () => {
    for (const operation of ['ListBuckets', 'CreateBucket']) {
      assert.equal((await ask({ operation, sender: by(alice) })).code, 'ok')
      assert.equal((await ask({ operation, sender: anonymous })).code, 'AccessDenied')
    }
  })

  it('holds the expected owner against the account id', async () => {
    for (const [ExpectedBucketOwner, code] of [
      [root.accountId, 'ok'],
      [alice.accountId, 'AccessDenied'],
      [root.id, 'InvalidBucketOwnerAWSAccountID'],
      ['12345678901', 'InvalidBucketOwnerAWSAccountID'],
    ] as const) {
      for (const single of [true, false]) {
        const asked = { operation: 'HeadBucket', sender: by(root), single, input: { ExpectedBucketOwner } }
        assert.equal((await ask(asked)).code, code)
      }
    }
    // An owner that is no account any more is nobody's expectation.
    const gone = {
      operation: 'GetObject',
      sender: by(root),
      owner: 'b'.repeat(64),
      input: { ExpectedBucketOwner: root.accountId },
    }
    assert.equal((await ask(gone)).code, 'AccessDenied')
  })
})

describe('conditional writes', () => {
  const grants = [toAccount(alice.id, 'WRITE')]
  const input = { IfMatch: '"x"' }

  it('with If-Match need to be let read, or list where there is nothing', async () => {
    const list = toAccount(alice.id, 'READ')
    for (const operation of ['PutObject', 'CompleteMultipartUpload', 'CopyObject']) {
      const cases: [Omit<Asked, 'operation' | 'input'>, string][] = [
        [{ sender: by(alice), grants, objectOwner: alice.id }, 'ok'],
        [{ sender: by(alice), grants, objectOwner: root.id }, 'AccessDenied'],
        [{ sender: by(alice), grants: [...grants, list], objectOwner: root.id }, 'AccessDenied'],
        [{ sender: by(alice), grants }, 'AccessDenied'],
        [{ sender: by(alice), grants: [...grants, list] }, 'ok'],
        [{ sender: by(root), objectOwner: alice.id }, 'AccessDenied'],
        [{ sender: by(root), objectOwner: root.id }, 'ok'],
        [{ sender: by(root) }, 'ok'],
      ]
      for (const [asked, code] of cases) {
        assert.equal((await ask({ operation, input, ...asked })).code, code, JSON.stringify(asked))
      }
    }
  })
})

describe('deleting', () => {
  const grants = [toAccount(alice.id, 'WRITE')]

  it('the bucket owner deletes anything, others what is theirs and current', async () => {
    const cases: [Omit<Asked, 'operation'>, string][] = [
      [{ sender: by(root), objectOwner: alice.id }, 'ok'],
      [{ sender: by(root), objectOwner: alice.id, input: { VersionId: 'x' } }, 'ok'],
      [{ sender: by(alice), grants, objectOwner: alice.id }, 'ok'],
      [{ sender: by(alice), grants, objectOwner: root.id }, 'AccessDenied'],
      [{ sender: by(alice), grants }, 'ok'],
      [{ sender: by(alice), grants, objectOwner: alice.id, input: { VersionId: 'x' } }, 'AccessDenied'],
      [{ sender: by(alice), objectOwner: alice.id }, 'AccessDenied'],
      [{ sender: anonymous, grants, objectOwner: ANONYMOUS_ID }, 'AccessDenied'],
      [{ sender: anonymous, grants: [toGroup(ALL_USERS, 'WRITE')], objectOwner: ANONYMOUS_ID }, 'ok'],
      [
        {
          sender: by(alice),
          grants,
          objectOwner: alice.id,
          objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
        },
        'AccessDenied',
      ],
    ]
    for (const [asked, code] of cases) {
      assert.equal((await ask({ operation: 'DeleteObject', ...asked })).code, code, JSON.stringify(asked))
    }
  })
})

describe('uploads', () => {
  it('are the bucket owner’s, and of whoever began them', async () => {
    const input = { UploadId: 'x' }
    const grants = [toAccount(alice.id, 'WRITE')]
    for (const operation of ['ListParts', 'AbortMultipartUpload']) {
      const cases: [Omit<Asked, 'operation'>, string][] = [
        [{ sender: by(root), objectOwner: alice.id }, 'ok'],
        [{ sender: by(alice), objectOwner: alice.id }, 'ok'],
        [{ sender: by(alice), objectOwner: root.id, initiator: alice.id }, 'ok'],
        [{ sender: by(alice), objectOwner: alice.id, initiator: root.id }, 'AccessDenied'],
        [{ sender: by(alice), grants, objectOwner: root.id }, 'AccessDenied'],
        [{ sender: by(alice), grants }, 'ok'],
        [{ sender: by(alice) }, 'AccessDenied'],
        [{ sender: anonymous, objectOwner: alice.id }, 'AccessDenied'],
      ]
      for (const [asked, code] of cases) {
        assert.equal((await ask({ operation, input, ...asked })).code, code, JSON.stringify(asked))
      }
    }
  })
})

describe('what goes into an upload', () => {
  it('comes from whoever began it, or the bucket owner, and is a write', async () => {
    const input = { UploadId: 'x' }
    const toAll = [toGroup(ALL_USERS, 'WRITE')]
    for (const operation of ['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload']) {
      const cases: [Omit<Asked, 'operation'>, string][] = [
        [{ sender: by(root), objectOwner: alice.id }, 'ok'],
        [{ sender: by(alice), grants: toAll, objectOwner: alice.id }, 'ok'],
        [{ sender: by(alice), grants: toAll, objectOwner: root.id, initiator: alice.id }, 'ok'],
        [{ sender: by(alice), grants: toAll }, 'ok'],
        [{ sender: by(alice), objectOwner: alice.id }, 'AccessDenied'],
        [{ sender: by(alice), grants: toAll, objectOwner: root.id }, 'AccessDenied'],
        [{ sender: anonymous, grants: toAll, objectOwner: alice.id }, 'AccessDenied'],
      ]
      for (const [asked, code] of cases) {
        assert.equal(
          (await ask({ operation, input, ...asked })).code,
          code,
          operation + JSON.stringify(asked),
        )
      }
    }
  })
})

describe('objects', () => {
  const record = (owner: string, grants?: GrantInit[]) =>
    ({ owner, acl: grants && { grants } }) as unknown as ObjectRecord
  const read = async (asked: Omit<Asked, 'operation'>, found: ObjectRecord | FailureCode) => {
    const { access } = await ask({ operation: 'GetObject', ...asked })
    try {
      await access?.object('there', 'READ', async () => {
        if (typeof found === 'number') throw new MetadataError(found, '')
        return { record: found }
      })
      return 'ok'
    } catch (error) {
      return error instanceof S3Error
        ? error.code
        : error instanceof MetadataError
          ? error.code
          : String(error)
    }
  }

  it('that others own are read by whom their lists name, the bucket owner included', async () => {
    assert.equal(await read({ sender: by(root) }, record(alice.id)), 'AccessDenied')
    assert.equal(await read({ sender: by(root) }, record(alice.id, [toAccount(root.id, 'READ')])), 'ok')
    assert.equal(await read({ sender: by(alice) }, record(alice.id)), 'ok')
    assert.equal(await read({ sender: anonymous }, record(alice.id, [toGroup(ALL_USERS, 'READ')])), 'ok')
  })

  it('belong to the bucket owner where lists are disabled', async () => {
    const objectOwnership = ObjectOwnership.BUCKET_OWNER_ENFORCED
    const open = [toGroup(ALL_USERS, 'READ')]
    assert.equal(await read({ sender: by(root), objectOwnership }, record(alice.id)), 'ok')
    assert.equal(await read({ sender: by(alice), objectOwnership }, record(alice.id, open)), 'AccessDenied')
    assert.equal(await read({ sender: anonymous, objectOwnership }, record(root.id, open)), 'AccessDenied')
  })

  it('that are not there are known to be so by those who may list', async () => {
    for (const missing of [FailureCode.NO_SUCH_KEY, FailureCode.NO_SUCH_VERSION]) {
      assert.equal(await read({ sender: by(root) }, missing), missing)
      assert.equal(await read({ sender: by(alice) }, missing), 'AccessDenied')
      assert.equal(await read({ sender: by(alice), grants: [toAccount(alice.id, 'READ')] }, missing), missing)
      assert.equal(
        await read({ sender: anonymous, grants: [toAccount(alice.id, 'READ')] }, missing),
        'AccessDenied',
      )
    }
    assert.equal(await read({ sender: anonymous }, FailureCode.UNAVAILABLE), FailureCode.UNAVAILABLE)
  })
})
