/** Bodies over a real connection: what HTTP itself breaks. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { readBody } from './test-support.ts'
import { openBody } from './verified-body.ts'

/** Sends bytes to a server that reads the body, and gives what came of it: the error's code, or the data. */
async function exchange(
  sent: string,
  afterwards: 'hang up' | 'wait for the answer',
): Promise<{ outcome: string; answer: string }> {
  let outcome = ''
  const read = Promise.withResolvers<undefined>()
  const server = createServer((message, response) => {
    void receive(message).then((text) => {
      outcome = text
      response.end(text)
      read.resolve(undefined)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answer = ''
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1')
  })
  const over = Promise.withResolvers<undefined>()
  for (const event of ['data', 'close']) socket.once(event, () => over.resolve(undefined))
  try {
    const arrived = once(server, 'request')
    socket.write(sent)
    await arrived
    if (afterwards === 'hang up') socket.destroy()
    await read.promise
    if (afterwards === 'wait for the answer') await over.promise
  } finally {
    socket.destroy()
    server.closeAllConnections()
    server.close()
  }
  return { outcome, answer }
}

async function receive(message: IncomingMessage): Promise<string> {
  try {
    const chunked = message.headers['x-amz-decoded-content-length'] !== undefined
    const body = openBody(message, {
      headers: message.headersDistinct,
      payload: { kind: chunked ? 'unsigned-chunks' : 'unsigned' },
      digests: nodeDigests,
      maxBytes: 1000,
    })
    return (await readBody(body)).toString()
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error)
  }
}

const head = 'PUT /b/k HTTP/1.1\r\nhost: h\r\n'

test('a client that hangs up in the middle of a body leaves an incomplete body', async () => {
  const plain = await exchange(`${head}content-length: 100\r\n\r\nonly this`, 'hang up')
  assert.equal(plain.outcome, 'IncompleteBody')
  const framed = `${head}content-length: 100\r\nx-amz-decoded-content-length: 50\r\n\r\n32\r\nonly`
  assert.equal((await exchange(framed, 'hang up')).outcome, 'IncompleteBody')
})

test('a refusal in the middle of a body still reaches the client', async () => {
  const sent = `${head}content-length: 100000\r\nx-amz-decoded-content-length: 50\r\n\r\nnot a chunk header\r\n`
  const { outcome, answer } = await exchange(sent, 'wait for the answer')
  assert.equal(outcome, 'IncompleteBody')
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*IncompleteBody$/)
})

test('aws-chunked inside the chunked transfer coding', async () => {
  const inner = '5\r\nhello\r\n0\r\n\r\n'
  const outer = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`
  const sent = `${head}transfer-encoding: chunked\r\nx-amz-decoded-content-length: 5\r\n\r\n${outer}`
  assert.equal((await exchange(sent, 'wait for the answer')).outcome, 'hello')
  const bare = `${head}transfer-encoding: chunked\r\n\r\n${outer}`
  assert.equal((await exchange(bare, 'wait for the answer')).outcome, 'NotImplemented')
})
