import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CopyObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type CopyObjectCommandInput,
} from '@aws-sdk/client-s3'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { s3Error, startConformance } from './harness.ts'
import { uploadParts } from './uploads.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'
import { md5Hex, patternOf, readBody } from './bodies.ts'

const { client, raw, newBucket, metadata } = await startConformance()
const Bucket = await newBucket()
const other = await newBucket()

const Body = patternOf(300_000)
const etag = `"${md5Hex(Body)}"`
const headers = {
  ContentType: 'text/plain',
  ContentEncoding: 'gzip',
  CacheControl: 'no-cache',
  ContentDisposition: 'inline',
  ContentLanguage: 'en',
}
await client.send(
  new PutObjectCommand({
    Bucket,
    Key: 'source',
    Body,
    ...headers,
    Expires: new Date('2030-01-02T03:04:05Z'),
    WebsiteRedirectLocation: '/elsewhere',
    Metadata: { one: '1' },
    ChecksumSHA256: toBase64(checksumOf('SHA256', Body)),
  }),
)

const copy = (Key: string, more: Partial<CopyObjectCommandInput> = {}) =>
  client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, ...more }))
const head = (Key: string, bucket = Bucket) =>
  client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }))

describe('a copy', () => {
  test('has the bytes, and by default the metadata and the kind of checksum, but not the redirect', async () => {
    const { CopyObjectResult } = await copy('copied')
    assert.equal(CopyObjectResult?.ETag, etag)
    assert.equal(CopyObjectResult?.ChecksumSHA256, toBase64(checksumOf('SHA256', Body)))
    assert.equal(CopyObjectResult?.ChecksumType, 'FULL_OBJECT')
    assert.ok((await readBody(client, Bucket, 'copied')).equals(Body))
    const copied = await head('copied')
    for (const [name, value] of Object.entries(headers)) {
      assert.equal(Object.entries(copied).find(([member]) => member === name)?.[1], value, name)
    }
    assert.equal(copied.ExpiresString, 'Wed, 02 Jan 2030 03:04:05 GMT')
    assert.deepEqual(copied.Metadata, { one: '1' })
    assert.equal(copied.WebsiteRedirectLocation, undefined)
    assert.equal(copied.LastModified?.getTime(), CopyObjectResult?.LastModified?.setMilliseconds(0))
  })

  test('REPLACE takes all of the metadata from the request', async () => {
    await copy('replaced', { MetadataDirective: 'REPLACE', CacheControl: 'private', Metadata: { two: '2' } })
    const replaced = await head('replaced')
    assert.equal(replaced.ContentType, 'binary/octet-stream')
    assert.equal(replaced.CacheControl, 'private')
    assert.equal(replaced.ContentEncoding, undefined)
    assert.deepEqual(replaced.Metadata, { two: '2' })
  })

  test('COPY ignores metadata in the request', async () => {
    await copy('kept', { MetadataDirective: 'COPY', ContentType: 'image/png', Metadata: { two: '2' } })
    const kept = await head('kept')
    assert.equal(kept.ContentType, 'text/plain')
    assert.deepEqual(kept.Metadata, { one: '1' })
  })

  test('goes to another bucket, and from a key that has to be encoded', async () => {
    const Key = 'a b/ü+&%?.txt'
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'odd' }))
    const CopySource = `/${Bucket}/${encodeURIComponent(Key)}`
    await client.send(new CopyObjectCommand({ Bucket: other, Key, CopySource }))
    assert.equal((await readBody(client, other, Key)).toString(), 'odd')
  })

  test('may name the null version', async () => {
    await copy('versioned', { CopySource: `${Bucket}/source?versionId=null` })
    await assert.rejects(
      copy('versioned', { CopySource: `${Bucket}/source?versionId=abc` }),
      s3Error('InvalidArgument', 400, 'Invalid version id specified'),
    )
    await assert.rejects(
      copy('versioned', { CopySource: `${Bucket}/source?versionId=` }),
      s3Error('InvalidArgument', 400, 'Version id cannot be the empty string'),
    )
  })

  test('gets the checksum asked for', async () => {
    const { CopyObjectResult } = await copy('asked', { ChecksumAlgorithm: 'CRC32C' })
    assert.equal(CopyObjectResult?.ChecksumCRC32C, toBase64(checksumOf('CRC32C', Body)))
    assert.equal(CopyObjectResult?.ChecksumSHA256, undefined)
  })

  test('of an empty object', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '' }))
    const { CopyObjectResult } = await copy('empty-copy', { CopySource: `${Bucket}/empty` })
    assert.equal(CopyObjectResult?.ETag, `"${md5Hex('')}"`)
  })

  test('of an object of parts is one object: the MD5 of its bytes, a checksum of the whole', async () => {
    const { bytes, Key } = await uploadParts(client, Bucket, 'parts', { ChecksumAlgorithm: 'CRC32' })
    const { CopyObjectResult } = await copy('parts-copy', { CopySource: `${Bucket}/${Key}` })
    assert.equal(CopyObjectResult?.ETag, `"${md5Hex(bytes)}"`)
    assert.equal(CopyObjectResult?.ChecksumCRC32, toBase64(checksumOf('CRC32', bytes)))
    assert.equal(CopyObjectResult?.ChecksumType, 'FULL_OBJECT')
    assert.ok((await readBody(client, Bucket, 'parts-copy')).equals(bytes))
  })
})

