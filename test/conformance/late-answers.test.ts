/**
 * Operations that outlast the wait for their answer: 200 and blanks come first, and clients take what stands in the body for
 * the outcome, error or success. S3 API Reference, CopyObject and CompleteMultipartUpload: "a 200 OK response can contain
 * either a success or an error".
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { describe, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataOperation } from '../../proto/metadata-api.ts'
import { missing, run } from '../cluster/tools.ts'
import { readBody } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { bare, begin, upload, type Place } from './uploads.ts'

/** Far longer than the wait, so that an answer is late however slow the machine is. */
const TAKES_MS = 200

const { client, raw, newBucket, address, credentials, faults, heal } = await startConformance('us-east-1', {
  keepAlive: { afterMs: 5, intervalMs: 5 },
})
const Bucket = await newBucket()
const VersioningConfiguration = { Status: 'Enabled' } as const
await client.send(new s3.PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
const source = await client.send(new s3.PutObjectCommand({ Bucket, Key: 'source', Body: 'body' }))
const CopySource = `${Bucket}/source`

/** Commits take their time, and then do what is asked, or fail. */
function late(fails: boolean): void {
  const commits: readonly MetadataOperation[] = ['commitObject', 'commitPart', 'completeUpload']
  faults.metadata = async (operation) => {
    if (!commits.includes(operation)) return undefined
    await setTimeout(TAKES_MS)
    return fails ? new MetadataError(FailureCode.NO_SUCH_BUCKET, 'gone meanwhile') : undefined
  }
}

async function uploaded(Key: string): Promise<Place & { ETag: string }> {
  const place = await begin(client, Bucket, Key)
  return { ...place, ETag: bare(await upload(client, place, 1, 'body')).ETag ?? '' }
}

interface Outcomes {
  /** Begins what must not be late; the result does what is. */
  prepare(key: string): Promise<() => Promise<{ ETag?: string | undefined; checksum?: string | undefined }>>
}

const bySdk: Readonly<Record<string, Outcomes['prepare']>> = {
  CopyObject: async (Key) => async () => {
    const answer = await client.send(new s3.CopyObjectCommand({ Bucket, Key, CopySource }))
    assert.equal(answer.CopySourceVersionId, source.VersionId)
    const { ETag, ChecksumCRC32: checksum } = answer.CopyObjectResult ?? {}
    return { ETag, checksum }
  },
  UploadPartCopy: async (Key) => {
    const place = await begin(client, Bucket, Key, { ChecksumAlgorithm: 'CRC32' })
    return async () => {
      const answer = await client.send(new s3.UploadPartCopyCommand({ ...place, PartNumber: 1, CopySource }))
      assert.equal(answer.CopySourceVersionId, source.VersionId)
      const { ETag, ChecksumCRC32: checksum } = answer.CopyPartResult ?? {}
      return { ETag, checksum }
    }
  },
  CompleteMultipartUpload: async (Key) => {
    const { ETag: partETag, ...place } = await uploaded(Key)
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: partETag }] }
    return async () => {
      const answer = await client.send(new s3.CompleteMultipartUploadCommand({ ...place, MultipartUpload }))
      return { ETag: answer.ETag, checksum: answer.ChecksumCRC64NVME }
    }
  },
}

describe('the SDK', () => {
  for (const [operation, prepare] of Object.entries(bySdk)) {
    test(`${operation}: a late success is one`, async () => {
      const act = await prepare(`${operation}-made`)
      late(false)
      const { ETag, checksum } = await act().finally(heal)
      assert.match(ETag ?? '', /^"[0-9a-f]{32}(?:-1)?"$/)
      assert.ok(checksum)
    })

    test(`${operation}: a late error is one`, async () => {
      const act = await prepare(`${operation}-failed`)
      late(true)
      // What stands in the document of a 200 has no status of its own.
      await assert.rejects(act().finally(heal), (error) => {
        assert.ok(error instanceof s3.S3ServiceException)
        assert.equal(error.name, 'NoSuchBucket')
        return true
      })
      const head = client.send(new s3.HeadObjectCommand({ Bucket, Key: `${operation}-failed` }))
      await assert.rejects(head, s3Error('NotFound', 404))
    })
  }
})

test('the bytes of a late answer', async () => {
  late(false)
  const headers = { 'x-amz-copy-source': CopySource }
  const answer = await raw({ method: 'PUT', target: `/${Bucket}/bytes`, headers }).finally(heal)
  assert.equal(answer.status, 200)
  assert.match(
    answer.body,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n +<CopyObjectResult .*<\/CopyObjectResult>$/,
  )
  assert.equal(answer.headers['transfer-encoding'], 'chunked')
  assert.equal(answer.headers['x-amz-copy-source-version-id'], source.VersionId)
  // Known only at the end, and then it is too late for a header.
  assert.equal(answer.headers['x-amz-version-id'], undefined)
  const early = await raw({
    method: 'PUT',
    target: `/${Bucket}/missing`,
    headers: { 'x-amz-copy-source': 'a' },
  })
  assert.equal(early.status, 400)
})

describe('the AWS CLI', { skip: await missing('aws') }, () => {
  const aws = async (...args: string[]): Promise<string> =>
    await run('aws', ['s3api', '--output', 'json', ...args, '--bucket', Bucket], {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: `http://${address}`,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
    })
  const copy = (key: string) => aws('copy-object', '--key', key, '--copy-source', CopySource)
  const complete = async (key: string) => {
    const { ETag, UploadId } = await uploaded(key)
    const parts = JSON.stringify({ Parts: [{ PartNumber: 1, ETag }] })
    const args = ['--key', key, '--upload-id', UploadId, '--multipart-upload', parts]
    return () => aws('complete-multipart-upload', ...args)
  }

  test('a late success is one', async () => {
    const finish = await complete('cli-completed')
    late(false)
    const outputs = await Promise.all([copy('cli-copied'), finish()]).finally(heal)
    for (const output of outputs) assert.match(output, /"ETag": "\\"[0-9a-f]{32}/)
    assert.equal((await readBody(client, Bucket, 'cli-completed')).toString(), 'body')
  })

  test('a late error is one', async () => {
    const finish = await complete('cli-failed')
    late(true)
    const outcomes = await Promise.allSettled([copy('cli-failed'), finish()]).finally(heal)
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected')
      assert.match(String(outcome.reason), /An error occurred \(NoSuchBucket\)/)
    }
  })
})
