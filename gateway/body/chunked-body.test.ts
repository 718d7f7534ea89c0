import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../../core/checksum/base64.ts'
import type { PayloadMode } from '../../core/signing/payload.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { S3Error } from '../errors/s3-error.ts'
import { bodyOptions, deliver, encodeChunked, readBody, readWire, refused } from './test-support.ts'
import { openBody, type BodyOptions } from './verified-body.ts'

const data = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7919) >>> 4))
const small = Buffer.from('the object data')
const crc = (bytes: Uint8Array): string => `x-amz-checksum-crc32c:${toBase64(checksumOf('CRC32C', bytes))}`

function meaning(wire: Buffer): string {
  return wire
    .toString('latin1')
    .toLowerCase()
    .replace(/[\t\r]/g, '')
}

/** The three framings, each with a body and what its request declares. */
function framings(
  bytes: Uint8Array,
): { name: string; wire: Buffer; payload: PayloadMode; options: BodyOptions }[] {
  const forms: { name: string; payload: PayloadMode; trailer?: string }[] = [
    { name: 'signed', payload: { kind: 'signed-chunks', trailer: false } },
    { name: 'signed with trailer', payload: { kind: 'signed-chunks', trailer: true }, trailer: crc(bytes) },
    { name: 'unsigned with trailer', payload: { kind: 'unsigned-chunks' }, trailer: crc(bytes) },
  ]
  return forms.map(({ name, payload, trailer }) => ({
    name,
    payload,
    wire: encodeChunked({
      data: bytes,
      signed: payload.kind === 'signed-chunks',
      ...(trailer === undefined ? {} : { trailer }),
    }),
    options: bodyOptions(payload, {
      'x-amz-decoded-content-length': String(bytes.length),
      ...(trailer === undefined ? {} : { 'x-amz-trailer': 'x-amz-checksum-crc32c' }),
    }),
  }))
}

for (const { name, wire, options } of framings(data)) {
  test(`${name}: decodes to the data`, async () => {
    assert.deepEqual(await readWire(wire, options), data)
  })
}

for (const { name, wire, options } of framings(Buffer.alloc(0))) {
  test(`${name}: an empty body`, async () => {
    assert.equal((await readWire(wire, options)).length, 0)
  })
}

for (const { name, wire, options } of framings(small)) {
  test(`${name}: a split at any byte changes nothing`, async () => {
    for (let at = 0; at <= wire.length; at++) {
      const body = openBody(deliver(wire.subarray(0, at), wire.subarray(at)), options)
      assert.deepEqual(await readBody(body), small)
    }
    const single = Array.from(wire, (_, at) => wire.subarray(at, at + 1))
    assert.deepEqual(await readBody(openBody(deliver(...single), options)), small)
  })

  test(`${name}: any cut is refused`, async () => {
    for (let at = 0; at < wire.length; at++) {
      await refused(() => readWire(wire.subarray(0, at), options), 'IncompleteBody')
    }
  })

  test(`${name}: any byte more is refused`, async () => {
    for (const more of ['\r', '\n', 'x', '0\r\n\r\n']) {
      await refused(() => readWire(Buffer.concat([wire, Buffer.from(more)]), options), 'IncompleteBody')
    }
  })

  test(`${name}: any flipped bit is refused, or changes no meaning`, async () => {
    for (let at = 0; at < wire.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(wire)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
        const outcome = await readWire(flipped, options).catch((error: unknown) => error)
        if (outcome instanceof S3Error) continue
        // The letter case of hex and of names, and blanks at the end of a trailer, mean nothing.
        assert.deepEqual(outcome, small, `bit ${bit} of byte ${at}`)
        assert.equal(meaning(flipped), meaning(wire))
      }
    }
  })
}

test('random deliveries of random data, chunk sizes and framings', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 40_000 }),
      fc.integer({ min: 8192, max: 20_000 }),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (bytes, chunkBytes, steps, signed) => {
        const wire = encodeChunked({ data: bytes, chunkBytes, signed, trailer: crc(bytes) })
        const pieces: Buffer[] = []
        for (let at = 0, i = 0; at < wire.length; i++) {
          const step = steps[i % steps.length] ?? 1
          pieces.push(wire.subarray(at, (at += step)))
        }
        const payload: PayloadMode = signed
          ? { kind: 'signed-chunks', trailer: true }
          : { kind: 'unsigned-chunks' }
        const options = bodyOptions(payload, {
          'content-length': String(wire.length),
          'x-amz-decoded-content-length': String(bytes.length),
          'x-amz-trailer': 'x-amz-checksum-crc32c',
        })
        assert.deepEqual(await readBody(openBody(deliver(...pieces), options)), Buffer.from(bytes))
      },
    ),
    { numRuns: 60 },
  )
})

