/**
 * Overload met by a browser's form. Its key stands in a field and not in the head, so that some of the body is read before metadata can
 * be asked; but of the file nothing is. From there on it is a large write as any other: slow-down.test.ts.
 */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { CreateBucketCommand, GetObjectCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import {
  ADMISSION_ASK_BYTES,
  ADMISSION_DELAY_TARGET_MS,
  HTTP_DRAIN_BYTES_MAX,
  POST_FORM_BYTES_MAX,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataOperation, type MetadataRequestInit } from '../../proto/metadata-api.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { patternOf } from './bodies.ts'
import { formRequest, signForm, type Fields } from './forms.ts'
import { s3Error, startConformance } from './harness.ts'
import { answerOf, continued, openRequest } from './raw-socket.ts'

/** Metadata's time stands still but for what a test lets pass, so that a second's writes can be counted one by one. */
let passedMs = 0
const metadataClock = { ...systemClock, monotonicMs: () => passedMs }

/** Body bytes that the gateway took of each request that is over. */
const received: number[] = []
const log: Log = {
  debug: () => undefined,
  info(message, fields) {
    if (message === 'request') received.push(Number(fields?.['bytesReceived']))
  },
  warn: () => undefined,
  error: () => undefined,
  child: () => log,
}

/** Writes that a partition takes in a second. */
const WRITES = 3

const s3 = await startConformance('us-east-1', { metadataClock, log, heldTo: { write: WRITES, read: 1000 } })
const { client, address, region, credentials, faults, heal, metadataNode, newBucket, shardCount } = s3

/** What the gateway has asked of metadata since {@link watch}. */
let asked: { operation: MetadataOperation; request: MetadataRequestInit<MetadataOperation> }[] = []

/** @param refused an operation that metadata refuses for load */
function watch(refused?: MetadataOperation): void {
  asked = []
  faults.metadata = (operation, request) => {
    asked.push({ operation, request })
    return operation === refused ? new MetadataError(FailureCode.SLOW_DOWN, 'internal detail') : undefined
  }
}

const timesAsked = (wanted: MetadataOperation): number =>
  asked.filter(({ operation }) => operation === wanted).length

/** Writes that were asked of the partition's owner since the last call, as it counts them. */
function counted(): number {
  // Seconds count when they are over, and the last thirty are kept.
  passedMs += 2000
  const [owned] = metadataNode.host.served.filter(({ range }) => range.id !== 0)
  assert.ok(owned !== undefined)
  const sum = owned.meter.rates().writes.reduce((total, one) => total + one, 0)
  passedMs += 60_000
  return sum
}

afterEach(() => {
  heal()
  counted()
})

/** More than what is written unasked, and than the rest of a refused request that is drained. */
const LARGE = patternOf(6 * 1024 * 1024)

/** A form as bytes; where its file begins. */
function formOf(bucket: string, fields: Fields, file: Uint8Array = LARGE, conditions?: readonly unknown[]) {
  const signed = signForm(s3, bucket, fields, conditions)
  const { headers = {}, body = '' } = formRequest(bucket, signed, file)
  const bytes = Buffer.from(body)
  return { headers, bytes, fileAt: bytes.indexOf(file) }
}

/** Sends the head of a form, without a signature of its own. */
const open = (
  bucket: string,
  { headers, bytes }: Pick<ReturnType<typeof formOf>, 'headers' | 'bytes'>,
  more: Fields = {},
) =>
  openRequest(
    { address, region, credentials },
    {
      method: 'POST',
      target: `/${bucket}`,
      headers: { ...headers, 'content-length': String(bytes.length), ...more },
      signed: false,
    },
  )

const get = async (Bucket: string, Key: string): Promise<Uint8Array> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
  return (await Body?.transformToByteArray()) ?? new Uint8Array()
}

test('a large form is refused before a byte of its file is sent, as its fields are there; no shard was written', async () => {
  const bucket = await newBucket()
  const before = await shardCount()
  watch('admitWrite')
  const form = formOf(bucket, { key: `up/$\{filename}` }, LARGE, [['starts-with', '$key', 'up/']])
  for (const expect of [{}, { expect: '100-continue' }]) {
    const socket = await open(bucket, form, expect)
    if ('expect' in expect) await continued(socket)
    socket.write(form.bytes.subarray(0, form.fileAt))
    received.length = 0
    assert.deepEqual(await answerOf(socket), { status: 503, code: 'SlowDown' })
    while (received.length === 0) await setTimeout(1)
    assert.deepEqual(received, [form.fileAt])
  }
  const questions = asked.filter(({ operation }) => operation === 'admitWrite')
  assert.deepEqual(
    questions.map(({ request }) => request),
    [1, 2].map(() => ({ bucket, key: 'up/file.bin' })),
  )
  assert.equal(timesAsked('commitObject'), 0)
  assert.equal(await shardCount(), before)
})

test('nor is a file read that was sent without waiting, beyond what keeps the connection', async () => {
  const bucket = await newBucket()
  const before = await shardCount()
  watch('admitWrite')
  // So much that it could not be on its way unread.
  const file = Buffer.alloc(64 * 1024 * 1024, LARGE)
  const form = formOf(bucket, { key: 'k' }, file)
  received.length = 0
  const socket = await open(bucket, form)
  socket.write(form.bytes)
  assert.deepEqual(await answerOf(socket), { status: 503, code: 'SlowDown' })
  while (received.length === 0) await setTimeout(1)
  const [bytes = Number.NaN] = received
  // A piece of the socket more before the question, and one behind the bound.
  assert.ok(bytes <= POST_FORM_BYTES_MAX + HTTP_DRAIN_BYTES_MAX + 2 * 64 * 1024, String(bytes))
  assert.equal(timesAsked('commitObject'), 0)
  assert.equal(await shardCount(), before)
})

