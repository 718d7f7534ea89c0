import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { checksumAlgorithms, checksumTraits, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { S3Error } from '../errors/s3-error.ts'
import { collectBody } from './collect.ts'
import { DocumentMemory } from './document-memory.ts'
import { bodyOptions, deliver, readBody, readWire, refused } from './test-support.ts'
import { openBody } from './verified-body.ts'

const data = Buffer.from('123456789')
const length = { 'content-length': '9' }
const unsigned = { kind: 'unsigned' } as const
const hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('yields the connection’s own bytes, without copying', async () => {
  const piece = Buffer.from('1234')
  const rest = Buffer.from('56789')
  async function* raw(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(piece)
    yield rest
  }
  const views: Uint8Array[] = []
  for await (const view of openBody(raw(), bodyOptions(unsigned, length))) views.push(view)
  assert.equal(views[0], piece)
  assert.equal(views[1], rest)
})

test('lengths are exact', async () => {
  const options = bodyOptions(unsigned, length)
  assert.deepEqual(await readWire(data, options), data)
  await refused(() => readWire(data.subarray(1), options), 'IncompleteBody')
  await refused(() => readWire(Buffer.concat([data, data]), options), 'IncompleteBody')
  await refused(() => readWire('', options), 'IncompleteBody')
  assert.equal((await readWire('', bodyOptions(unsigned, { 'content-length': '0' }))).length, 0)
})

test('a body without a length, or too long, is refused before it is read', async () => {
  const untouched: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => assert.fail('the body was read'),
  }
  const open = (headers: Record<string, string>) => async () => {
    openBody(untouched, bodyOptions(unsigned, headers))
    await Promise.resolve()
  }
  await refused(open({}), 'MissingContentLength')
  for (const bad of ['', '-1', '1.5', '0x10', '1e3', ' 9', '99999999999999999999']) {
    await refused(open({ 'content-length': bad }), 'MissingContentLength')
  }
  await refused(open({ 'transfer-encoding': 'chunked' }), 'NotImplemented')
  const error = await refused(open({ 'content-length': '1048577' }), 'EntityTooLarge')
  assert.deepEqual(error.fields, { ProposedSize: '1048577', MaxSizeAllowed: '1048576' })
})

test('a client that hangs up is an incomplete body; an S3 error of the connection passes through', async () => {
  const broken = (error: Error) => async () =>
    readBody(openBody(failing(error), bodyOptions(unsigned, length)))
  async function* failing(failure: Error): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from('123'))
    throw failure
  }
  const hangup = new Error('aborted')
  assert.equal((await refused(broken(hangup), 'IncompleteBody')).cause, hangup)
  await refused(broken(new S3Error('RequestTimeout')), 'RequestTimeout')
})

test('the connection is left open for the answer when a body is refused', async () => {
  let closed = false
  async function* raw(): AsyncGenerator<Uint8Array> {
    try {
      yield await Promise.resolve(Buffer.alloc(20))
    } finally {
      closed = true
    }
  }
  await refused(() => readBody(openBody(raw(), bodyOptions(unsigned, length))), 'IncompleteBody')
  assert.equal(closed, false)
})

test('x-amz-content-sha256', async () => {
  const declared = hex(data)
  const options = bodyOptions({ kind: 'sha256', hex: declared }, length)
  assert.deepEqual(await readWire(data, options), data)
  const error = await refused(() => readWire('987654321', options), 'XAmzContentSHA256Mismatch')
  assert.deepEqual(error.fields, {
    ClientComputedContentSHA256: declared,
    S3ComputedContentSHA256: hex(Buffer.from('987654321')),
  })
})

test('Content-MD5', async () => {
  const read = (md5: string, body = data) =>
    readWire(body, bodyOptions(unsigned, { ...length, 'content-md5': md5 }))
  assert.deepEqual(await read('JfnnlDI7RTiF9RgfG2JNCw=='), data)
  const error = await refused(() => read('1B2M2Y8AsgTpgAmY7PhCfg=='), 'BadDigest')
  assert.deepEqual(error.fields, {
    ExpectedDigest: '1B2M2Y8AsgTpgAmY7PhCfg==',
    CalculatedDigest: 'JfnnlDI7RTiF9RgfG2JNCw==',
  })
  for (const bad of ['not base64!', 'YWJyYWNhZGFicmE=', '25f9e794323b453885f5181f1b624d0b', '']) {
    const invalid = await refused(async () => read(bad), 'InvalidDigest')
    assert.deepEqual(invalid.fields, { 'Content-MD5': bad })
  }
})

test('x-amz-checksum-*: the right value, a wrong one, and no value at all', async () => {
  for (const algorithm of checksumAlgorithms) {
    const { header, digestBytes } = checksumTraits[algorithm]
    const value = toBase64(checksumOf(algorithm, data))
    const read = (text: string) => readWire(data, bodyOptions(unsigned, { ...length, [header]: text }))
    assert.deepEqual(await read(value), data)
    const wrong = await refused(async () => read(toBase64(new Uint8Array(digestBytes))), 'BadDigest')
    assert.equal(wrong.message, `The ${algorithm} you specified did not match the calculated checksum.`)
    for (const bad of [
      '',
      'AA==',
      value.slice(0, -1),
      `${value}=`,
      toBase64(new Uint8Array(digestBytes + 1)),
    ]) {
      const invalid = await refused(async () => read(bad), 'InvalidRequest')
      assert.equal(invalid.message, `Value for ${header} header is invalid.`)
    }
  }
})

