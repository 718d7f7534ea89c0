import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type DeleteMarkerEntry,
  type ListObjectVersionsCommandInput,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

let Bucket = ''
/** `key version` of each entry, in the order that they were listed in; a delete marker has a `!`. */
const expected: string[] = []
const list = (more: Partial<ListObjectVersionsCommandInput> = {}) =>
  client.send(new ListObjectVersionsCommand({ Bucket, ...more }))

/** Entries of a document, in its order. */
function entriesOf(document: string): string[] {
  return [...document.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].map(([, kind, content = '']) => {
    const [, key = ''] = /<Key>(.*?)<\/Key>/.exec(content) ?? []
    const [, version = ''] = /<VersionId>(.*?)<\/VersionId>/.exec(content) ?? []
    return `${key} ${version}${kind === 'DeleteMarker' ? '!' : ''}`
  })
}

const text = (xml: string, element: string) => new RegExp(`<${element}>(.*?)</${element}>`).exec(xml)?.[1]

before(async () => {
  Bucket = await newBucket()
  await putVersion(client, Bucket, 'a', 'before versioning')
  await putVersion(client, Bucket, 'c/1', 'before versioning')
  await setVersioning(client, Bucket, 'Enabled')
  const a1 = await putVersion(client, Bucket, 'a', 'one')
  const marker = await putDeleteMarker(client, Bucket, 'a')
  const a2 = await putVersion(client, Bucket, 'a', 'two')
  const b1 = await putVersion(client, Bucket, 'b', 'one')
  const gone = await putDeleteMarker(client, Bucket, 'b')
  const c2 = await putVersion(client, Bucket, 'c/2', 'one')
  const d = await putVersion(client, Bucket, 'd', 'one')
  expected.push(
    `a ${a2}`,
    `a ${marker}!`,
    `a ${a1}`,
    'a null',
    `b ${gone}!`,
    `b ${b1}`,
    'c/1 null',
    `c/2 ${c2}`,
    `d ${d}`,
  )
})

test('by key, and the newest of a key first; versions and delete markers are mixed', async () => {
  const { status, body } = await raw({ target: `/${Bucket}?versions` })
  assert.equal(status, 200)
  assert.match(
    body,
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<ListVersionsResult xmlns="http:\/\/s3.amazonaws.com/,
  )
  assert.deepEqual(entriesOf(body), expected)
  assert.equal(text(body, 'KeyMarker'), '')
  assert.equal(text(body, 'VersionIdMarker'), '')
  assert.equal(text(body, 'IsTruncated'), 'false')
})

test('what an entry tells', async () => {
  const { Versions = [], DeleteMarkers = [], ...page } = await list()
  assert.deepEqual(
    [page.Name, page.Prefix, page.MaxKeys, page.IsTruncated, page.NextKeyMarker, page.Delimiter],
    [Bucket, '', 1000, false, undefined, undefined],
  )
  const latest = (entries: readonly Pick<DeleteMarkerEntry, 'Key' | 'IsLatest'>[]) =>
    entries.filter(({ IsLatest }) => IsLatest).map(({ Key }) => Key)
  assert.deepEqual([latest(Versions), latest(DeleteMarkers)], [['a', 'c/1', 'c/2', 'd'], ['b']])
  const [first] = Versions
  assert.deepEqual(
    [first?.Key, first?.Size, first?.StorageClass, first?.ChecksumType],
    ['a', 3, 'STANDARD', 'FULL_OBJECT'],
  )
  assert.match(first?.ETag ?? '', /^"[0-9a-f]{32}"$/)
  assert.ok(first?.LastModified instanceof Date)
  assert.deepEqual(first?.ChecksumAlgorithm?.length, 1)
  assert.match(first?.Owner?.ID ?? '', /^[0-9a-f]{64}$/)
  const [marker] = DeleteMarkers
  assert.deepEqual(Object.keys(marker ?? {}).toSorted(), [
    'IsLatest',
    'Key',
    'LastModified',
    'Owner',
    'VersionId',
  ])
  assert.equal(marker?.Owner?.ID, first?.Owner?.ID)
})

