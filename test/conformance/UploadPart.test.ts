import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AbortMultipartUploadCommand, ListPartsCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { checksumAlgorithms } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { md5Hex, patternOf } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { begin } from './uploads.ts'

const { client, raw, newBucket } = await startConformance()
const Bucket = await newBucket()
const Body = patternOf(100_000)
const crc = (algorithm: 'CRC32' | 'CRC32C' | 'CRC64NVME'): string => toBase64(checksumOf(algorithm, Body))

test('a part is kept under its MD5, and one sent again replaces it', async () => {
  const place = await begin(client, Bucket, 'key')
  for (const body of [Buffer.from('before'), Body]) {
    const { ETag } = await client.send(new UploadPartCommand({ ...place, PartNumber: 10_000, Body: body }))
    assert.equal(ETag, `"${md5Hex(body)}"`)
  }
  const { Parts = [] } = await client.send(new ListPartsCommand(place))
  assert.deepEqual(
    Parts.map(({ PartNumber, Size, ETag }) => [PartNumber, Size, ETag]),
    [[10_000, Body.length, `"${md5Hex(Body)}"`]],
  )
})

test('an empty part is a part', async () => {
  const place = await begin(client, Bucket, 'empty')
  const { ETag } = await client.send(new UploadPartCommand({ ...place, PartNumber: 1, Body: '' }))
  assert.equal(ETag, `"${md5Hex('')}"`)
})

describe('part numbers', () => {
  for (const number of ['0', '10001', '-1', 'one', '']) {
    test(`"${number}" is InvalidArgument`, async () => {
      const { UploadId } = await begin(client, Bucket, 'numbers')
      const answer = await raw({
        method: 'PUT',
        target: `/${Bucket}/numbers?partNumber=${number}&uploadId=${UploadId}`,
        body: 'x',
      })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'])
      assert.match(answer.body, /<Message>Part number must be an integer between 1 and 10000, inclusive</)
      assert.match(answer.body, new RegExp(`<ArgumentValue>${number}</ArgumentValue>`))
    })
  }
})

describe('uploads that are not there', () => {
  const send = (Key: string, UploadId: string, bucket = Bucket) =>
    client.send(new UploadPartCommand({ Bucket: bucket, Key, UploadId, PartNumber: 1, Body: 'x' }))

  test('aborted, of another key, never given, or no id at all', async () => {
    const place = await begin(client, Bucket, 'aborted')
    await client.send(new AbortMultipartUploadCommand(place))
    await assert.rejects(send('aborted', place.UploadId), s3Error('NoSuchUpload', 404))
    const live = await begin(client, Bucket, 'live')
    await assert.rejects(send('another', live.UploadId), s3Error('NoSuchUpload', 404))
    for (const id of ['f'.repeat(32), 'F'.repeat(32), '../../etc', '\u0000', 'x'.repeat(2000)]) {
      await assert.rejects(send('live', id), s3Error('NoSuchUpload', 404))
    }
  })

  test('in a bucket that is not there, NoSuchBucket', async () => {
    await assert.rejects(send('x', 'f'.repeat(32), 'no-such-bucket'), s3Error('NoSuchBucket', 404))
    await assert.rejects(send('x', 'no id', 'no-such-bucket'), s3Error('NoSuchBucket', 404))
  })
})

