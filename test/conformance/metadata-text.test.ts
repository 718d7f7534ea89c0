/**
 * Text beyond ASCII in what is kept with an object, held against what was recorded of the service: the User Guide's example,
 * minio/minio pull request 21282, and localstack's snapshots of 2026 (`test_*_with_unicode*`, `test_user_metadata_rfc2047_*`).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CopyObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { formRequest, signForm } from './forms.ts'
import { startConformance } from './harness.ts'

const harness = await startConformance()
const { client, raw, newBucket } = harness
const Bucket = await newBucket()

/** Text in UTF-8, as Node has headers: one character a byte. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')

const metadataOf = async (Key: string) => (await client.send(new HeadObjectCommand({ Bucket, Key }))).Metadata

async function put(key: string, headers: Readonly<Record<string, string>>): Promise<void> {
  assert.equal((await raw({ method: 'PUT', target: `/${Bucket}/${key}`, headers, body: 'x' })).status, 200)
}

test('raw bytes of metadata are read as Latin-1, and returned in encoded words', async () => {
  await put('raw', {
    'x-amz-meta-ascii': 'AMAZONS3',
    'x-amz-meta-nonascii': utf8('ÄMÄZÕÑ S3'),
    'x-amz-meta-mostly': utf8('Miniö'),
    'x-amz-meta-latin1': '\u00e9',
  })
  const told = {
    ascii: 'AMAZONS3',
    nonascii: '=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=',
    mostly: '=?UTF-8?Q?Mini=C3=83=C2=B6?=',
    latin1: '=?UTF-8?B?w6k=?=',
  }
  assert.deepEqual(await metadataOf('raw'), told)
  await client.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/raw` }))
  assert.deepEqual(await metadataOf('copied'), told)
})

test('encoded words are decoded, and returned as the service writes them', async () => {
  const punctuation = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'
  const Metadata = {
    'non-ascii': '=?utf-8?b?dGVzdF/igJRfZmlsZSVFMiU4MCU5NF/DqV8yPy5wZGY=?=',
    'non-ascii-2': '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=',
    'non-ascii-binary': '=?UTF-8?B?AAECAw==?=',
    'replacement-chars': '=?UTF-8?B?77+977+977+977+977+977+977+9?=',
    'fake-encoded': '=?UTF-8?Q?actually-ascii?=',
    'asciib64-encoded': '=?UTF-8?B?YWJj?=',
    'safe-chars': punctuation,
  }
  await client.send(new PutObjectCommand({ Bucket, Key: 'words', Metadata }))
  assert.deepEqual(await metadataOf('words'), {
    'non-ascii': '=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?=',
    'non-ascii-2': '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=',
    'non-ascii-binary': '=?UTF-8?B?AAECAw==?=',
    'replacement-chars': '=?UTF-8?B?77+977+977+977+977+977+977+9?=',
    'fake-encoded': 'actually-ascii',
    'asciib64-encoded': 'abc',
    'safe-chars': punctuation,
  })
})

test('a form brings text: what is beyond Latin-1 is a blank in a header, and no word is decoded', async () => {
  const fields = {
    key: 'form',
    'Content-Disposition': 'filename="test_—_file%E2%80%94_é_2-.pdf"',
    'Cache-Control': 'non-ascii-%E2%80%94_—_é_',
    'x-amz-meta-nonascii': 'ÄMÄZÕÑ S3',
    'x-amz-meta-nonascii-2': 'test_—_file%E2%80%94_é_2👑.pdf',
    'x-amz-meta-utf-8': '\0\u0001\u0002\u0003\u0004',
    'x-amz-meta-q-encoded': '=?UTF-8?Q?actually-ascii?=',
    'x-amz-meta-b-encoded': '=?UTF-8?B?YWJj?=',
  }
  assert.equal((await raw(formRequest(Bucket, signForm(harness, Bucket, fields), 'x'))).status, 204)
  const { headers } = await raw({ method: 'HEAD', target: `/${Bucket}/form` })
  assert.deepEqual(
    [headers['cache-control'], headers['content-disposition']],
    ['non-ascii-%E2%80%94_ _\u00e9_', 'filename="test_ _file%E2%80%94_\u00e9_2-.pdf"'],
  )
  assert.deepEqual(await metadataOf('form'), {
    nonascii: '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=',
    'nonascii-2': '=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=F0=9F=91=91.pdf?=',
    'utf-8': '=?UTF-8?B?AAECAwQ=?=',
    'q-encoded': '=?UTF-8?Q?actually-ascii?=',
    'b-encoded': '=?UTF-8?B?YWJj?=',
  })
})

test('system metadata comes back as the bytes that were sent', async () => {
  const headers = {
    'cache-control': utf8('ÄMÄZÕÑ S3'),
    'content-disposition': `${utf8('attachment; filename="test_—_é"')}\u00e9`,
    'content-language': '\u00e9',
    'content-type': utf8('text/é'),
    'x-amz-website-redirect-location': utf8('/é'),
  }
  await put('system', headers)
  for (const method of ['GET', 'HEAD']) {
    const answer = await raw({ method, target: `/${Bucket}/system` })
    assert.partialDeepStrictEqual(answer.headers, headers)
  }
})

test('what replaces a header is Latin-1, or refused', async () => {
  const overridden = (text: string) =>
    raw({ target: `/${Bucket}/raw?response-cache-control=${encodeURIComponent(text)}` })
  assert.equal((await overridden('é')).headers['cache-control'], '\u00e9')
  const refused = await overridden('non-ascii_—_é')
  assert.deepEqual([refused.status, refused.code], [400, 'InvalidArgument'])
  assert.match(refused.body, /<Message>Header value cannot be represented using ISO-8859-1\.<\/Message>/)
  assert.match(refused.body, /<ArgumentName>response-cache-control</)
})
