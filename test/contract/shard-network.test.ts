/** What only a network can do to the shard transport. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { SHARD_BYTES_MAX, SHARD_CONNECTION_BYTES_MAX, SHARD_HELLO_BYTES_MAX } from '../../core/limits.ts'
import type { GetShard, PutShard, ShardBlocks, ShardService } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createClusterToken } from '../../runtime/rpc/cluster-token.ts'
import { emptyFrame, FrameReader, type FrameType } from '../../runtime/rpc/frames.ts'
import * as messages from '../../runtime/rpc/shard-messages.ts'
import {
  createNetworkShardTransport,
  type NetworkShardTransport,
} from '../../runtime/shard-transport/network.ts'
import { serveShards, type ShardServer } from '../../runtime/shard-transport/server.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { ManualClock } from './manual-clock.ts'
import { rejectsWith } from './shard-service.ts'

const never = (): Promise<never> => Promise.withResolvers<never>().promise

/** A service that keeps puts in memory; its methods may be replaced. */
function memoryService(
  overrides: Partial<ShardService> = {},
): ShardService & { held: Map<string, PutShard> } {
  const held = new Map<string, PutShard>()
  return {
    held,
    async put(request: PutShard) {
      held.set(request.address.blob, { ...request, data: request.data.slice() })
    },
    async get({ address }: GetShard): Promise<ShardBlocks> {
      const { data, checksums } = held.get(address.blob) ?? assert.fail()
      return { offset: 0, data, checksums, shardBytes: data.byteLength }
    },
    deleteBlob: async () => 0,
    deleteShards: async () => 0,
    list: async () => ({ shards: [], truncated: false }),
    describe: async () => [],
    damaged: async () => ({ shards: [], truncated: false }),
    status: never,
    ...overrides,
  }
}

interface Setup {
  readonly server: ShardServer
  readonly transport: NetworkShardTransport
  readonly node: ShardService
}

async function withServer(
  service: ShardService,
  body: (setup: Setup) => Promise<void>,
  options: { clock?: Clock; secret?: string; node?: string } = {},
): Promise<void> {
  const world = { clock: options.clock ?? systemClock, random: systemRandom, log: silentLog }
  const server = await serveShards({
    ...world,
    clock: systemClock,
    service,
    nodeId: 'n1',
    port: 0,
    secret: 'secret',
  })
  const transport = createNetworkShardTransport({
    ...world,
    secret: options.secret ?? 'secret',
    addressOf: () => `127.0.0.1:${server.port}`,
  })
  try {
    await body({ server, transport, node: transport.node(options.node ?? 'n1') })
  } finally {
    transport.close()
    await server.close()
  }
}

/** Collects what a server says on a bare connection until it hangs up. What follows a hello is sent once it is answered. */
async function converse(
  port: number,
  send: readonly Uint8Array[],
): Promise<{ type: FrameType; payload: Buffer }[]> {
  const socket = connect(port, '127.0.0.1')
  const heard: { type: FrameType; payload: Buffer }[] = []
  const reader = new FrameReader({
    control(type, _id, payload) {
      heard.push({ type, payload: Buffer.from(payload) })
      if (type === 'welcome') for (const bytes of send.slice(1)) socket.write(bytes)
    },
    data() {},
  })
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk)
  })
  socket.on('error', () => undefined)
  if (send[0] !== undefined) socket.write(send[0])
  await once(socket, 'close')
  return heard
}

test('a caller with a wrong secret is told so, once, and nothing it sends is served', async () => {
  const service = memoryService()
  await withServer(
    service,
    async ({ node, server }) => {
      await rejectsWith(node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10))), 'unauthenticated')
      const token = createClusterToken('other', systemClock, systemRandom)
      const hello = messages.hello.encode({ version: messages.PROTOCOL_VERSION, node: 'n1', token })
      const heard = await converse(server.port, [Buffer.concat([hello, messages.status.encode(1)])])
      assert.deepEqual(
        heard.map(({ type, payload }) => [type, messages.failure.decode(payload).code]),
        [['error', 'unauthenticated']],
      )
      const unasked = await converse(server.port, [messages.status.encode(1)])
      assert.deepEqual(
        unasked.map(({ type }) => type),
        ['error'],
      )
    },
    { secret: 'other' },
  )
  assert.equal(service.held.size, 0)
})