test('a bucket without versions lists its objects as null versions', async () => {
  const plain = await newBucket()
  await client.send(new PutObjectCommand({ Bucket: plain, Key: 'k' }))
  const { Versions } = await list({ Bucket: plain })
  assert.deepEqual(
    Versions?.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest]),
    [['k', 'null', true]],
  )
})

test('suspended: one null version a key, or a marker in its place', async () => {
  const suspended = await newBucket()
  await setVersioning(client, suspended, 'Enabled')
  const kept = await putVersion(client, suspended, 'k', '1')
  await setVersioning(client, suspended, 'Suspended')
  await putVersion(client, suspended, 'k', '2')
  await putVersion(client, suspended, 'k', '3')
  const target = `/${suspended}?versions`
  assert.deepEqual(entriesOf((await raw({ target })).body), ['k null', `k ${kept}`])
  assert.equal(await putDeleteMarker(client, suspended, 'k'), 'null')
  assert.equal(await putDeleteMarker(client, suspended, 'k'), 'null')
  assert.deepEqual(entriesOf((await raw({ target })).body), ['k null!', `k ${kept}`])
  await client.send(new DeleteObjectCommand({ Bucket: suspended, Key: 'k', VersionId: 'null' }))
  assert.deepEqual(entriesOf((await raw({ target })).body), [`k ${kept}`])
})

describe('pages', () => {
  for (const size of [1, 2, 3, 5, 8, 9]) {
    test(`of ${size} go on where the last ended`, async () => {
      const seen: string[] = []
      let markers = ''
      for (;;) {
        const { body } = await raw({ target: `/${Bucket}?max-keys=${size}&versions${markers}` })
        const entries = entriesOf(body)
        assert.ok(entries.length <= size)
        seen.push(...entries)
        if (text(body, 'IsTruncated') === 'false') {
          assert.equal(text(body, 'NextKeyMarker'), undefined)
          break
        }
        const [key = '', version = ''] = [text(body, 'NextKeyMarker'), text(body, 'NextVersionIdMarker')]
        assert.equal(`${key} ${version}`, entries.at(-1)?.replace('!', ''))
        markers = `&key-marker=${encodeURIComponent(key)}&version-id-marker=${encodeURIComponent(version)}`
      }
      assert.deepEqual(seen, expected)
    })
  }

  test('a key marker alone passes the whole key', async () => {
    const { Versions = [], DeleteMarkers = [], KeyMarker } = await list({ KeyMarker: 'a' })
    assert.equal(KeyMarker, 'a')
    assert.deepEqual([Versions.length, DeleteMarkers.length], [4, 1])
  })

  test('after the null version, and after a version that is gone', async () => {
    const afterNull = await list({ KeyMarker: 'a', VersionIdMarker: 'null' })
    assert.equal(afterNull.VersionIdMarker, 'null')
    assert.equal(afterNull.Versions?.[0]?.Key, 'b')
    const bucket = await newBucket()
    await setVersioning(client, bucket, 'Enabled')
    const one = await putVersion(client, bucket, 'k', '1')
    const two = await putVersion(client, bucket, 'k', '2')
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'k', VersionId: two }))
    const { Versions } = await list({ Bucket: bucket, KeyMarker: 'k', VersionIdMarker: two })
    assert.deepEqual(
      Versions?.map(({ VersionId }) => VersionId),
      [one],
    )
  })

  test('max-keys 0', async () => {
    const { Versions, DeleteMarkers, MaxKeys, IsTruncated } = await list({ MaxKeys: 0 })
    assert.deepEqual([Versions, DeleteMarkers, MaxKeys, IsTruncated], [undefined, undefined, 0, false])
  })
})

