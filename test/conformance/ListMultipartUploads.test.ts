import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { begin, type Place } from './uploads.ts'

const { client, raw, newBucket, metadata } = await startConformance()

const list = (Bucket: string, more: Partial<ListMultipartUploadsCommandInput> = {}) =>
  client.send(new ListMultipartUploadsCommand({ Bucket, ...more }))

/** Uploads in the order of a listing: UTF-8 order of keys, then as they began. */
async function fill(Bucket: string, keys: readonly string[]): Promise<Place[]> {
  const places: Place[] = []
  for (const Key of keys) places.push(await begin(client, Bucket, Key))
  return places
}

test('uploads in order of key and beginning, and what is known of them', async () => {
  const Bucket = await newBucket()
  const places = await fill(Bucket, ['a', 'a/b', 'b', 'b', 'b', 'ü'])
  const listed = await list(Bucket)
  assert.deepEqual(
    listed.Uploads?.map(({ Key, UploadId }) => ({ Bucket, Key, UploadId })),
    places,
  )
  const [first] = listed.Uploads ?? []
  assert.ok(first?.Initiated instanceof Date && Math.abs(first.Initiated.getTime() - Date.now()) < 60_000)
  assert.equal(first.StorageClass, 'STANDARD')
  assert.match(first.Owner?.ID ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(first.Initiator, first.Owner)
  assert.deepEqual([listed.Bucket, listed.MaxUploads, listed.IsTruncated], [Bucket, 1000, false])
  assert.deepEqual([listed.NextKeyMarker, listed.NextUploadIdMarker], ['ü', places.at(-1)?.UploadId])
})

test('checksums asked for are told', async () => {
  const Bucket = await newBucket()
  await begin(client, Bucket, 'with', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' })
  await begin(client, Bucket, 'without')
  const { Uploads = [] } = await list(Bucket)
  assert.deepEqual(
    Uploads.map(({ ChecksumAlgorithm, ChecksumType }) => [ChecksumAlgorithm, ChecksumType]),
    [
      ['CRC32', 'FULL_OBJECT'],
      [undefined, undefined],
    ],
  )
})

test('none', async () => {
  const { body } = await raw({ target: `/${await newBucket()}?uploads` })
  assert.match(body, /<KeyMarker><\/KeyMarker>|<KeyMarker\/>/)
  assert.match(body, /<IsTruncated>false<\/IsTruncated>/)
  assert.doesNotMatch(body, /Prefix/)
})

test('markers inside a common prefix go on after all of it', async () => {
  const Bucket = await newBucket()
  const [, inside] = await fill(Bucket, ['a', 'b/1', 'b/1', 'b/2', 'c'])
  for (const UploadIdMarker of [undefined, inside?.UploadId]) {
    const markers = { KeyMarker: 'b/1', ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }) }
    const listed = await list(Bucket, { Delimiter: '/', ...markers })
    assert.deepEqual([listed.Uploads?.map(({ Key }) => Key), listed.CommonPrefixes], [['c'], undefined])
    assert.equal(listed.KeyMarker, 'b/1')
  }
})

test('pages of any size, with prefix and delimiter, give everything once', async () => {
  const Bucket = await newBucket()
  const keys = ['a', 'd/', 'd/1', 'd/1', 'd/2/x', 'd/2/y', 'd/3', 'd/3', 'd/3', 'e', 'e/f', 'e/g']
  const places = await fill(Bucket, keys)
  for (const filter of [{}, { Prefix: 'd' }, { Prefix: 'd/', Delimiter: '/' }, { Delimiter: '/' }]) {
    const whole = await list(Bucket, filter)
    assert.equal(whole.IsTruncated, false)
    for (const MaxUploads of [1, 2, 3, 5]) {
      const uploads: (string | undefined)[] = []
      const prefixes: (string | undefined)[] = []
      let markers = {}
      for (;;) {
        const page = await list(Bucket, { ...filter, ...markers, MaxUploads })
        uploads.push(...(page.Uploads ?? []).map(({ UploadId }) => UploadId))
        prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix))
        assert.ok((page.Uploads?.length ?? 0) + (page.CommonPrefixes?.length ?? 0) <= MaxUploads)
        if (page.IsTruncated !== true) break
        markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
      }
      assert.deepEqual(
        uploads,
        (whole.Uploads ?? []).map(({ UploadId }) => UploadId),
      )
      assert.deepEqual(
        prefixes,
        (whole.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
      )
    }
  }
  const grouped = await list(Bucket, { Prefix: 'd/', Delimiter: '/' })
  assert.deepEqual(grouped.CommonPrefixes, [{ Prefix: 'd/2/' }])
  assert.deepEqual(
    grouped.Uploads?.map(({ Key }) => Key),
    ['d/', 'd/1', 'd/1', 'd/3', 'd/3', 'd/3'],
  )
  assert.deepEqual([grouped.Prefix, grouped.Delimiter], ['d/', '/'])
  assert.equal(places.length, keys.length)
})

