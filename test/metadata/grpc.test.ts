import assert from 'node:assert/strict'
import { once } from 'node:events'
import { promises } from 'node:dns'
import { connect, createServer, type Socket } from 'node:net'
import test from 'node:test'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { create } from '@bufbuild/protobuf'
import { METADATA_REQUEST_TIMEOUT_MS, METADATA_STREAM_IN_FLIGHT_MAX } from '../../core/limits.ts'
import { serveMetadata } from '../../metadata/server/server.ts'
import { startMetadata } from '../../metadata/main.ts'
import {
  FailureCode,
  type Reply,
  ReplySchema,
  type Request,
  RequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { UnreachedError } from '../../runtime/metadata-client/failure.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import { callMethod } from '../../runtime/metadata-client/wire.ts'
import { createClusterToken } from '../../runtime/rpc/cluster-token.ts'
import { createBucket, failsWith, get, objectInit, put, until } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

const NEVER = Promise.withResolvers<never>().promise
const SECRET = 'a secret of the cluster'

/** A server whose answers the test gives. */
async function serve(handle: (request: Request) => Promise<Reply>, port = 0) {
  // The grace of a close is for calls that end; those of these tests do not.
  const clock = { ...world.clock, after: (ms: number, run: () => void) => world.clock.after(ms / 50, run) }
  return serveMetadata({ ...world, clock, handler: { handle }, secret: SECRET, host: '127.0.0.1', port })
}

function clientOf(address: string, more: object = {}): GrpcMetadata {
  return new GrpcMetadata({ address, secret: SECRET, ...world, ...more })
}

function bucketReply({ id }: Request): Reply {
  return create(ReplySchema, { id, result: { case: 'getBucket', value: { bucket: { name: 'b' } } } })
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1))
}

test('a caller without the secret is refused, on the stream and on the single call', async () => {
  const server = await serve(async (request) => bucketReply(request))
  const stranger = clientOf(server.address, { secret: 'wrong' })
  await assert.rejects(stranger.call('getBucket', { name: 'b' }), (error) => {
    assert.ok(error instanceof MetadataError)
    assert.equal(error.code, FailureCode.UNAVAILABLE)
    return error.message.includes("refused this process: the cluster's secret is needed")
  })
  const client = new Client(server.address, credentials.createInsecure())
  const call = (token: string | undefined) => {
    const metadata = new Metadata()
    if (token !== undefined) metadata.set('authorization', token)
    const request = create(RequestSchema, { id: 7, operation: { case: 'getBucket', value: { name: 'b' } } })
    const { promise, resolve, reject } = Promise.withResolvers<Reply | undefined>()
    const { path, requestSerialize, responseDeserialize } = callMethod
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      (error, reply) => {
        if (error === null) resolve(reply)
        else reject(error)
      },
    )
    return promise
  }
  for (const token of [
    undefined,
    '',
    'Bearer x',
    `Bearer ${createClusterToken('wrong', world.clock, world.random)}`,
  ]) {
    await assert.rejects(call(token), (error) => (error as ServiceError).code === status.UNAUTHENTICATED)
  }
  const reply = await call(`Bearer ${createClusterToken(SECRET, world.clock, world.random)}`)
  assert.equal(reply?.id, 7)
  assert.equal(reply.result.case, 'getBucket')
  client.close()
  await stranger.close()
  await server.close()
})

test('replies come in any order, each to its request', async () => {
  const waiting: { request: Request; answer: (reply: Reply) => void }[] = []
  const server = await serve((request) => {
    const { promise, resolve } = Promise.withResolvers<Reply>()
    waiting.push({ request, answer: resolve })
    return promise
  })
  const client = clientOf(server.address)
  const names = Array.from({ length: 50 }, (_, index) => `b${index}`)
  const answers = Promise.all(names.map((name) => client.call('getBucket', { name })))
  await until(async () => waiting.length === names.length)
  for (const { request, answer } of waiting.reverse()) {
    const { operation } = request
    const name = operation.case === 'getBucket' ? operation.value.name : ''
    answer(
      create(ReplySchema, { id: request.id, result: { case: 'getBucket', value: { bucket: { name } } } }),
    )
  }
  assert.deepEqual(
    (await answers).map(({ bucket }) => bucket?.name),
    names,
  )
  await client.close()
  await server.close()
})

