import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { test, type TestContext } from 'node:test'
import type { HttpRequest } from '../cluster/http-connection.ts'
import { S3Connection, sdkRetries } from './s3-client.ts'

/** Answers by these, one after another. @returns a connection to it, and the requests that came */
async function serve(t: TestContext, answers: readonly ((response: ServerResponse) => void)[]) {
  const requests: string[] = []
  const ports = new Set<number | undefined>()
  const left = [...answers]
  const server = createServer((request: IncomingMessage, response) => {
    requests.push(request.url ?? '')
    ports.add(request.socket.remotePort)
    request.resume()
    request.on('end', () => left.shift()?.(response))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const keys = { accessKeyId: 'a', secretAccessKey: 's' }
  const endpoint = { host: '127.0.0.1', port: address.port, bucket: 'b', ...keys }
  const connection = new S3Connection(endpoint, await strategyWithoutPauses(endpoint))
  t.after(() => {
    connection.close()
  })
  return { connection, requests, ports }
}

/** The SDK's own, whose pauses are over at once. */
async function strategyWithoutPauses(endpoint: Parameters<typeof sdkRetries>[0]) {
  const strategy = await sdkRetries(endpoint)
  assert.ok('retryBackoffStrategy' in strategy)
  strategy.retryBackoffStrategy = { computeNextBackoffDelay: () => 0, setDelayBase: () => undefined }
  return strategy
}

const answer =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body)
  }
const slowDown = answer(503, '<Error><Code>SlowDown</Code></Error>')
const request = (method: string, body = ''): HttpRequest => ({
  head: `${method} /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: ${body.length}\r\n\r\n`,
  body: [Buffer.from(body)],
  headOnly: method === 'HEAD',
})

test('what is throttled is asked for again on the same connection, three times at most', async (t) => {
  const answers = [slowDown, slowDown, answer(200, ''), slowDown, slowDown, slowDown, answer(200, 'x')]
  const { connection, requests, ports } = await serve(t, answers)
  let throttled = 0
  const ask = () =>
    connection.ask(
      () => request('PUT', 'body'),
      () => throttled++,
    )
  assert.equal(await ask(), true)
  assert.equal(throttled, 2)
  assert.equal(await ask(), false)
  assert.equal(throttled, 5)
  assert.equal(await ask(), true)
  assert.deepEqual([requests.length, ports.size], [7, 1])
})

test('a HEAD has no body, whatever length it announces', async (t) => {
  const head = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': '1024' }).end()
  }
  const { connection, requests } = await serve(t, [head, answer(503, ''), head, answer(200, 'next')])
  assert.equal(await connection.ask(() => request('HEAD')), true)
  assert.equal(await connection.ask(() => request('HEAD')), true)
  let got = ''
  await connection.ask(() => ({ ...request('GET'), take: (piece) => (got += String(piece)) }))
  assert.equal(got, 'next')
  assert.equal(requests.length, 4)
})

test('other errors are no reason to ask again; a connection that the server closes is opened anew', async (t) => {
  const closing = answer(404, 'none', { connection: 'close' })
  const { connection, requests, ports } = await serve(t, [closing, answer(200, '')])
  await assert.rejects(
    connection.ask(() => request('GET')),
    /refused: .*404.*none/s,
  )
  assert.equal(await connection.ask(() => request('GET')), true)
  assert.deepEqual([requests.length, ports.size], [2, 2])
})