test('a node hears which reads are in the background, and one of an earlier release is asked as for a client', async () => {
  const asked: GetShard[] = []
  const blocks = { offset: 0, data: bytesOf(10), checksums: crc32cBlocks(bytesOf(10)), shardBytes: 10 }
  const get = (request: GetShard): Promise<ShardBlocks> => {
    asked.push(request)
    return Promise.resolve(blocks)
  }
  const address = addressOf(1, blobOf(1))
  const requests: GetShard[] = [
    { address, epoch: 1 },
    { address, epoch: 1, background: true },
    { address, epoch: 1, range: { start: 2, end: 9 } },
    { address, epoch: 1, range: { start: 2, end: 9 }, background: true },
  ]
  await withServer(memoryService({ get }), async ({ node }) => {
    for (const request of requests) await node.get(request)
    assert.deepEqual(asked, requests)
  })
  // Before reads in the background its welcome was empty, and it took any flag for a range.
  const old = { background: false }
  for (const { background: _, ...request } of requests) {
    const frame = messages.get.encode(1, { ...request, background: true }, old)
    assert.deepEqual(frame, messages.get.encode(1, request, old))
  }
  assert.deepEqual(messages.welcome.decode(Buffer.alloc(0)), old)
})

test('a caller who means another node is refused', async () => {
  await withServer(
    memoryService(),
    ({ node }) => rejectsWith(node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10))), 'unavailable'),
    { node: 'n2' },
  )
})

test('before a hello, too many bytes, no frame, or a huge length end the connection', async () => {
  await withServer(memoryService(), async ({ server }) => {
    const huge = emptyFrame('hello', 0)
    huge.writeUInt32LE(2 ** 31, 0)
    for (const bytes of [
      new Uint8Array(SHARD_HELLO_BYTES_MAX + 1),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      huge,
    ]) {
      assert.deepEqual(await converse(server.port, [bytes]), [])
    }
  })
})

test('a caller that breaks the bounds of a connection is hung up on before memory is taken', async () => {
  await withServer(memoryService({ put: never }), async ({ server }) => {
    const token = createClusterToken('secret', systemClock, systemRandom)
    const hello = messages.hello.encode({ version: messages.PROTOCOL_VERSION, node: 'n1', token })
    const put = putOf(addressOf(1, blobOf(1)), bytesOf(SHARD_BYTES_MAX))
    const most = (2 * SHARD_CONNECTION_BYTES_MAX) / SHARD_BYTES_MAX
    const heads = Array.from({ length: most + 1 }, (_, i) => messages.put.encode(i + 1, put))
    const heard = await converse(server.port, [hello, ...heads])
    assert.deepEqual(
      heard.map(({ type }) => type),
      ['welcome'],
    )
    const tooLarge = putOf(addressOf(1, blobOf(1)), new Uint8Array(SHARD_BYTES_MAX + 1))
    assert.equal((await converse(server.port, [hello, messages.put.encode(1, tooLarge)])).length, 1)
  })
})

test('a damaged frame ends the connection, and the next request opens another', async () => {
  await withServer(memoryService(), async ({ server, node }) => {
    const token = createClusterToken('secret', systemClock, systemRandom)
    const hello = messages.hello.encode({ version: messages.PROTOCOL_VERSION, node: 'n1', token })
    const list = messages.list.encode(1, { group: 1, limit: 1 })
    list[20] = (list[20] ?? 0) ^ 4
    assert.equal((await converse(server.port, [hello, list])).length, 1)
    await node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10)))
  })
})