test('the service works on a bounded number of requests of one stream, and on all in the end', async () => {
  const gate = Promise.withResolvers<undefined>()
  let working = 0
  let most = 0
  const server = await serve(async (request) => {
    most = Math.max(most, ++working)
    await gate.promise
    working--
    return bucketReply(request)
  })
  const client = clientOf(server.address)
  const calls = Array.from({ length: 4 * METADATA_STREAM_IN_FLIGHT_MAX }, () =>
    client.call('getBucket', { name: 'b' }),
  )
  await until(async () => working >= METADATA_STREAM_IN_FLIGHT_MAX)
  for (let turn = 0; turn < 50; turn++) await world.nextTurn()
  // What was read in the chunk that passed the bound is worked on as well.
  assert.ok(most < 3 * METADATA_STREAM_IN_FLIGHT_MAX, `${most} at once`)
  gate.resolve(undefined)
  assert.equal((await Promise.all(calls)).length, calls.length)
  await client.close()
  await server.close()
})

test('a restart of the service: reads are sent again, writes that were sent are unknown, the rest wait', async () => {
  const received: (string | undefined)[] = []
  const first = await serve((request) => {
    received.push(request.operation.case)
    return NEVER
  })
  const client = clientOf(first.address)
  const read = client.call('getBucket', { name: 'b' })
  const write = client.call('deleteBucket', { name: 'b' })
  const unknown = assert.rejects(write, (error) => {
    assert.ok(error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE)
    return error.message.includes('the outcome is unknown')
  })
  await until(async () => received.length === 2)
  await first.close()
  await unknown
  const later = client.call('createBucket', { bucket: { name: 'b' } })
  const second = await serve(async (request) => {
    received.push(request.operation.case)
    const { id } = request
    return request.operation.case === 'createBucket'
      ? create(ReplySchema, { id, result: { case: 'createBucket', value: {} } })
      : bucketReply(request)
  }, portOf(first.address))
  assert.equal((await read).bucket?.name, 'b')
  await later
  assert.deepEqual(new Set(received.slice(0, 2)), new Set(['deleteBucket', 'getBucket']))
  assert.deepEqual(new Set(received.slice(2)), new Set(['createBucket', 'getBucket']))
  await client.close()
  await second.close()
})

test('a service that is not there: calls end within their time; none was sent', async () => {
  const client = clientOf('127.0.0.1:1', { timeoutMs: 200 })
  await failsWith(client.call('deleteBucket', { name: 'b' }), FailureCode.UNAVAILABLE)
  await assert.rejects(client.call('deleteBucket', { name: 'b' }), /is not reached within 200 ms/)
  await client.close()
  await assert.rejects(client.call('deleteBucket', { name: 'b' }), /closed/)
})

test('what is taken back: before it was sent it never is, after that its outcome is unknown', async () => {
  const received: (string | undefined)[] = []
  const first = await serve((request) => {
    received.push(request.operation.case)
    return NEVER
  })
  const client = clientOf(first.address)
  const sent = client.begin('deleteBucket', { name: 'sent' })
  await until(async () => received.length === 1)
  sent.takeBack('enough')
  await assert.rejects(sent.reply, (error) => error instanceof UnreachedError && error.sent)
  await first.close()
  const unsent = client.begin('deleteBucket', { name: 'unsent' })
  unsent.takeBack('enough')
  await assert.rejects(unsent.reply, (error) => error instanceof UnreachedError && !error.sent)
  const later = client.call('getBucket', { name: 'b' })
  const second = await serve(async (request) => {
    received.push(request.operation.case)
    return bucketReply(request)
  }, portOf(first.address))
  await later
  assert.deepEqual(received, ['deleteBucket', 'getBucket'])
  await client.close()
  await second.close()
})