describe('tags', () => {
  const tagsOf = async (Key: string) =>
    (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet
  const CopySource = `${Bucket}/tagged`

  test('are copied, unless replaced', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'tagged', Tagging: 'a=1' }))
    for (const directive of [{}, { TaggingDirective: 'COPY', Tagging: 'ignored=1' } as const]) {
      await copy('tags', { CopySource, ...directive })
      assert.deepEqual(await tagsOf('tags'), [{ Key: 'a', Value: '1' }])
    }
    await copy('tags', { CopySource, TaggingDirective: 'REPLACE', Tagging: 'b=2' })
    assert.deepEqual(await tagsOf('tags'), [{ Key: 'b', Value: '2' }])
    await copy('tags', { CopySource, TaggingDirective: 'REPLACE' })
    assert.deepEqual(await tagsOf('tags'), [])
    const illTagged = copy('tags', { CopySource, TaggingDirective: 'REPLACE', Tagging: '=' })
    await assert.rejects(illTagged, s3Error('InvalidArgument', 400))
  })
})

test('the storage class is STANDARD unless asked for', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'cold', StorageClass: 'STANDARD_IA' }))
  await copy('warm', { CopySource: `${Bucket}/cold` })
  assert.equal((await head('warm')).StorageClass, undefined)
  await copy('warm', { CopySource: `${Bucket}/cold`, StorageClass: 'ONEZONE_IA' })
  assert.equal((await head('warm')).StorageClass, 'ONEZONE_IA')
})