describe('prefix and delimiter', () => {
  test('keys under a common prefix are one entry', async () => {
    const { Versions = [], CommonPrefixes, Delimiter } = await list({ Delimiter: '/' })
    assert.deepEqual([CommonPrefixes, Delimiter], [[{ Prefix: 'c/' }], '/'])
    assert.deepEqual([...new Set(Versions.map(({ Key }) => Key))], ['a', 'b', 'd'])
  })

  test('a page may end with one, and has no version marker then', async () => {
    const page = await list({ Delimiter: '/', KeyMarker: 'b', MaxKeys: 1 })
    assert.deepEqual([page.CommonPrefixes, page.IsTruncated], [[{ Prefix: 'c/' }], true])
    assert.deepEqual([page.NextKeyMarker, page.NextVersionIdMarker], ['c/', undefined])
    const rest = await list({ Delimiter: '/', KeyMarker: 'c/' })
    assert.deepEqual([rest.Versions?.map(({ Key }) => Key), rest.CommonPrefixes], [['d'], undefined])
  })

  test('markers inside one go on after all of it', async () => {
    const answer = await list({ Delimiter: '/', KeyMarker: 'c/1', VersionIdMarker: 'null' })
    assert.deepEqual([answer.Versions?.map(({ Key }) => Key), answer.CommonPrefixes], [['d'], undefined])
    assert.deepEqual([answer.KeyMarker, answer.VersionIdMarker], ['c/1', 'null'])
  })

  test('a prefix', async () => {
    const { Versions, Prefix } = await list({ Prefix: 'c/' })
    assert.deepEqual([Versions?.map(({ Key }) => Key), Prefix], [['c/1', 'c/2'], 'c/'])
  })

  test('encoding-type=url encodes names', async () => {
    const bucket = await newBucket()
    await setVersioning(client, bucket, 'Enabled')
    await putVersion(client, bucket, 'ä b/1', '')
    await putVersion(client, bucket, 'ö+', '')
    await putDeleteMarker(client, bucket, 'ö+')
    const { body } = await raw({
      target: `/${bucket}?delimiter=%2F&encoding-type=url&key-marker=a%20b&versions`,
    })
    assert.match(body, /<KeyMarker>a\+b<\/KeyMarker>/)
    assert.match(body, /<CommonPrefixes><Prefix>%C3%A4\+b\/<\/Prefix><\/CommonPrefixes>/)
    assert.deepEqual(new Set(entriesOf(body).map((entry) => entry.split(' ')[0])), new Set(['%C3%B6%2B']))
    assert.match(body, /<EncodingType>url<\/EncodingType>/)
  })
})

describe('refusals', () => {
  for (const [query, message] of [
    ['max-keys=-1', /max-keys cannot be negative/],
    ['max-keys=x', /not an integer or within integer range/],
    ['version-id-marker=x', /A version-id marker cannot be specified without a key marker\./],
    ['version-id-marker=', /A version-id marker cannot be specified without a key marker\./],
    ['key-marker=a&version-id-marker=', /A version-id marker cannot be empty\./],
    ['key-marker=a&version-id-marker=x', /Invalid version id specified/],
    ['key-marker=&version-id-marker=x', /Invalid version id specified/],
    ['encoding-type=x', /Invalid Encoding Method/],
  ] as const) {
    test(query, async () => {
      const answer = await raw({ target: `/${Bucket}?${query}&versions` })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'])
      assert.match(answer.body, message)
    })
  }

  test('NoSuchBucket, AccessDenied', async () => {
    await assert.rejects(list({ Bucket: 'not-there' }), s3Error('NoSuchBucket', 404))
    await assert.rejects(list({ ExpectedBucketOwner: '111122223333' }), s3Error('AccessDenied', 403))
    assert.equal((await raw({ target: `/${Bucket}?versions`, signed: false })).status, 403)
  })
})
