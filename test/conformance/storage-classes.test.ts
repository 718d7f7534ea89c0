/** `x-amz-storage-class`, by every way an object comes to be, and everywhere its class is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { formRequest, signForm } from './forms.ts'
import { s3Error, startConformance } from './harness.ts'
import { bare, begin, complete, upload } from './uploads.ts'

const harness = await startConformance()
const { client, raw, newBucket } = harness

const kept = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
] as const

/** Objects of these have to be restored before they are read, and that is not built. */
const archives = ['GLACIER', 'DEEP_ARCHIVE'] as const

type Way = (Bucket: string, Key: string, StorageClass: s3.StorageClass) => Promise<unknown>

const ways: Readonly<Record<string, Way>> = {
  PutObject: (Bucket, Key, StorageClass) =>
    client.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'x', StorageClass })),
  PostObject: async (Bucket, key, StorageClass) => {
    const fields = signForm(harness, Bucket, { key, 'x-amz-storage-class': StorageClass })
    const { status, code, body } = await raw(formRequest(Bucket, fields, 'x'))
    if (status !== 204) throw Object.assign(new Error(body), { status, code })
  },
  CopyObject: async (Bucket, Key, StorageClass) => {
    await client.send(new s3.PutObjectCommand({ Bucket, Key: 'source', Body: 'x' }))
    await client.send(new s3.CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, StorageClass }))
  },
  CreateMultipartUpload: async (Bucket, Key, StorageClass) => {
    const place = await begin(client, Bucket, Key, { StorageClass })
    const part = await upload(client, place, 1, 'x')
    const { Uploads } = await client.send(new s3.ListMultipartUploadsCommand({ Bucket }))
    const listed = await client.send(new s3.ListPartsCommand(place))
    assert.deepEqual([Uploads?.[0]?.StorageClass, listed.StorageClass], [StorageClass, StorageClass])
    await complete(client, place, [bare(part)])
  },
}

/** In headers all but STANDARD is told, elsewhere STANDARD too. */
async function told(Bucket: string, Key: string) {
  const at = { Bucket, Key }
  const list = { Bucket, Prefix: Key }
  const { Body, StorageClass: got } = await client.send(new s3.GetObjectCommand(at))
  assert.equal(await Body?.transformToString(), 'x')
  const head = await client.send(new s3.HeadObjectCommand(at))
  const attributes = await client.send(
    new s3.GetObjectAttributesCommand({ ...at, ObjectAttributes: ['StorageClass'] }),
  )
  const v1 = await client.send(new s3.ListObjectsCommand(list))
  const v2 = await client.send(new s3.ListObjectsV2Command(list))
  const versions = await client.send(new s3.ListObjectVersionsCommand(list))
  return {
    headers: [got, head.StorageClass],
    documents: [
      attributes.StorageClass,
      v1.Contents?.[0]?.StorageClass,
      v2.Contents?.[0]?.StorageClass,
      versions.Versions?.[0]?.StorageClass,
    ],
  }
}

for (const [way, make] of Object.entries(ways)) {
  describe(way, () => {
    for (const storageClass of kept) {
      test(`${storageClass} is recorded and told`, async () => {
        const Bucket = await newBucket()
        await make(Bucket, 'key', storageClass)
        const inHeaders = storageClass === 'STANDARD' ? undefined : storageClass
        assert.deepEqual(await told(Bucket, 'key'), {
          headers: [inHeaders, inHeaders],
          documents: Array.from({ length: 4 }, () => storageClass),
        })
      })
    }

    test('others are refused, and nothing is stored', async () => {
      const Bucket = await newBucket()
      for (const storageClass of Object.values(s3.StorageClass)) {
        if (isIn(kept, storageClass)) continue
        const [code, status] = isIn(archives, storageClass)
          ? (['NotImplemented', 501] as const)
          : (['InvalidStorageClass', 400] as const)
        await assert.rejects(make(Bucket, 'refused', storageClass), (error) => {
          if (way !== 'PostObject') return s3Error(code, status)(error)
          assert.deepEqual({ ...(error as object) }, { status, code })
          return true
        })
      }
      const head = client.send(new s3.HeadObjectCommand({ Bucket, Key: 'refused' }))
      await assert.rejects(head, s3Error('NotFound', 404))
      const { Uploads } = await client.send(new s3.ListMultipartUploadsCommand({ Bucket }))
      assert.equal(Uploads, undefined)
    })
  })
}

function isIn(classes: readonly string[], name: string): boolean {
  return classes.includes(name)
}