describe('versions', () => {
  test('of the source and of the copy are told; an older one may be copied onto itself', async () => {
    const versioned = await newBucket()
    await setVersioning(client, versioned, 'Enabled')
    const one = await putVersion(client, versioned, 'k', 'one')
    const two = await putVersion(client, versioned, 'k', 'two')
    const send = (more: Partial<CopyObjectCommandInput>) =>
      client.send(
        new CopyObjectCommand({ Bucket: versioned, Key: 'copy', CopySource: `${versioned}/k`, ...more }),
      )
    const current = await send({})
    assert.equal(current.CopySourceVersionId, two)
    assert.match(current.VersionId ?? '', /^[A-Za-z0-9._]{32}$/)
    const older = await send({ CopySource: `${versioned}/k?versionId=${one}` })
    assert.equal(older.CopySourceVersionId, one)
    assert.equal((await readBody(client, versioned, 'copy')).toString(), 'one')
    await assert.rejects(send({ Key: 'k' }), s3Error('InvalidRequest', 400, /copy an object to itself/))
    await send({ Key: 'k', CopySource: `${versioned}/k?versionId=${one}` })
    assert.equal((await readBody(client, versioned, 'k')).toString(), 'one')
    const elsewhere = await send({ Bucket })
    assert.deepEqual([elsewhere.VersionId, elsewhere.CopySourceVersionId !== undefined], [undefined, true])
  })

  test('a delete marker is no source', async () => {
    const versioned = await newBucket()
    await setVersioning(client, versioned, 'Enabled')
    await putVersion(client, versioned, 'k', 'one')
    const marker = await putDeleteMarker(client, versioned, 'k')
    const send = (query: string) =>
      raw({
        method: 'PUT',
        target: `/${Bucket}/of-marker`,
        headers: { 'x-amz-copy-source': `${versioned}/k${query}` },
      })
    const current = await send('')
    assert.deepEqual([current.status, current.code], [404, 'NoSuchKey'])
    assert.match(current.body, /<Key>k<\/Key>/)
    assert.deepEqual(
      [current.headers['x-amz-delete-marker'], current.headers['x-amz-version-id']],
      ['true', marker],
    )
    const named = await send(`?versionId=${marker}`)
    assert.deepEqual([named.status, named.code], [400, 'InvalidRequest'])
    assert.match(named.body, /may not specifically refer to a delete marker by version id\./)
    const absent = await send(`?versionId=${ABSENT_VERSION}`)
    assert.deepEqual([absent.status, absent.code], [404, 'NoSuchVersion'])
  })
})

describe('onto itself', () => {
  const message =
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."

  test('without a change is InvalidRequest', async () => {
    await copy('self')
    const CopySource = `${Bucket}/self`
    await assert.rejects(copy('self', { CopySource }), s3Error('InvalidRequest', 400, message))
    await assert.rejects(
      copy('self', { CopySource, MetadataDirective: 'COPY' }),
      s3Error('InvalidRequest', 400, message),
    )
  })

  test('with other metadata, a storage class or a redirect is a change', async () => {
    const CopySource = `${Bucket}/self`
    await copy('self', { CopySource, MetadataDirective: 'REPLACE', Metadata: { now: 'other' } })
    assert.deepEqual((await head('self')).Metadata, { now: 'other' })
    await copy('self', { CopySource, StorageClass: 'STANDARD' })
    await copy('self', { CopySource, WebsiteRedirectLocation: '/moved' })
    assert.equal((await head('self')).WebsiteRedirectLocation, '/moved')
    assert.ok((await readBody(client, Bucket, 'self')).equals(Body))
  })
})

describe('conditions on the source', () => {
  const before = new Date(Date.now() - 3_600_000)
  const after = new Date(Date.now() + 3_600_000)
  const held: Partial<CopyObjectCommandInput>[] = [
    { CopySourceIfMatch: etag },
    { CopySourceIfNoneMatch: '"other"' },
    { CopySourceIfModifiedSince: before },
    // A date in the future is ignored.
    { CopySourceIfModifiedSince: after },
    { CopySourceIfUnmodifiedSince: after },
    // A tag that matches outweighs a date that does not.
    { CopySourceIfMatch: etag, CopySourceIfUnmodifiedSince: before },
  ]
  for (const condition of held) {
    test(`held: ${Object.keys(condition).join(' and ')}`, async () => {
      await copy('conditional', condition)
    })
  }

  const failed: Partial<CopyObjectCommandInput>[] = [
    { CopySourceIfMatch: '"other"' },
    { CopySourceIfNoneMatch: etag },
    { CopySourceIfUnmodifiedSince: before },
    // A tag that matches outweighs a date that would let it pass.
    { CopySourceIfNoneMatch: etag, CopySourceIfModifiedSince: before },
  ]
  for (const condition of failed) {
    test(`failed: ${Object.keys(condition).join(' and ')}`, async () => {
      await assert.rejects(copy('conditional', condition), s3Error('PreconditionFailed', 412))
    })
  }
})

test('in the name of the source a plus is a blank', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'a plus+', Body: 'x' }))
  for (const path of ['a+plus%2B', 'a%20plus%2b']) {
    await copy('unplussed', { CopySource: `${Bucket}%2F${path}` })
  }
  await assert.rejects(copy('none', { CopySource: `${Bucket}/a+plus+` }), s3Error('NoSuchKey', 404))
})

