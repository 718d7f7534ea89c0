import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListPartsCommand, paginateListParts, type Part } from '@aws-sdk/client-s3'
import { md5Hex } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { begin, upload } from './uploads.ts'

const { client, raw, newBucket, metadata } = await startConformance()
const Bucket = await newBucket()

test('what is known of an upload and its parts', async () => {
  const place = await begin(client, Bucket, 'key', { ChecksumAlgorithm: 'SHA256' })
  const sent = []
  for (const number of [3, 10_000, 1]) {
    sent.push(await upload(client, place, number, `part ${number}`, { ChecksumAlgorithm: 'SHA256' }))
  }
  const listed = await client.send(new ListPartsCommand(place))
  assert.deepEqual([listed.Bucket, listed.Key, listed.UploadId], [Bucket, 'key', place.UploadId])
  assert.deepEqual([listed.ChecksumAlgorithm, listed.ChecksumType], ['SHA256', 'COMPOSITE'])
  assert.deepEqual([listed.StorageClass, listed.MaxParts, listed.IsTruncated], ['STANDARD', 1000, false])
  assert.deepEqual([listed.PartNumberMarker, listed.NextPartNumberMarker], ['0', undefined])
  assert.match(listed.Owner?.ID ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(listed.Initiator, listed.Owner)
  assert.deepEqual(
    listed.Parts?.map(({ LastModified, Size, ...part }) => {
      assert.ok(LastModified instanceof Date && Math.abs(LastModified.getTime() - Date.now()) < 60_000)
      assert.equal(Size, `part ${part.PartNumber ?? ''}`.length)
      return part
    }),
    sent.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0)),
  )
})

test('an upload without parts', async () => {
  const listed = await client.send(new ListPartsCommand(await begin(client, Bucket, 'none')))
  assert.deepEqual(
    [listed.Parts, listed.IsTruncated, listed.NextPartNumberMarker],
    [undefined, false, undefined],
  )
})

test('pages: every part once, in order, whatever their size', async () => {
  const place = await begin(client, Bucket, 'pages')
  const numbers = Array.from({ length: 2500 }, (_, i) => i * 4 + 1)
  for (let at = 0; at < numbers.length; at += 500) {
    await Promise.all(
      numbers.slice(at, at + 500).map((partNumber) =>
        metadata.call('commitPart', {
          bucket: Bucket,
          key: 'pages',
          uploadId: place.UploadId,
          part: { format: 1, partNumber, etag: md5Hex('') },
        }),
      ),
    )
  }
  for (const pageSize of [7, 333, 1000, undefined]) {
    const parts: Part[] = []
    const paging = pageSize === undefined ? { client } : { client, pageSize }
    // A copy, because the SDK keeps its marker in it.
    for await (const page of paginateListParts(paging, { ...place })) {
      assert.ok((page.Parts?.length ?? 0) <= (pageSize ?? 1000))
      parts.push(...(page.Parts ?? []))
    }
    assert.deepEqual(
      parts.map(({ PartNumber }) => PartNumber),
      numbers,
      String(pageSize),
    )
  }
  const most = await client.send(new ListPartsCommand({ ...place, MaxParts: 5000 }))
  assert.deepEqual([most.MaxParts, most.Parts?.length, most.IsTruncated], [1000, 1000, true])
  const none = await client.send(new ListPartsCommand({ ...place, MaxParts: 0 }))
  assert.deepEqual([none.MaxParts, none.Parts, none.IsTruncated], [0, undefined, false])
  const unsaid = `/${place.Bucket}/${place.Key}?uploadId=${place.UploadId}&max-parts=&part-number-marker=`
  assert.match((await raw({ target: unsaid })).body, /<PartNumberMarker>0<.*<MaxParts>1000</)
  const past = await client.send(new ListPartsCommand({ ...place, PartNumberMarker: '10000' }))
  assert.deepEqual([past.Parts, past.IsTruncated], [undefined, false])
})

test('refusals', async () => {
  const place = await begin(client, Bucket, 'refused')
  const list = (more: object) => client.send(new ListPartsCommand({ ...place, ...more }))
  await assert.rejects(list({ UploadId: 'none' }), s3Error('NoSuchUpload', 404))
  await assert.rejects(list({ UploadId: 'a'.repeat(32) }), s3Error('NoSuchUpload', 404))
  await assert.rejects(list({ Key: 'other' }), s3Error('NoSuchUpload', 404))
  await assert.rejects(list({ Bucket: 'no-such-bucket' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(list({ MaxParts: -1 }), s3Error('InvalidArgument', 400))
  const notNegative = 'Argument part-number-marker must be an integer between 0 and 2147483647'
  const notInteger = 'Provided part-number-marker not an integer or within integer range'
  for (const [marker, message] of [
    ['-1', notNegative],
    ['one', notInteger],
    ['2147483648', notInteger],
    ['2736457823532448723', notInteger],
  ]) {
    await assert.rejects(list({ PartNumberMarker: marker }), s3Error('InvalidArgument', 400, message))
  }
  const target = `/${Bucket}/refused?uploadId=${place.UploadId}&max-parts=many`
  assert.equal((await raw({ target })).code, 'InvalidArgument')
})
