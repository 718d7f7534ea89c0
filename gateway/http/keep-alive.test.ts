/** Long operations: 200 and blanks while they last, and whatever comes of them in the body. Time is the test's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { CopyObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { KEEP_ALIVE_AFTER_MS, KEEP_ALIVE_INTERVAL_MS } from '../../core/limits.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { createAuthenticator } from '../authenticate/authenticate.ts'
import { ManualClock } from './testing-clock.ts'
import { fixedTimeMs, readResponse, requestText, startToyGateway, toyRoot, type Client } from './testing.ts'

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const copy = (key: string, more: Record<string, string> = {}): string =>
  requestText('PUT', `/bucket/${key}`, { 'x-amz-copy-source': '/b/k', 'Content-Length': '0', ...more })

/** The body of a chunked answer, as far as it came. */
function chunked(received: string): string {
  let body = ''
  let rest = readResponse(received).body
  for (;;) {
    const [, size = '', after = ''] = /^([0-9a-f]+)\r\n([\s\S]*)$/.exec(rest) ?? []
    const bytes = Number.parseInt(size, 16)
    if (!(bytes > 0)) return body
    body += after.slice(0, bytes)
    rest = after.slice(bytes + 2)
  }
}

async function started(key: string) {
  const clock = new ManualClock(fixedTimeMs)
  const toy = await startToyGateway({}, undefined, clock)
  const client = await toy.open()
  client.write(copy(key))
  await toy.events.until('copy')
  // The handler has begun; the pipeline takes up its wait before the event loop turns.
  await setImmediate()
  return { clock, toy, client }
}

const has = (client: Client, text: string): Promise<string> =>
  client.until((received) => readResponse(received).status > 0 && chunked(received).endsWith(text))

describe('a long operation', () => {
  it('that ends in time is answered as any', async () => {
    const { clock, toy, client } = await started('k')
    await using _ = toy
    clock.pass(KEEP_ALIVE_AFTER_MS - 1)
    toy.events.note('copied')
    const { status, headers, body } = readResponse(await client.closed())
    assert.equal(status, 200)
    assert.ok(headers.has('content-length'))
    assert.match(body, /^<\?xml[^>]*>\n<CopyObjectResult/)
    assert.equal(clock.pending, 0)
  })

  it('sends blanks, and then its document', async () => {
    const { clock, toy, client } = await started('k')
    await using _ = toy
    clock.pass(KEEP_ALIVE_AFTER_MS)
    await has(client, DECLARATION)
    for (let blanks = 1; blanks <= 3; blanks++) {
      clock.pass(KEEP_ALIVE_INTERVAL_MS)
      await has(client, DECLARATION + ' '.repeat(blanks))
      await setImmediate()
    }
    toy.events.note('copied')
    const received = await client.closed()
    const { status, headers } = readResponse(received)
    assert.equal(status, 200)
    assert.match(headers.get('x-amz-request-id') ?? '', /^[0-9A-F]{16}$/)
    assert.match(chunked(received), /^<\?xml[^>]*>\n {3}<CopyObjectResult .*<\/CopyObjectResult>$/)
    assert.equal(clock.pending, 0)
    assert.equal(toy.records[0]?.errorCode, undefined)
  })

  for (const [key, code] of [
    ['refused', 'NoSuchKey'],
    ['crash', 'InternalError'],
  ] as const) {
    it(`that fails late says so in its body: ${code}`, async () => {
      const { clock, toy, client } = await started(key)
      await using _ = toy
      clock.pass(KEEP_ALIVE_AFTER_MS)
      await has(client, DECLARATION)
      toy.events.note('copied')
      const received = await client.closed()
      assert.equal(readResponse(received).status, 200)
      assert.match(chunked(received), new RegExp(`^<\\?xml[^>]*>\n<Error><Code>${code}</Code>.*</Error>$`))
      assert.doesNotMatch(received, /secret/)
      assert.deepEqual([toy.records[0]?.status, toy.records[0]?.errorCode], [200, code])
    })
  }

  it('that fails in time has its own status', async () => {
    const { toy, client } = await started('refused')
    await using _ = toy
    toy.events.note('copied')
    assert.equal(readResponse(await client.closed()).status, 404)
  })

  it('ends quietly when the client leaves', async () => {
    const { clock, toy, client } = await started('k')
    await using _ = toy
    clock.pass(KEEP_ALIVE_AFTER_MS)
    await has(client, DECLARATION)
    client.socket.resetAndDestroy()
    while (clock.pending > 0) {
      clock.pass(KEEP_ALIVE_INTERVAL_MS)
      await setImmediate()
    }
    toy.events.note('copied')
    assert.deepEqual(toy.logged, [])
  })
})

describe('the SDK', () => {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' }

  for (const [key, outcome] of [
    ['k', '"copied"'],
    ['refused', 'NoSuchKey'],
  ] as const) {
    it(`takes a late answer for what it is: ${outcome}`, async () => {
      const clock = new ManualClock(fixedTimeMs)
      const authenticate = createAuthenticator({
        credentials: { find: async () => ({ secret: credentials.secretAccessKey, principal: toyRoot }) },
        endpoint: { region: 'us-east-1', services: ['s3'] },
        digests: nodeDigests,
        nowMs: () => Date.now(),
      })
      await using toy = await startToyGateway({}, authenticate, clock)
      const endpoint = `http://127.0.0.1:${toy.port}`
      const client = new S3Client({
        region: 'us-east-1',
        credentials,
        endpoint,
        forcePathStyle: true,
        maxAttempts: 1,
      })
      const answer = client
        .send(new CopyObjectCommand({ Bucket: 'bucket', Key: key, CopySource: '/b/k' }))
        .then(
          ({ CopyObjectResult }) => CopyObjectResult?.ETag,
          (error: unknown) => (error instanceof S3ServiceException ? error.name : error),
        )
      await toy.events.until('copy')
      await setImmediate()
      clock.pass(KEEP_ALIVE_AFTER_MS)
      await setImmediate()
      clock.pass(KEEP_ALIVE_INTERVAL_MS)
      await setImmediate()
      toy.events.note('copied')
      assert.equal(await answer, outcome)
      client.destroy()
    })
  }
})