test('where versioning is suspended, the null version is named', async () => {
  const suspended = await newBucket()
  const CopySource = `${Bucket}/source`
  const written = async () =>
    (await client.send(new CopyObjectCommand({ Bucket: suspended, Key: 'key', CopySource }))).VersionId
  assert.equal(await written(), undefined)
  await setVersioning(client, suspended, 'Suspended')
  assert.equal(await written(), 'null')
  const put = await client.send(new PutObjectCommand({ Bucket: suspended, Key: 'key' }))
  assert.equal(put.VersionId, undefined)
  // Not so the null version that is copied.
  const CopyOfNull = { Bucket: suspended, Key: 'copy', CopySource: `${suspended}/key` }
  const copied = await client.send(new CopyObjectCommand(CopyOfNull))
  assert.deepEqual([copied.VersionId, copied.CopySourceVersionId], ['null', undefined])
})

test('conditions on the copy', async () => {
  await copy('once', { IfNoneMatch: '*' })
  await assert.rejects(copy('once', { IfNoneMatch: '*' }), s3Error('PreconditionFailed', 412))
  await copy('once', { IfMatch: etag })
  await assert.rejects(copy('once', { IfMatch: '"other"' }), s3Error('PreconditionFailed', 412))
})

describe('refusals', () => {
  test('what is missing is named: the source, not the copy', async () => {
    const noKey = await raw({
      method: 'PUT',
      target: `/${Bucket}/copied-2`,
      headers: { 'x-amz-copy-source': `${Bucket}/missing` },
    })
    assert.deepEqual([noKey.status, noKey.code], [404, 'NoSuchKey'])
    assert.match(noKey.body, /<Key>missing<\/Key>/)
    const noBucket = await raw({
      method: 'PUT',
      target: `/${Bucket}/copied-2`,
      headers: { 'x-amz-copy-source': 'no-such-bucket/missing' },
    })
    assert.deepEqual([noBucket.status, noBucket.code], [404, 'NoSuchBucket'])
    assert.match(noBucket.body, /<BucketName>no-such-bucket<\/BucketName>/)
    await assert.rejects(copy('x', { Bucket: 'no-such-bucket' }), s3Error('NoSuchBucket', 404))
  })

  test('a source that is none', async () => {
    for (const CopySource of ['', 'bucket-only', `${Bucket}/`, '%FF/key']) {
      const answer = await raw({
        method: 'PUT',
        target: `/${Bucket}/x`,
        headers: { 'x-amz-copy-source': CopySource },
      })
      assert.equal(answer.status, 400, CopySource)
      assert.equal(answer.code, 'InvalidArgument', CopySource)
    }
  })

  test('another account’s bucket was expected', async () => {
    await assert.rejects(
      copy('x', { ExpectedSourceBucketOwner: '123456789012' }),
      s3Error('AccessDenied', 403),
    )
  })

  test('more than 5 GiB at once', async () => {
    const size = BigInt(5 * 1024 ** 3 + 1)
    const version = '0'.repeat(32)
    // A record alone: what it says of its size is all that is looked at.
    await metadata.call('commitObject', {
      object: { format: 1, bucket: Bucket, key: 'huge', version, size, etag: 'e', storageClass: 'STANDARD' },
    })
    await assert.rejects(
      copy('x', { CopySource: `${Bucket}/huge` }),
      s3Error(
        'InvalidRequest',
        400,
        'The specified copy source is larger than the maximum allowable size for a copy source: 5368709120',
      ),
    )
  })

  for (const [name, value] of [
    ['x-amz-copy-source-server-side-encryption-customer-algorithm', 'AES256'],
  ] as const) {
    test(`not built: ${name}`, async () => {
      const answer = await raw({
        method: 'PUT',
        target: `/${Bucket}/unbuilt`,
        headers: { 'x-amz-copy-source': `${Bucket}/source`, [name]: value },
      })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
      assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
    })
  }
})