test('nobody at the address: unavailable at once, and again when somebody is', async () => {
  const clock = new ManualClock()
  const world = { clock, random: systemRandom, log: silentLog }
  const first = await serveShards({
    ...world,
    service: memoryService(),
    nodeId: 'n1',
    port: 0,
    secret: 'secret',
  })
  await first.close()
  const transport = createNetworkShardTransport({
    ...world,
    secret: 'secret',
    addressOf: (node) => (node === 'n1' ? `127.0.0.1:${first.port}` : undefined),
  })
  const put = putOf(addressOf(1, blobOf(1)), bytesOf(10))
  await rejectsWith(transport.node('n1').put(put), 'unavailable')
  await rejectsWith(transport.node('n7').put(put), 'unavailable')
  const { port } = first
  const second = await serveShards({
    ...world,
    service: memoryService(),
    nodeId: 'n1',
    port,
    secret: 'secret',
  })
  // Still within the backoff: not even tried.
  await rejectsWith(transport.node('n1').put(put), 'unavailable')
  clock.advance(1000)
  await transport.node('n1').put(put)
  transport.close()
  await second.close()
  await rejectsWith(transport.node('n1').put(put), 'unavailable')
})

test('an abort reaches the service', async () => {
  const reached = Promise.withResolvers<AbortSignal | undefined>()
  const service = memoryService({
    get: (_request, signal) => {
      reached.resolve(signal)
      return never()
    },
  })
  await withServer(service, async ({ node, transport }) => {
    const controller = new AbortController()
    const got = node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }, controller.signal)
    const signal = await reached.promise
    controller.abort()
    await rejectsWith(got, 'aborted')
    if (signal?.aborted !== true) await once(signal ?? assert.fail(), 'abort')
    transport.close()
  })
})

test('requests beyond the bounds of the connections wait for their turn and all are served', async () => {
  const service = memoryService()
  await withServer(service, async ({ node }) => {
    const data = bytesOf(SHARD_BYTES_MAX, 3)
    const count = (3 * SHARD_CONNECTION_BYTES_MAX) / SHARD_BYTES_MAX
    await Promise.all(Array.from({ length: count }, (_, i) => node.put(putOf(addressOf(1, blobOf(i)), data))))
    assert.equal(service.held.size, count)
    for (const put of service.held.values()) assert.ok(Buffer.from(data).equals(put.data))
    const gets = await Promise.all(
      Array.from({ length: count }, (_, i) => node.get({ address: addressOf(1, blobOf(i)), epoch: 1 })),
    )
    for (const got of gets) assert.ok(Buffer.from(data).equals(got.data))
  })
})

test('small requests overtake large ones on the same connection', async () => {
  const order: string[] = []
  const service = memoryService({
    async put(request) {
      order.push(`put ${request.address.blob.slice(-1)}`)
    },
    async deleteBlob() {
      order.push('delete')
      return 1
    },
  })
  await withServer(service, async ({ node }) => {
    await node.deleteBlob(1, blobOf(1))
    order.length = 0
    const puts = Array.from({ length: 8 }, (_, i) =>
      node.put(putOf(addressOf(1, blobOf(i)), bytesOf(SHARD_BYTES_MAX))),
    )
    const small = node.deleteBlob(1, blobOf(1))
    await Promise.all([...puts, small])
    assert.equal(order[0], 'delete')
  })
})

test('data that was damaged on the way back is noticed by the reader', async () => {
  const service = memoryService({
    async get() {
      const { data, checksums } = putOf(addressOf(1, blobOf(1)), bytesOf(100))
      data[50] = (data[50] ?? 0) ^ 1
      return { offset: 0, data, checksums, shardBytes: 100 }
    },
  })
  await withServer(service, ({ node }) =>
    rejectsWith(node.get({ address: addressOf(1, blobOf(1)), epoch: 1 }), 'corrupt'),
  )
})

test('a server that closes answers what is in flight and refuses the rest', async () => {
  const gate = Promise.withResolvers<undefined>()
  const entered = Promise.withResolvers<undefined>()
  const service = memoryService({
    async put() {
      entered.resolve(undefined)
      await gate.promise
    },
  })
  await withServer(service, async ({ node, server }) => {
    const put = node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10)))
    await entered.promise
    const closed = server.close()
    const late = node.put(putOf(addressOf(1, blobOf(2)), bytesOf(10)))
    await rejectsWith(late, 'unavailable')
    gate.resolve(undefined)
    await put
    await closed
  })
})
