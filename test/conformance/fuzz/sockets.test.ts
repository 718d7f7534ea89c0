/** Bytes that are no request, or nearly one: the gateway answers 4xx or hangs up, and goes on serving. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { formatAmzDate } from '../../../core/signing/time.ts'
import { sign } from '../signed-request.ts'
import { fuzzSettings } from './settings.ts'
import { PLAIN, startWorld } from './world.ts'

const RUNS = 4000

const world = await startWorld()
const { client, address, region, credentials } = world
await world.restore()
after(() => {
  world.fuzz.close()
})

/** All that comes back for these bytes when nothing follows them. */
async function exchange(bytes: Uint8Array): Promise<string> {
  const [host = '', port] = address.split(':')
  const socket = connect({ host, port: Number(port), allowHalfOpen: true })
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (piece: string) => {
    text += piece
  })
  // The gateway may have hung up before all was sent.
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  socket.end(bytes)
  socket.on('end', () => socket.destroy())
  await closed
  return text
}

function wellFormed(): Buffer {
  const target = `/${PLAIN}/one`
  const plain = {
    host: address,
    'x-amz-date': formatAmzDate(Date.now()),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    connection: 'close',
  }
  const lines = Object.entries(sign({ address, region, credentials }, 'GET', target, plain))
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`GET ${target} HTTP/1.1\r\n${head}\r\n`)
}

const pieces = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', 'HTTP/1.0', 'HTTP/9.9', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip\r\n', 'Content-Length: 5\r\n',
  'Content-Length: -1\r\n', 'Content-Length: 99999999999999999999\r\n', 'Expect: 100-continue\r\n', 'Upgrade: websocket\r\nConnection: upgrade\r\n', 'Host: a\r\n',
  'x: \xff\r\n', 'é', 'x'.repeat(20_000), 'GET / HTTP/1.1\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01',
] // prettier-ignore

const mutated = fc
  .array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      drop: fc.oneof(fc.constant(0), fc.nat({ max: 30 })),
      put: fc.oneof(
        fc.constantFrom(...pieces).map((piece) => Buffer.from(piece, 'latin1')),
        fc.uint8Array({ maxLength: 5 }),
      ),
    }),
    { maxLength: 3 },
  )
  .map((changes) => (bytes: Uint8Array) => {
    let result = bytes
    for (const { at, drop, put } of changes) {
      const start = Math.floor(at * result.length)
      result = Buffer.concat([result.subarray(0, start), put, result.subarray(start + drop)])
    }
    return result
  })

test('whatever bytes come, the answer is none or a sound one', { timeout: 600_000 }, async () => {
  let served = 0
  const requests = fc.oneof(
    { weight: 4, arbitrary: mutated },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => () => bytes) },
  )
  await fc.assert(
    fc.asyncProperty(requests, async (make) => {
      const answer = await exchange(make(wellFormed()))
      if (answer === '') return
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
      assert.ok((status >= 100 && status < 500) || status === 501 || status === 505, answer.slice(0, 300))
      if (status === 200) served++
    }),
    fuzzSettings(RUNS),
  )
  assert.ok(served > 0)
  const { Body } = await client.send(new GetObjectCommand({ Bucket: PLAIN, Key: 'one' }))
  assert.equal(await Body?.transformToString(), 'content')
})