test('a page has at most 1,000, asked for or not', async () => {
  const Bucket = await newBucket()
  const ids = Array.from({ length: 1001 }, (_, i) => i.toString(16).padStart(32, '0'))
  await Promise.all(
    ids.map((uploadId) =>
      metadata.call('createUpload', { upload: { format: 1, bucket: Bucket, key: 'many', uploadId } }),
    ),
  )
  for (const more of [{}, { MaxUploads: 5000 }]) {
    const page = await list(Bucket, more)
    assert.deepEqual([page.MaxUploads, page.IsTruncated], [1000, true])
    assert.deepEqual(
      page.Uploads?.map(({ UploadId }) => UploadId),
      ids.slice(0, 1000),
    )
    const rest = await list(Bucket, {
      KeyMarker: page.NextKeyMarker,
      UploadIdMarker: page.NextUploadIdMarker,
    })
    assert.deepEqual(
      rest.Uploads?.map(({ UploadId }) => UploadId),
      ids.slice(1000),
    )
    assert.equal(rest.IsTruncated, false)
  }
})

test('a page goes on after an upload that has ended meanwhile', async () => {
  const Bucket = await newBucket()
  const places = await fill(Bucket, ['same', 'same', 'same'])
  const page = await list(Bucket, { MaxUploads: 2 })
  const marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  assert.equal(marker.UploadIdMarker, places[1]?.UploadId)
  assert.ok(places[1])
  await client.send(new AbortMultipartUploadCommand(places[1]))
  assert.deepEqual(
    (await list(Bucket, marker)).Uploads?.map(({ UploadId }) => UploadId),
    [places[2]?.UploadId],
  )
})

test('a key marker alone passes over all uploads of the key; an upload id alone means nothing', async () => {
  const Bucket = await newBucket()
  const places = await fill(Bucket, ['a', 'a', 'b'])
  const ids = async (more: Partial<ListMultipartUploadsCommandInput>) =>
    (await list(Bucket, more)).Uploads?.map(({ UploadId }) => UploadId)
  const all = places.map(({ UploadId }) => UploadId)
  assert.deepEqual(await ids({ KeyMarker: 'a' }), all.slice(2))
  assert.deepEqual(await ids({ UploadIdMarker: 'f'.repeat(32) }), all)
  await assert.rejects(
    list(Bucket, { KeyMarker: 'a', UploadIdMarker: "' or 1=1" }),
    s3Error('InvalidArgument', 400, 'Invalid uploadId marker'),
  )
})

test('encoding-type=url encodes every name', async () => {
  const Bucket = await newBucket()
  await fill(Bucket, ['x y/a+b', 'x y/ü'])
  const { body } = await raw({
    target: `/${Bucket}?uploads&encoding-type=url&prefix=x%20y%2F&max-uploads=1&key-marker=x%20y`,
  })
  for (const element of [
    '<EncodingType>url</EncodingType>',
    '<Prefix>x+y/</Prefix>',
    '<KeyMarker>x+y</KeyMarker>',
    '<NextKeyMarker>x+y/a%2Bb</NextKeyMarker>',
    '<Key>x+y/a%2Bb</Key>',
  ]) {
    assert.ok(body.includes(element), `${element} in ${body}`)
  }
  const refused = await raw({ target: `/${Bucket}?uploads&encoding-type=base64` })
  assert.deepEqual([refused.status, refused.code], [400, 'InvalidArgument'])
})

test('limits and refusals', async () => {
  const Bucket = await newBucket()
  await fill(Bucket, ['a'])
  assert.equal((await list(Bucket, { MaxUploads: 5000 })).MaxUploads, 1000)
  const none = await list(Bucket, { MaxUploads: 0 })
  assert.deepEqual([none.Uploads, none.IsTruncated], [undefined, false])
  await assert.rejects(list(Bucket, { MaxUploads: -1 }), s3Error('InvalidArgument', 400))
  await assert.rejects(list('no-such-bucket'), s3Error('NoSuchBucket', 404))
})
