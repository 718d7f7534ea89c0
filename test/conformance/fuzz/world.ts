/** A cluster to be fuzzed, with something in it, and what must be true of it afterwards. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  paginateListObjectsV2,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { startConformance, type Conformance } from '../harness.ts'
import { FuzzClient } from './client.ts'

export interface World extends Conformance {
  readonly fuzz: FuzzClient
  /** Makes the buckets that are not there, and gives each an object: requests may delete both. */
  restore(): Promise<void>
  /** Reads back every object of every bucket, whole. */
  assertWhole(): Promise<void>
}

export const PLAIN = 'fuzz-plain'
export const VERSIONED = 'fuzz-versioned'

export async function startWorld(): Promise<World> {
  const conformance = await startConformance()
  const { client } = conformance
  return {
    ...conformance,
    fuzz: new FuzzClient(conformance),
    async restore() {
      for (const Bucket of [PLAIN, VERSIONED]) {
        try {
          await client.send(new CreateBucketCommand({ Bucket }))
        } catch (error) {
          assert.ok(
            error instanceof S3ServiceException && error.name === 'BucketAlreadyOwnedByYou',
            String(error),
          )
        }
        if (Bucket === VERSIONED) {
          const VersioningConfiguration = { Status: 'Enabled' } as const
          await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
        }
        await client.send(new PutObjectCommand({ Bucket, Key: 'one', Body: 'content' }))
      }
    },
    async assertWhole() {
      const { Buckets = [] } = await client.send(new ListBucketsCommand())
      assert.ok(Buckets.length > 0)
      for (const { Name: Bucket = '' } of Buckets) {
        for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
          for (const { Key = '', Size, ETag } of Contents) {
            const name = `${Bucket}/${Key}`
            const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
            const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array()
            assert.equal(bytes.length, Size, name)
            const isMultipart = ETag?.includes('-') === true
            if (!isMultipart) {
              assert.equal(`"${createHash('md5').update(bytes).digest('hex')}"`, ETag, name)
            }
          }
        }
      }
    },
  }
}