test('declarations that contradict themselves', async () => {
  const crc32 = { 'x-amz-checksum-crc32': 'y/Q5Jg==' }
  const cases: [headers: Record<string, string>, code: string, message: RegExp][] = [
    [{ ...crc32, 'x-amz-checksum-crc32c': '4waSgw==' }, 'InvalidRequest', /Multiple checksum Types/],
    [{ ...crc32, 'x-amz-trailer': 'x-amz-checksum-crc32' }, 'InvalidRequest', /Multiple checksum Types/],
    [{ 'x-amz-checksum-md4': 'AAAA' }, 'InvalidRequest', /algorithm type you specified/],
    [{ 'x-amz-trailer': 'x-amz-meta-a' }, 'InvalidRequest', /x-amz-trailer header is not supported/],
    [{ 'x-amz-trailer': 'x-amz-checksum-crc32' }, 'MalformedTrailerError', /trailing data/],
    [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'InvalidRequest', /no corresponding/],
    [
      { ...crc32, 'x-amz-sdk-checksum-algorithm': 'MD4' },
      'InvalidRequest',
      /unsupported.*\[CRC32, CRC32C, CRC64NVME/,
    ],
    [
      { ...crc32, 'x-amz-sdk-checksum-algorithm': 'SHA1' },
      'InvalidRequest',
      /x-amz-sdk-checksum-algorithm header/,
    ],
  ]
  for (const [headers, code, message] of cases) {
    const read = async () => readWire(data, bodyOptions(unsigned, { ...length, ...headers }))
    assert.match((await refused(read, code)).message, message)
  }
  const agreeing = {
    ...length,
    ...crc32,
    'x-amz-sdk-checksum-algorithm': 'crc32',
    'x-amz-checksum-mode': 'ENABLED',
  }
  assert.deepEqual(await readWire(data, bodyOptions(unsigned, agreeing)), data)
})

test('checksums that speak about something else are left alone', async () => {
  const options = bodyOptions(
    unsigned,
    { ...length, 'x-amz-checksum-crc32': 'AAAAAA==' },
    { checksumsDescribeBody: false },
  )
  assert.deepEqual(await readWire(data, options), data)
})

test('wanted digests are in the result', async () => {
  const options = bodyOptions(unsigned, {
    ...length,
    'x-amz-checksum-sha1': toBase64(checksumOf('SHA1', data)),
  })
  const body = openBody(deliver('1234', '', '56789'), { ...options, wanted: ['MD5', 'CRC64NVME'] })
  assert.throws(() => body.result(), /not been accepted/)
  await readBody(body)
  const { digests, checksumAlgorithm } = body.result()
  assert.equal(checksumAlgorithm, 'SHA1')
  assert.deepEqual([...digests.keys()].toSorted(), ['CRC64NVME', 'MD5', 'SHA1'])
  for (const [algorithm, digest] of digests) {
    assert.deepEqual(Buffer.from(digest), Buffer.from(checksumOf(algorithm, data)))
  }
})

test('delegated digests are judged when the consumer gives them', async () => {
  const delegable: ReadonlySet<ChecksumAlgorithm> = new Set(['MD5', 'SHA256'])
  const options = bodyOptions(
    { kind: 'sha256', hex: hex(data) },
    { ...length, 'x-amz-checksum-crc32': 'y/Q5Jg==' },
  )
  const open = () => openBody(deliver(data), { ...options, wanted: ['MD5'], delegable })
  const right = new Map<ChecksumAlgorithm, Uint8Array>([
    ['MD5', checksumOf('MD5', data)],
    ['SHA256', checksumOf('SHA256', data)],
  ])

  const body = open()
  assert.deepEqual([...body.delegated].toSorted(), ['MD5', 'SHA256'])
  assert.throws(() => body.verify(right), /has not ended/)
  await readBody(body)
  assert.throws(() => body.result(), /not been accepted/)
  assert.equal(body.verify(right).checksumAlgorithm, 'CRC32')
  assert.equal(body.result().digests.size, 3)

  const other = open()
  await readBody(other)
  assert.throws(() => other.verify(new Map()), /gave no/)

  const wrong = open()
  await readBody(wrong)
  const bad = new Map(right).set('SHA256', new Uint8Array(32))
  assert.throws(
    () => wrong.verify(bad),
    (error) => error instanceof S3Error && error.code === 'XAmzContentSHA256Mismatch',
  )
})

test('a body is read once', async () => {
  const body = openBody(deliver(data), bodyOptions(unsigned, length))
  await readBody(body)
  await assert.rejects(readBody(body), /read once/)
})

test('any flipped bit is refused when a digest was declared', async () => {
  const declarations: [payload: 'unsigned' | 'sha256', headers: Record<string, string>][] = [
    ['sha256', {}],
    ['unsigned', { 'content-md5': toBase64(checksumOf('MD5', data)) }],
    ['unsigned', { 'x-amz-checksum-crc64nvme': toBase64(checksumOf('CRC64NVME', data)) }],
  ]
  for (const [kind, headers] of declarations) {
    const payload = kind === 'sha256' ? ({ kind, hex: hex(data) } as const) : unsigned
    await fc.assert(
      fc.asyncProperty(fc.nat(data.length * 8 - 1), async (bit) => {
        const flipped = Buffer.from(data)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        await assert.rejects(readWire(flipped, bodyOptions(payload, { ...length, ...headers })), S3Error)
      }),
    )
  }
})

test('collectBody gathers a document within its bound', async () => {
  const body = () => openBody(deliver('1234', '56789'), bodyOptions(unsigned, length))
  const lease = new DocumentMemory(0).lease()
  assert.deepEqual(Buffer.from(await collectBody(body(), 9, lease)), data)
  await refused(async () => collectBody(body(), 8, lease), 'MaxMessageLengthExceeded')
})