test('a service that hangs: a write ends as unknown, an abort ends a call at once, closing ends the rest', async () => {
  let received = 0
  const server = await serve(() => {
    received++
    return NEVER
  })
  const client = clientOf(server.address, { timeoutMs: 500 })
  await assert.rejects(client.call('deleteBucket', { name: 'b' }), /did not answer: the outcome is unknown/)
  const controller = new AbortController()
  const aborted = client.call('getBucket', { name: 'b' }, controller.signal)
  await until(async () => received === 2)
  controller.abort(new Error('enough'))
  await assert.rejects(aborted, /enough/)
  const open = client.call('deleteBucket', { name: 'b' })
  await until(async () => received === 3)
  const ended = assert.rejects(open, /closed: the outcome is unknown/)
  await client.close()
  await ended
  await server.close()
})

test('what listens is not metadata: the call fails, and nothing hangs', async () => {
  const sockets = new Set<Socket>()
  const impostor = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  const address = impostor.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = clientOf(`127.0.0.1:${address.port}`, { timeoutMs: 300 })
  await failsWith(client.call('getBucket', { name: 'b' }), FailureCode.UNAVAILABLE)
  await client.close()
  for (const socket of sockets) socket.destroy()
  impostor.close()
  await once(impostor, 'close')
})

test('an address where nothing answers any more is not waited for: the stream is opened anew', async () => {
  const sockets = new Set<Socket>()
  const server = await serve(async (request) => bucketReply(request))
  // It takes connections, as a kernel does for a process that stands still, and the first one leads nowhere.
  const entry = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    if (sockets.size === 1) return
    const through = connect(portOf(server.address), '127.0.0.1')
    through.on('error', () => undefined)
    socket.pipe(through).pipe(socket)
  })
  entry.listen(0, '127.0.0.1')
  await once(entry, 'listening')
  const address = entry.address()
  assert.ok(typeof address === 'object' && address !== null)
  const after = (ms: number, run: () => void) => world.clock.after(ms / 50, run)
  const timeoutMs = 50 * METADATA_REQUEST_TIMEOUT_MS
  const client = clientOf(`127.0.0.1:${address.port}`, { clock: { ...world.clock, after }, timeoutMs })
  assert.equal((await client.call('getBucket', { name: 'b' })).bucket?.name, 'b')
  assert.equal(sockets.size, 2)
  await client.close()
  await server.close()
  for (const socket of sockets) socket.destroy()
  entry.close()
  await once(entry, 'close')
})

test('what is no address is refused before anything waits for it', () => {
  assert.throws(() => clientOf(''))
})

test('a name is looked up for each attempt: who was moved is found', async (t) => {
  const first = await serve(async (request) => bucketReply(request))
  const port = portOf(first.address)
  const lookup = t.mock.method(promises, 'lookup', async () => [{ address: '127.0.0.1', family: 4 }])
  const client = clientOf(`metadata.test:${port}`)
  await client.call('getBucket', { name: 'b' })
  await first.close()
  const waiting = client.call('getBucket', { name: 'b' })
  const before = lookup.mock.callCount()
  await until(async () => lookup.mock.callCount() >= before + 2)
  const second = await serve(async (request) => bucketReply(request), port)
  assert.equal((await waiting).bucket?.name, 'b')
  await client.close()
  await second.close()
})

test('a clean stop answers what is in flight; a client goes on with the next start', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path, listen: true })
  let running = await startMetadata(config, world)
  const client = clientOf(running.address ?? '')
  await createBucket(client)
  const acknowledged: string[] = []
  let unknown = 0
  const stop = new AbortController()
  async function write(writer: number): Promise<void> {
    for (let index = 0; !stop.signal.aborted; index++) {
      const key = `${writer}/${index}`
      try {
        await client.call('commitObject', { object: objectInit(key) })
        acknowledged.push(key)
      } catch (error) {
        assert.ok(error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE, String(error))
        unknown++
      }
    }
  }
  const writers = Promise.all([1, 2, 3, 4].map(write))
  for (let restart = 0; restart < 2; restart++) {
    const before = acknowledged.length
    await until(async () => acknowledged.length > before + 20)
    await running.close()
    running = await startMetadata({ ...config, port: portOf(running.address ?? '') }, world)
  }
  const before = acknowledged.length
  await until(async () => acknowledged.length > before + 20)
  stop.abort()
  await writers
  for (const key of acknowledged) assert.notEqual(await get(client, key), undefined, key)
  assert.ok(unknown <= 2 * 4)
  await put(client, 'last')
  await client.close()
  await running.close()
  await remove()
})
