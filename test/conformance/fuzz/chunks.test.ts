/**
 * Bodies in aws-chunked framing with bytes changed, lost and added: either the object is exactly what was meant, or there is
 * none.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { DeleteObjectCommand, GetObjectCommand, S3ServiceException } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { toBase64 } from '../../../core/checksum/base64.ts'
import { scopeText } from '../../../core/signing/credential.ts'
import { toHex } from '../../../core/signing/encoding.ts'
import { formatAmzDate } from '../../../core/signing/time.ts'
import { deriveSigningKey } from '../../../core/signing/verify.ts'
import { checksumOf } from '../../../runtime/crypto/checksum.ts'
import { nodeDigests } from '../../../runtime/crypto/digests.ts'
import { sign } from '../signed-request.ts'
import { assertSound } from './client.ts'
import { fuzzSettings } from './settings.ts'
import { PLAIN, startWorld } from './world.ts'

const RUNS = 1500
/** Of every chunk but the last, as S3 has it. */
const CHUNK_BYTES_MIN = 8192
const KEY = 'chunked'

const world = await startWorld()
const { client, credentials, region, address } = world
await world.restore()
after(() => {
  world.fuzz.close()
})

type Mode = 'unsigned-trailer' | 'signed' | 'signed-trailer'

const payloadNames: Readonly<Record<Mode, string>> = {
  'unsigned-trailer': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  signed: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'signed-trailer': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
}

/** The head's headers and the framed body of one upload, as a client in order sends them. */
function framed(mode: Mode, chunks: readonly Uint8Array[]) {
  const whole = Buffer.concat(chunks)
  const amzDate = formatAmzDate(Date.now())
  const trailer =
    mode === 'signed' ? undefined : `x-amz-checksum-crc32:${toBase64(checksumOf('CRC32', whole))}`
  const plain = {
    host: address,
    'x-amz-date': amzDate,
    'x-amz-content-sha256': payloadNames[mode],
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(whole.length),
    ...(trailer === undefined ? {} : { 'x-amz-trailer': 'x-amz-checksum-crc32' }),
  }
  const headers = sign({ address, region, credentials }, 'PUT', `/${PLAIN}/${KEY}`, plain)
  const scope = { date: amzDate.slice(0, 8), region, service: 's3' }
  const key = deriveSigningKey(nodeDigests, credentials.secretAccessKey, scope)
  let previous = /Signature=([0-9a-f]{64})/.exec(headers['authorization'] ?? '')?.[1] ?? ''
  const signature = (kind: string, ...hashes: readonly string[]): string => {
    const text = [kind, amzDate, scopeText(scope), previous, ...hashes].join('\n')
    previous = createHmac('sha256', key).update(text).digest('hex')
    return previous
  }
  const hash = (data: Uint8Array): string => toHex(nodeDigests.sha256(data))
  const empty = hash(new Uint8Array())
  const pieces: Uint8Array[] = []
  for (const chunk of [...chunks.filter(({ length }) => length > 0), new Uint8Array()]) {
    const extension =
      mode === 'unsigned-trailer'
        ? ''
        : `;chunk-signature=${signature('AWS4-HMAC-SHA256-PAYLOAD', empty, hash(chunk))}`
    pieces.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk)
    if (chunk.length > 0 || mode === 'signed') pieces.push(Buffer.from('\r\n'))
  }
  if (trailer !== undefined) {
    pieces.push(Buffer.from(`${trailer}\r\n`))
    if (mode === 'signed-trailer') {
      const signed = signature('AWS4-HMAC-SHA256-TRAILER', hash(Buffer.from(`${trailer}\n`)))
      pieces.push(Buffer.from(`x-amz-trailer-signature:${signed}\r\n`))
    }
    pieces.push(Buffer.from('\r\n'))
  }
  return { headers, whole, body: Buffer.concat(pieces) }
}

async function stored(): Promise<Uint8Array | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: PLAIN, Key: KEY }))
    return await Body?.transformToByteArray()
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return undefined
    throw error
  }
}

const mutations = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    drop: fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 40 })),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc
        .constantFrom('\r\n', '0\r\n', '\n', '0', 'f', 'ffffffffffffffff', '-1', ';', ';a=b', ' ', '\0')
        .map((text) => Buffer.from(text)),
    ),
  }),
  { minLength: 1, maxLength: 3 },
)

describe('a body in chunks', { timeout: 600_000 }, () => {
  for (const mode of ['unsigned-trailer', 'signed', 'signed-trailer'] as const) {
    test(`${mode}: whole, it is stored; changed, it is stored as it was meant or not at all`, async () => {
      let accepted = 0
      let refused = 0
      const chunks = fc
        .tuple(fc.nat({ max: 2 }), fc.uint8Array({ maxLength: 90 }))
        .map(([large, last]) => [
          ...Array.from({ length: large }, (_, i) => new Uint8Array(CHUNK_BYTES_MIN).fill(i + 1)),
          last,
        ])
      await fc.assert(
        fc.asyncProperty(chunks, fc.option(mutations), async (parts, changes) => {
          const { headers, body, whole } = framed(mode, parts)
          let sent = body
          for (const { at, drop, put } of changes ?? []) {
            const start = Math.floor(at * sent.length)
            sent = Buffer.concat([sent.subarray(0, start), put, sent.subarray(start + drop)])
          }
          const request = {
            method: 'PUT',
            target: `/${PLAIN}/${KEY}`,
            headers,
            body: sent,
            signature: 'none',
          } as const
          const answer = await world.fuzz.send(request)
          assertSound(request, answer)
          const there = await stored()
          if (answer.status === 200) {
            accepted++
            assert.ok(there !== undefined && Buffer.from(there).equals(whole), 'stored as it was not meant')
            await client.send(new DeleteObjectCommand({ Bucket: PLAIN, Key: KEY }))
          } else {
            refused++
            assert.equal(there, undefined, `an object after ${answer.body}`)
            assert.notEqual(changes, null, `refused as it was: ${answer.status} ${answer.body}`)
          }
        }),
        fuzzSettings(RUNS),
      )
      assert.ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`)
    })
  }
})