test('a form that is admitted counts once, though it asks and commits; the one beyond the rate is refused', async () => {
  const bucket = await newBucket()
  watch()
  for (let index = 0; index < WRITES; index++) {
    const { status } = await s3.raw(formRequest(bucket, signForm(s3, bucket, { key: `k${index}` }), LARGE))
    assert.equal(status, 204)
  }
  assert.deepEqual([timesAsked('admitWrite'), timesAsked('commitObject')], [WRITES, WRITES])
  for (const { operation, request } of asked) {
    if (operation === 'commitObject') assert.notEqual('admission' in request ? request.admission : 0n, 0n)
  }
  const form = formOf(bucket, { key: 'beyond' })
  const socket = await open(bucket, form)
  socket.write(form.bytes.subarray(0, form.fileAt))
  assert.deepEqual(await answerOf(socket), { status: 503, code: 'SlowDown' })
  assert.equal(timesAsked('commitObject'), WRITES)
  // What was refused is load, too.
  assert.equal(counted(), WRITES + 1)
  for (let index = 0; index < WRITES; index++) assert.ok(LARGE.equals(await get(bucket, `k${index}`)))
  await assert.rejects(get(bucket, 'beyond'), s3Error('NoSuchKey', 404))
})

test('a form that breaks off midway leaves nothing in work, no shard and no object; the key can be written', async () => {
  const bucket = await newBucket()
  const before = await shardCount()
  watch()
  const form = formOf(bucket, { key: 'k' })
  const socket = await open(bucket, form)
  // A stripe and more of the file: it was admitted, and shards of it are written.
  socket.write(form.bytes.subarray(0, form.fileAt + 5 * 1024 * 1024))
  while ((await shardCount()) === before) await setTimeout(1)
  assert.equal(timesAsked('admitWrite'), 1)
  const inWork = (): number | undefined => metadataNode.state.admission?.().write.inFlight
  assert.equal(inWork(), 1)
  socket.destroy()
  while ((await shardCount()) > before) await setTimeout(1)
  // A reservation stands no longer than a request waits at the bound, whether or not another request comes.
  passedMs += ADMISSION_DELAY_TARGET_MS
  assert.equal(inWork(), 0)
  assert.equal(timesAsked('commitObject'), 0)
  await assert.rejects(get(bucket, 'k'), s3Error('NoSuchKey', 404))
  const { status } = await s3.raw(formRequest(bucket, signForm(s3, bucket, { key: 'k' }), LARGE))
  assert.equal(status, 204)
  assert.equal(inWork(), 0)
  assert.equal(counted(), 2)
  assert.ok(LARGE.equals(await get(bucket, 'k')))
})

test('a small form asks nothing beforehand, until one of its bucket was refused', async () => {
  const bucket = await newBucket()
  const post = async () =>
    await s3.raw(formRequest(bucket, signForm(s3, bucket, { key: 'k' }), LARGE.subarray(0, 1000)))
  watch('admitWrite')
  assert.equal((await post()).status, 204)
  const most = LARGE.subarray(0, ADMISSION_ASK_BYTES - 1000)
  assert.equal((await s3.raw(formRequest(bucket, signForm(s3, bucket, { key: 'l' }), most))).status, 204)
  assert.equal(timesAsked('admitWrite'), 0)
  watch('commitObject')
  assert.deepEqual([(await post()).status, timesAsked('commitObject')], [503, 1])
  watch('admitWrite')
  assert.deepEqual([(await post()).status, timesAsked('commitObject')], [503, 0])
})

test('who may not write, or sends a form that is refused anyway, learns that and not how busy it is', async () => {
  const bucket = await newBucket()
  watch('admitWrite')
  const signed = (fields: Fields, more?: readonly unknown[]) => signForm(s3, bucket, fields, more)
  const forms: readonly (readonly [Fields, code: string])[] = [
    [{ key: 'k' }, 'AccessDenied'],
    [{ ...signed({ key: 'k' }), 'x-amz-signature': 'f'.repeat(64) }, 'SignatureDoesNotMatch'],
    [{ ...signed({ key: 'k' }), key: 'l' }, 'AccessDenied'],
    [
      signed({ key: 'k' }, [
        ['eq', '$key', 'k'],
        ['content-length-range', 0, 1000],
      ]),
      'EntityTooLarge',
    ],
    [signed({ key: 'k', 'x-amz-checksum-crc32': 'no' }), 'InvalidRequest'],
  ]
  for (const [fields, code] of forms) {
    const answer = await s3.raw(formRequest(bucket, fields, LARGE.subarray(0, 1024 * 1024)))
    assert.equal(answer.code, code, answer.body)
  }
  assert.equal(timesAsked('admitWrite'), 0)
})

test('the refusal is a document that a page of another origin may read', async () => {
  const Bucket = 'form-slow-down-page'
  await client.send(new CreateBucketCommand({ Bucket }))
  const CORSRules = [{ AllowedMethods: ['POST'], AllowedOrigins: ['http://page.test'] }]
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  watch('admitWrite')
  const { status, headers, body } = await s3.raw(
    formRequest(Bucket, signForm(s3, Bucket, { key: 'k' }), LARGE.subarray(0, 1024 * 1024), {
      headers: { origin: 'http://page.test' },
    }),
  )
  assert.deepEqual([status, headers['access-control-allow-origin']], [503, 'http://page.test'])
  assert.equal(headers['content-type'], 'application/xml')
  assert.match(
    body,
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Error><Code>SlowDown<\/Code><Message>Please reduce your request rate.</,
  )
})
