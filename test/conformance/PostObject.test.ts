/** Uploads by a browser's form. @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3'
import { formRequest, signForm, type Fields, type FormOptions } from './forms.ts'
import { DOMAIN, s3Error, startConformance } from './harness.ts'

const s3 = await startConformance()

async function post(
  bucket: string,
  fields: Fields,
  file: string | Uint8Array = 'hello',
  options?: FormOptions,
) {
  return await s3.raw(formRequest(bucket, signForm(s3, bucket, fields), file, options))
}

async function bytesOf(Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

const md5 = (data: string | Uint8Array): string => `"${createHash('md5').update(data).digest('hex')}"`

describe('PostObject stores', () => {
  it('the file, and answers 204 with its ETag and Location', async () => {
    const bucket = await s3.newBucket()
    const { status, headers, body } = await post(bucket, { key: 'a/b c' })
    assert.equal(status, 204)
    assert.equal(body, '')
    assert.equal(headers['etag'], md5('hello'))
    assert.equal(headers['location'], `http://${s3.address}/${bucket}/a%2Fb%20c`)
    assert.equal((await bytesOf(bucket, 'a/b c')).toString(), 'hello')
  })

  it('files of any size, with fields behind them or not', async () => {
    const bucket = await s3.newBucket()
    for (const size of [0, 1, 100, 32_768, 65_536, 300_000, 4_194_304, 6_000_001]) {
      const file = Buffer.alloc(size, 'file\r\n------form-boundar')
      for (const after of [{}, { submit: 'Upload to Amazon S3' }]) {
        const { status, headers } = await post(bucket, { key: `k${size}` }, file, { after })
        assert.equal(status, 204)
        assert.equal(headers['etag'], md5(file))
        assert.ok((await bytesOf(bucket, `k${size}`)).equals(file), `${size} bytes`)
      }
    }
  })

  it('what the fields say of it, and not what the part says', async () => {
    const bucket = await s3.newBucket()
    const fields = {
      key: 'k',
      'Content-Type': 'image/png',
      'Cache-Control': 'max-age=100',
      'Content-Disposition': 'inline',
      'Content-Encoding': 'gzip',
      'Content-Language': 'en-US',
      Expires: 'Fri, 21 Mar 2036 00:00:00 GMT',
      'x-amz-website-redirect-location': '/elsewhere',
      'x-amz-meta-Foo': 'bär',
    }
    assert.equal((await post(bucket, fields)).status, 204)
    const head = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'k' }))
    assert.equal(head.ContentType, 'image/png')
    assert.equal(head.CacheControl, 'max-age=100')
    assert.equal(head.ContentDisposition, 'inline')
    assert.equal(head.ContentEncoding, 'gzip')
    assert.equal(head.ContentLanguage, 'en-US')
    assert.equal(head.ExpiresString, fields.Expires)
    assert.equal(head.WebsiteRedirectLocation, '/elsewhere')
    assert.equal(Object.keys(head.Metadata ?? {}).join(), 'foo')
    await post(bucket, { key: 'plain' })
    const plain = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'plain' }))
    assert.equal(plain.ContentType, 'binary/octet-stream')
  })

  it('under the name of the file', async () => {
    const bucket = await s3.newBucket()
    const signed = signForm(s3, bucket, { key: `up/$\{filename}` }, [['starts-with', '$key', 'up/']])
    const { status } = await s3.raw(formRequest(bucket, signed, 'x', { fileName: 'C:\\dir\\naïve.txt' }))
    assert.equal(status, 204)
    assert.equal((await bytesOf(bucket, 'up/naïve.txt')).toString(), 'x')
  })

  it('under the name of no file', async () => {
    const bucket = await s3.newBucket()
    const key = `up/$\{filename}`
    const { status } = await post(bucket, { key }, 'x', { fileName: null })
    assert.equal(status, 204)
    assert.equal((await bytesOf(bucket, key)).toString(), 'x')
  })

  it('virtual-host style', async () => {
    const bucket = await s3.newBucket()
    const host = `${bucket}.${DOMAIN}`
    const { status, headers } = await post(bucket, { key: 'k' }, 'v', { target: '/', headers: { host } })
    assert.equal(status, 204)
    assert.equal(headers['location'], `http://${host}/k`)
    assert.equal((await bytesOf(bucket, 'k')).toString(), 'v')
  })

  it('with the checksum that a field declares', async () => {
    const bucket = await s3.newBucket()
    const good = await post(bucket, { key: 'k', 'x-amz-checksum-crc32': 'NhCmhg==' })
    assert.equal(good.status, 204)
    assert.equal(good.headers['x-amz-checksum-crc32'], 'NhCmhg==')
    const bad = await post(bucket, { key: 'bad', 'x-amz-checksum-crc32': 'AAAAAA==' })
    assert.deepEqual([bad.status, bad.code], [400, 'BadDigest'])
    const malformed = await post(bucket, { key: 'bad', 'x-amz-checksum-sha256': 'sailorjerry' })
    assert.deepEqual([malformed.status, malformed.code], [400, 'InvalidRequest'])
    const digest = await post(bucket, { key: 'bad', 'Content-MD5': md5('other').slice(1, 9) })
    assert.deepEqual([digest.status, digest.code], [400, 'InvalidDigest'])
    await assert.rejects(bytesOf(bucket, 'bad'), s3Error('NoSuchKey', 404))
  })
})

describe('PostObject is a PutObject', () => {
  it('with the tags of a document', async () => {
    const bucket = await s3.newBucket()
    const tag = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`
    const tagging = (tags: string): string => `<Tagging><TagSet>${tags}</TagSet></Tagging>`
    const answer = await post(bucket, { key: 'k', tagging: tagging(tag('a+b c', 'c=d') + tag('ü', '')) })
    assert.equal(answer.status, 204, answer.body)
    const { TagSet } = await s3.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: 'k' }))
    assert.deepEqual(TagSet, [
      { Key: 'a+b c', Value: 'c=d' },
      { Key: 'ü', Value: '' },
    ])
    const repeated = await post(bucket, { key: 'l', tagging: tagging(tag('a', '1') + tag('a', '2')) })
    assert.deepEqual([repeated.status, repeated.code], [400, 'InvalidTag'])
  })

  it('that makes versions', async () => {
    const Bucket = await s3.newBucket()
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await s3.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
    const versions = [await post(Bucket, { key: 'k' }, 'one'), await post(Bucket, { key: 'k' }, 'two')].map(
      ({ headers }) => headers['x-amz-version-id'],
    )
    assert.equal(new Set(versions).size, 2)
    const [VersionId] = versions
    assert.ok(VersionId !== undefined)
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'k', VersionId }))
    assert.equal(await Body?.transformToString(), 'one')
  })

  it('that anybody may send where anybody may write, without a policy', async () => {
    const Bucket = 'post-by-anybody'
    await s3.client.send(
      new CreateBucketCommand({ Bucket, ObjectOwnership: 'ObjectWriter', ACL: 'public-read-write' }),
    )
    const fields = { key: 'k', acl: 'public-read', 'x-amz-meta-a': 'b', success_action_status: '201' }
    const { status, body } = await s3.raw(formRequest(Bucket, fields, 'hello'))
    assert.equal(status, 201, body)
    const read = await s3.raw({ target: `/${Bucket}/k`, signed: false })
    assert.deepEqual([read.status, read.body, read.headers['x-amz-meta-a']], [200, 'hello', 'b'])
  })
})

describe('PostObject answers', () => {
  it('as success_action_status says', async () => {
    const bucket = await s3.newBucket()
    for (const [asked, status] of [
      ['200', 200],
      ['204', 204],
      ['404', 204],
      ['', 204],
    ] as const) {
      const answer = await post(bucket, { key: 'k', success_action_status: asked })
      assert.deepEqual([answer.status, answer.body], [status, ''])
    }
    const { status, headers, body } = await post(bucket, { key: 'a&b', success_action_status: '201' })
    assert.equal(status, 201)
    assert.equal(headers['content-type'], 'application/xml')
    const location = `http://${s3.address}/${bucket}/a%26b`
    assert.equal(headers['location'], location)
    assert.equal(
      body,
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        `<PostResponse><Location>${location}</Location><Bucket>${bucket}</Bucket><Key>a&amp;b</Key><ETag>${md5('hello').replaceAll('"', '&quot;')}</ETag></PostResponse>`,
    )
  })

  it('with a redirect, and ignores one that is no URL', async () => {
    const bucket = await s3.newBucket()
    const etag = encodeURIComponent(md5('hello'))
    for (const [redirect, expected] of [
      ['http://example.com/done', `http://example.com/done?bucket=${bucket}&key=k%26%20l&etag=${etag}`],
      ['https://example.com/?a=b', `https://example.com/?a=b&bucket=${bucket}&key=k%26%20l&etag=${etag}`],
    ] as const) {
      const answer = await post(bucket, {
        key: 'k& l',
        success_action_redirect: redirect,
        success_action_status: '201',
      })
      assert.deepEqual([answer.status, answer.headers['location'], answer.body], [303, expected, ''])
    }
    for (const redirect of ['nowhere', 'javascript:alert(1)', 'http://']) {
      assert.equal((await post(bucket, { key: 'k', success_action_redirect: redirect })).status, 204)
    }
  })
})

describe('PostObject refuses', () => {
  const cases: Readonly<
    Record<string, readonly [FormOfBucket: (bucket: string) => Fields, status: number, code: string]>
  > = {
    'anonymous forms where nobody may write': [() => ({ key: 'k' }), 403, 'AccessDenied'],
    'a form without a key': [(bucket) => signForm(s3, bucket, {}), 400, 'InvalidArgument'],
    'an empty key': [(bucket) => signForm(s3, bucket, { key: '' }), 400, 'InvalidArgument'],
    'a key of 1,025 bytes': [
      (bucket) => signForm(s3, bucket, { key: 'k'.repeat(1025) }),
      400,
      'KeyTooLongError',
    ],
    'an expired policy': [(bucket) => signForm(s3, bucket, { key: 'k' }, [], -1000), 403, 'AccessDenied'],
    'another bucket': [() => signForm(s3, 'other', { key: 'k' }), 403, 'AccessDenied'],
    'a field without a condition': [
      (bucket) => ({ ...signForm(s3, bucket, { key: 'k' }), 'x-amz-meta-a': 'b' }),
      403,
      'AccessDenied',
    ],
    'a changed field': [
      (bucket) => ({ ...signForm(s3, bucket, { key: 'k' }), key: 'l' }),
      403,
      'AccessDenied',
    ],
    'a changed signature': [
      (bucket) => ({ ...signForm(s3, bucket, { key: 'k' }), 'x-amz-signature': 'f'.repeat(64) }),
      403,
      'SignatureDoesNotMatch',
    ],
    'Signature Version 2': [
      () => ({ key: 'k', AWSAccessKeyId: 'A', policy: 'p', signature: 's' }),
      400,
      'InvalidRequest',
    ],
    'a bad redirect location': [
      (bucket) => signForm(s3, bucket, { key: 'k', 'x-amz-website-redirect-location': 'ftp://x' }),
      400,
      'InvalidRedirectLocation',
    ],
    'too much metadata': [
      (bucket) => signForm(s3, bucket, { key: 'k', 'x-amz-meta-a': 'b'.repeat(2049) }),
      400,
      'MetadataTooLarge',
    ],
    'tags that are no document': [
      (bucket) => signForm(s3, bucket, { key: 'k', tagging: 'invalid' }),
      400,
      'MalformedXML',
    ],
  }
  for (const [name, [fields, status, code]] of Object.entries(cases)) {
    it(name, async () => {
      const bucket = await s3.newBucket()
      const answer = await s3.raw(formRequest(bucket, fields(bucket), 'hello'))
      assert.deepEqual([answer.status, answer.code], [status, code], answer.body)
      await assert.rejects(bytesOf(bucket, 'k'), s3Error('NoSuchKey', 404))
    })
  }

  it('files outside content-length-range, and takes those at its ends', async () => {
    const bucket = await s3.newBucket()
    const send = (file: Buffer, min: number, max: number) => {
      const range = [
        ['eq', '$key', 'k'],
        ['content-length-range', min, max],
      ]
      return s3.raw(
        formRequest(bucket, signForm(s3, bucket, { key: 'k' }, range), file, { after: { z: 'z' } }),
      )
    }
    for (const size of [5, 100_000, 5_000_000]) {
      const file = Buffer.alloc(size, 'x')
      assert.equal((await send(file, size, size)).status, 204)
      const large = await send(file, 0, size - 1)
      assert.deepEqual([large.status, large.code], [400, 'EntityTooLarge'])
      assert.match(large.body, new RegExp(`<MaxSizeAllowed>${size - 1}</MaxSizeAllowed>`))
      const small = await send(file, size + 1, size + 2)
      assert.deepEqual([small.status, small.code], [400, 'EntityTooSmall'])
      assert.match(small.body, new RegExp(`<MinSizeAllowed>${size + 1}</MinSizeAllowed>`))
    }
    const before = await s3.shardCount()
    await send(Buffer.alloc(5_000_000), 0, 4_900_000)
    assert.equal(await s3.shardCount(), before)
  })

  it('fields that no header can carry, and keeps nothing', async () => {
    const bucket = await s3.newBucket()
    for (const field of [
      { 'Content-Disposition': 'inline\r\nset-cookie: a=b' },
      { 'x-amz-website-redirect-location': '/\nset-cookie: a=b' },
      { 'x-amz-meta-of my own': 'v' },
    ]) {
      const { status, code } = await post(bucket, { key: 'k', ...field }, 'hello')
      assert.deepEqual([status, code], [400, 'InvalidArgument'], JSON.stringify(field))
    }
    await assert.rejects(bytesOf(bucket, 'k'), s3Error('NoSuchKey', 404))
    assert.equal((await post(bucket, { key: 'k', 'x-amz-meta-a': 'two\r\nlines' })).status, 204)
    const { Metadata } = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'k' }))
    assert.deepEqual(Object.keys(Metadata ?? {}), ['a'])
  })

  it('what is no form, or goes to an object', async () => {
    const bucket = await s3.newBucket()
    const type = await s3.raw(
      formRequest(bucket, {}, '', { headers: { 'content-type': 'application/json' } }),
    )
    assert.deepEqual([type.status, type.code], [412, 'PreconditionFailed'])
    assert.match(
      type.body,
      /<Condition>Bucket POST must be of the enclosure-type multipart\/form-data<\/Condition>/,
    )
    const object = await s3.raw(formRequest(bucket, {}, '', { target: `/${bucket}/key` }))
    assert.deepEqual([object.status, object.code], [405, 'MethodNotAllowed'])
  })

  it('a bucket that is not there', async () => {
    const answer = await s3.raw(
      formRequest('missing-bucket', signForm(s3, 'missing-bucket', { key: 'k' }), 'x'),
    )
    assert.deepEqual([answer.status, answer.code], [404, 'NoSuchBucket'])
  })
})