describe('checksums', () => {
  const put = (target: string, headers: Record<string, string>) =>
    raw({ method: 'PUT', target, headers, body: Body })
  const targetOf = ({ Key, UploadId }: { Key: string; UploadId: string }) =>
    `/${Bucket}/${Key}?partNumber=1&uploadId=${UploadId}`

  test('an upload without one: the part’s is confirmed and answered, and not told of the part afterwards', async () => {
    const place = await begin(client, Bucket, 'without')
    const none = await put(targetOf(place), {})
    assert.deepEqual(
      Object.keys(none.headers).filter((name) => name.startsWith('x-amz-checksum')),
      [],
    )
    const sent = await put(targetOf(place), { 'x-amz-checksum-crc32': crc('CRC32') })
    assert.equal(sent.headers['x-amz-checksum-crc32'], crc('CRC32'))
    const { Parts = [], ChecksumAlgorithm } = await client.send(new ListPartsCommand(place))
    assert.deepEqual(
      [Parts[0]?.ChecksumCRC64NVME, Parts[0]?.ChecksumCRC32, ChecksumAlgorithm],
      [undefined, undefined, undefined],
    )
    const wrong = await put(targetOf(place), { 'x-amz-checksum-crc32': 'AAAAAA==' })
    assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
  })

  for (const type of ['COMPOSITE', 'FULL_OBJECT'] as const) {
    test(`an upload with CRC32C, ${type}: the part brings no other`, async () => {
      const place = await begin(client, Bucket, 'with', { ChecksumAlgorithm: 'CRC32C', ChecksumType: type })
      const sent = await put(targetOf(place), { 'x-amz-checksum-crc32c': crc('CRC32C') })
      assert.equal(sent.headers['x-amz-checksum-crc32c'], crc('CRC32C'))
      const wrong = await put(targetOf(place), { 'x-amz-checksum-crc32c': 'AAAAAA==' })
      assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
      const mismatch = async (headers: Record<string, string>, actual: string) => {
        const other = await put(targetOf(place), headers)
        assert.deepEqual([other.status, other.code], [400, 'InvalidRequest'])
        const message = `Checksum Type mismatch occurred, expected checksum Type: crc32c, actual checksum Type: ${actual}`
        assert.ok(other.body.includes(message), other.body)
      }
      await mismatch({ 'x-amz-checksum-crc32': crc('CRC32') }, 'crc32')
      if (type === 'COMPOSITE') await mismatch({}, 'null')
    })
  }

  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    test(`an upload with ${algorithm}, FULL_OBJECT: a part that brings none is given one`, async () => {
      const asked = { ChecksumAlgorithm: algorithm, ChecksumType: 'FULL_OBJECT' } as const
      const place = await begin(client, Bucket, `given-${algorithm}`, asked)
      const sent = await put(targetOf(place), {})
      assert.equal(sent.status, 200, sent.body)
      assert.equal(sent.headers[`x-amz-checksum-${algorithm.toLowerCase()}`], crc(algorithm))
      const { Parts = [] } = await client.send(new ListPartsCommand(place))
      assert.equal(Parts[0]?.[`Checksum${algorithm}`], crc(algorithm))
    })
  }

  /** The body in one aws-chunked chunk, unsigned, with a trailer. */
  const putWithTrailer = (target: string, announced: string, trailer: string) =>
    raw({
      method: 'PUT',
      target,
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': String(Body.length),
        'x-amz-trailer': announced,
        'content-encoding': 'aws-chunked',
      },
      body: Buffer.concat([
        Buffer.from(`${Body.length.toString(16)}\r\n`),
        Body,
        Buffer.from(`\r\n0\r\n${trailer}\r\n`),
      ]),
    })

  for (const algorithm of checksumAlgorithms) {
    test(`${algorithm}, in a header and in a trailer: confirmed, answered, kept`, async () => {
      const name = `x-amz-checksum-${algorithm.toLowerCase()}`
      const value = toBase64(checksumOf(algorithm, Body))
      const wrong = toBase64(checksumOf(algorithm, Body.subarray(1)))
      const place = await begin(client, Bucket, `every-${algorithm}`, { ChecksumAlgorithm: algorithm })
      const target = targetOf(place)
      for (const send of [
        (text: string) => put(target, { [name]: text }),
        (text: string) => putWithTrailer(target, name, `${name}:${text}\r\n`),
      ]) {
        const sent = await send(value)
        assert.deepEqual([sent.status, sent.headers[name]], [200, value], sent.body)
        const refused = await send(wrong)
        assert.deepEqual([refused.status, refused.code], [400, 'BadDigest'])
        const malformed = await send('AAA=')
        assert.deepEqual([malformed.status, malformed.code], [400, 'InvalidRequest'])
        assert.match(malformed.body, new RegExp(`Value for ${name} (trailing )?header is invalid\\.`))
      }
      const { Parts = [] } = await client.send(new ListPartsCommand(place))
      assert.equal(Parts[0]?.[`Checksum${algorithm}`], value)
    })
  }

  test('trailers that were announced and do not come, come unannounced, or are others', async () => {
    const target = targetOf(await begin(client, Bucket, 'trailers'))
    const right = `x-amz-checksum-crc32:${crc('CRC32')}\r\n`
    for (const [announced, trailer] of [
      ['x-amz-checksum-crc32', ''],
      ['x-amz-checksum-crc32c', right],
      ['x-amz-checksum-crc32', `${right}${right}`],
    ] as const) {
      const answer = await putWithTrailer(target, announced, trailer)
      assert.deepEqual([answer.status, answer.code], [400, 'MalformedTrailerError'], answer.body)
    }
    const unknown = await putWithTrailer(target, 'x-amz-meta-late', 'x-amz-meta-late:1\r\n')
    assert.deepEqual([unknown.status, unknown.code], [400, 'InvalidRequest'])
  })

  test('two checksums, one that does not exist, and another than the library says', async () => {
    const target = targetOf(await begin(client, Bucket, 'contradictions'))
    const one = { 'x-amz-checksum-crc32': crc('CRC32') }
    for (const [headers, message] of [
      [
        { ...one, 'x-amz-checksum-crc32c': crc('CRC32C') },
        'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
      ],
      [
        { 'x-amz-checksum-adler32': 'AAAAAA==' },
        'The algorithm type you specified in x-amz-checksum- header is invalid.',
      ],
      [
        { ...one, 'x-amz-sdk-checksum-algorithm': 'SHA1' },
        'Value for x-amz-sdk-checksum-algorithm header is invalid.',
      ],
      [
        { 'x-amz-sdk-checksum-algorithm': 'CRC32' },
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      ],
    ] as const) {
      const answer = await put(target, headers)
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
      assert.ok(answer.body.includes(message), answer.body)
    }
  })
})

test('more than 5 GiB is EntityTooLarge', async () => {
  const { UploadId } = await begin(client, Bucket, 'large')
  const answer = await raw({
    method: 'PUT',
    target: `/${Bucket}/large?partNumber=1&uploadId=${UploadId}`,
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(5 * 1024 ** 3 + 1),
    },
  })
  assert.deepEqual([answer.status, answer.code], [400, 'EntityTooLarge'])
})

test('a key of the client’s own is not built', async () => {
  const { UploadId } = await begin(client, Bucket, 'sse')
  const name = 'x-amz-server-side-encryption-customer-algorithm'
  const answer = await raw({
    method: 'PUT',
    target: `/${Bucket}/sse?partNumber=1&uploadId=${UploadId}`,
    headers: { [name]: 'AES256' },
    body: 'x',
  })
  assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
  assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
})