test('arbitrary bytes end in an S3 error, never in another', async () => {
  const line = fc.constantFrom(
    '0\r\n',
    '5\r\n',
    'hello',
    '\r\n',
    ':',
    ';chunk-signature=',
    'f'.repeat(64),
    '\n',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          line,
          fc.uint8Array({ maxLength: 9 }).map((b) => Buffer.from(b).toString('latin1')),
        ),
      ),
      fc.boolean(),
      async (parts, signed) => {
        const payload: PayloadMode = signed
          ? { kind: 'signed-chunks', trailer: true }
          : { kind: 'unsigned-chunks' }
        const options = bodyOptions(payload, { 'x-amz-decoded-content-length': '6' })
        await refused(() => readWire(Buffer.from(parts.join(''), 'latin1'), options))
      },
    ),
    { numRuns: 2000 },
  )
})

test('a wrong signature of any chunk, or of the trailer, is refused with what was to be signed', async () => {
  const [, form] = framings(data)
  assert.ok(form !== undefined)
  const text = form.wire.toString('latin1')
  const places = [...text.matchAll(/signature[=:]/g)].map((match) => match.index + match[0].length)
  assert.equal(places.length, 5)
  for (const [i, at] of places.entries()) {
    const bad = Buffer.from(form.wire)
    bad[at] = bad[at] === 0x30 ? 0x31 : 0x30
    const error = await refused(() => readWire(bad, form.options), 'SignatureDoesNotMatch')
    assert.equal(error.fields['AWSAccessKeyId'], 'AKIDEXAMPLE')
    const kind = i === places.length - 1 ? 'TRAILER' : 'PAYLOAD'
    assert.match(
      error.fields['StringToSign'] ?? '',
      new RegExp(`^AWS4-HMAC-SHA256-${kind}\n20260101T000000Z\n`),
    )
    assert.equal(error.fields['SignatureProvided']?.length, 64)
  }
})

test('chunks taken from another place of the chain are refused', async () => {
  const signed = encodeChunked({ data: Buffer.alloc(16384, 1), signed: true })
  const chunk = 'x'.length + '2000;chunk-signature='.length + 64 + 1 + 8192 + 2
  const swapped = Buffer.concat([
    signed.subarray(chunk, 2 * chunk),
    signed.subarray(0, chunk),
    signed.subarray(2 * chunk),
  ])
  const options = bodyOptions(
    { kind: 'signed-chunks', trailer: false },
    { 'x-amz-decoded-content-length': '16384' },
  )
  assert.equal((await readWire(signed, options)).length, 16384)
  await refused(() => readWire(swapped, options), 'SignatureDoesNotMatch')
})

test('only the last chunk may be under 8 KiB', async () => {
  const read = (chunkBytes: number, bytes: number, signed: boolean): Promise<Buffer> =>
    readWire(
      encodeChunked({ data: Buffer.alloc(bytes), chunkBytes, signed }),
      bodyOptions(signed ? { kind: 'signed-chunks', trailer: false } : { kind: 'unsigned-chunks' }, {
        'x-amz-decoded-content-length': String(bytes),
      }),
    )
  for (const signed of [true, false]) {
    assert.equal((await read(8192, 10_000, signed)).length, 10_000)
    assert.equal((await read(1000, 200, signed)).length, 200)
    const error = await refused(() => read(8191, 20_000, signed), 'InvalidChunkSizeError')
    assert.deepEqual(error.fields, { Chunk: '1', BadChunkSize: '8191' })
  }
})

test('the decoded length is exact', async () => {
  for (const { wire, payload } of framings(small)) {
    for (const length of [small.length - 1, small.length + 1, 0]) {
      const options = bodyOptions(payload, {
        'x-amz-decoded-content-length': String(length),
        'x-amz-trailer': 'x-amz-checksum-crc32c',
      })
      await refused(() => readWire(wire, options), 'IncompleteBody')
    }
  }
})

/** Bodies and answers as recorded from S3 by the tests of versitygw (Apache-2.0): unsigned, with a trailer. */
const recorded: [body: string, code: string, length?: string, trailer?: string][] = [
  ['5\r\nhello\r\n0\r\n\r\n', 'MalformedTrailerError'],
  ['5\r\nhello\r\n0\r\n:M3eFcAZSQlc=\r\n\r\n', 'MalformedTrailerError'],
  ['5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:M3eFcAZSQlc=\r\n\r\n', 'MalformedTrailerError', '5', ''],
  ['5\r\nhello\r\n0\r\ninvalid_trailer:M3eFcAZSQlc=\r\n\r\n', 'MalformedTrailerError'],
  ['5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:invalid_checksum\r\n\r\n', 'InvalidRequest'],
  ['5\r\nhello\r\n0\r\nx-amz-checksum-crc64nvme:QFRKMGE3tuw=\r\n\r\n', 'BadDigest'],
  ['A\ndummy data\r\n0\r\n\r\n', 'IncompleteBody', '10'],
  ['A\r\ndummy data0\r\n\r\n', 'IncompleteBody', '10'],
  ['A\r\nXYZ\r\ndummy data\r\n0\r\n\r\n', 'IncompleteBody', '10'],
  ['B\r\ndummy data\r\n0\r\n\r\n', 'IncompleteBody', '10'],
  ['A\r\ndummy data\r\n0\r\n', 'IncompleteBody', '10'],
  ['A\r\ndummy data\r\n0\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n', 'IncompleteBody', '10'],
  ['A\r\n', 'IncompleteBody', '10'],
  ['invalid_chunk_size\r\ndummy data\r\n0\r\n\r\n', 'IncompleteBody', '10'],
  ['A\r\ndummy data\r\nJ\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n\r\n', 'IncompleteBody', '10'],
  ['b\r\nabcdefghijk\r\n0\r\n\r\n', 'IncompleteBody', '200', ''],
  ['a\r\ndummy data\r\n0\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n\r\n', 'IncompleteBody', '128'],
  ['', 'MissingContentLength', 'abc'],
  ['', 'MissingContentLength', '12x'],
]

test('bodies recorded from S3 get the answers recorded', async () => {
  for (const [body, code, length = '5', trailer = 'x-amz-checksum-crc64nvme'] of recorded) {
    const headers = {
      'x-amz-decoded-content-length': length,
      ...(trailer === '' ? {} : { 'x-amz-trailer': trailer }),
    }
    const read = async () => readWire(body, bodyOptions({ kind: 'unsigned-chunks' }, headers))
    await refused(read, code)
  }
  const options = bodyOptions(
    { kind: 'unsigned-chunks' },
    { 'x-amz-decoded-content-length': '10', 'x-amz-trailer': 'x-amz-checksum-crc64nvme' },
  )
  const whole = 'A\r\ndummy data\r\n0\r\nx-amz-checksum-crc64nvme:dPVWc2vU1+Q=\r\n\r\n'
  assert.equal((await readWire(whole, options)).toString(), 'dummy data')
})

test('a trailer that ends in LF CR LF, as minio-go writes it, is taken', async () => {
  const wire = encodeChunked({ data: small, signed: true, trailer: crc(small) }).toString('latin1')
  const options = bodyOptions(
    { kind: 'signed-chunks', trailer: true },
    { 'x-amz-decoded-content-length': String(small.length), 'x-amz-trailer': 'x-amz-checksum-crc32c' },
  )
  const loose = wire.replace(`${crc(small)}\r\n`, `${crc(small)}\n\r\n`)
  assert.notEqual(loose, wire)
  assert.deepEqual(await readWire(loose, options), small)
})

test('headers and trailers without end are refused within their bounds', async () => {
  const options = bodyOptions(
    { kind: 'unsigned-chunks' },
    { 'x-amz-decoded-content-length': '0', 'x-amz-trailer': 'x-amz-checksum-crc32' },
  )
  let taken = 0
  const endless = async function* (start: string): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(start))
    for (taken = 0; taken < 100; taken++) yield Buffer.alloc(1000, 0x30)
  }
  await refused(() => readBody(openBody(endless(''), options)), 'IncompleteBody')
  assert.ok(taken < 2, 'the chunk header was not bounded')
  await refused(() => readBody(openBody(endless('0\r\nx-amz-checksum-crc32:'), options)), 'IncompleteBody')
  assert.ok(taken < 10, 'the trailer was not bounded')
})
