/** A storage node that hangs: what the network transport does about it, in how much time. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { emptyFrame } from '../../runtime/rpc/frames.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { serveShards } from '../../runtime/shard-transport/server.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'
import { rejectsWith } from './shard-service.ts'

/** Accepts connections, answers the hello, and says nothing more: a stopped process whose kernel still listens. */
async function silentServer(welcome: boolean): Promise<{ server: Server; sockets: Socket[]; port: number }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    if (welcome) socket.write(emptyFrame('welcome', 0))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { server, sockets, port: address.port }
}

for (const welcome of [true, false]) {
  test(`a node that hangs ${welcome ? 'after' : 'before'} its hello is unavailable in bounded time`, async () => {
    const { server, sockets, port } = await silentServer(welcome)
    const clock = new ManualClock()
    const transport = createNetworkShardTransport({
      clock,
      random: systemRandom,
      log: silentLog,
      secret: 'secret',
      addressOf: () => `127.0.0.1:${port}`,
    })
    const progress = { settled: false }
    const requests = [1, 2, 3].map((blob) =>
      rejectsWith(
        transport.node('n1').put(putOf(addressOf(1, blobOf(blob)), bytesOf(SHARD_BYTES_MAX))),
        'unavailable',
      ),
    )
    const all = Promise.all(requests).then(() => {
      progress.settled = true
    })
    // Time passes only between turns of the event loop, which is all that the sockets of this process need.
    let passed = 0
    while (!progress.settled) {
      await new Promise(setImmediate)
      if (sockets.length === 0) continue
      clock.advance(100)
      passed += 100
    }
    await all
    assert.ok(passed < 10_000, `${passed} ms`)
    transport.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

test('an aborted put settles in bounded time when its data cannot leave the socket, and data is not read after', async () => {
  const { server, sockets, port } = await silentServer(true)
  const clock = new ManualClock()
  const transport = createNetworkShardTransport({
    clock,
    random: systemRandom,
    log: silentLog,
    secret: 'secret',
    addressOf: () => `127.0.0.1:${port}`,
  })
  const controller = new AbortController()
  const data = new Uint8Array(SHARD_BYTES_MAX)
  const puts = Array.from({ length: 12 }, (_, i) =>
    transport.node('n1').put(putOf(addressOf(1, blobOf(i)), data), controller.signal),
  )
  const settled = Promise.allSettled(puts)
  while (sockets.length === 0) await new Promise(setImmediate)
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  controller.abort()
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  clock.advance(300)
  for (const outcome of await settled) assert.equal(outcome.status, 'rejected')
  data.fill(0xee)
  // What the kernel holds for the node, read to the end, has nothing of the new content.
  const heard: Buffer[] = []
  const closed = sockets.map(async (socket) => {
    socket.on('data', (piece: Buffer) => heard.push(piece))
    await once(socket, 'close')
  })
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  transport.close()
  await Promise.all(closed)
  assert.ok(Buffer.concat(heard).byteLength > SHARD_BYTES_MAX)
  assert.equal(Buffer.concat(heard).indexOf(Buffer.alloc(16, 0xee)), -1)
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('while this process itself stood still, no node is taken for dead', async (t) => {
  const clock = new ManualClock()
  const world = { clock, random: systemRandom, log: silentLog }
  const node = await StorageNode.open(
    { nodeId: 'n1', zone: 'z' },
    { ...world, clock: systemClock, disk: new MemoryDisk(), index: new MemoryIndex() },
  )
  const server = await serveShards({ ...world, service: node, nodeId: 'n1', port: 0, secret: 'secret' })
  const transport = createNetworkShardTransport({
    ...world,
    secret: 'secret',
    addressOf: () => `127.0.0.1:${server.port}`,
  })
  t.after(async () => {
    transport.close()
    await server.close()
    await node.close()
  })
  for (const blob of [1, 2]) {
    // The first waits for the hello, the second for its answer.
    const put = transport.node('n1').put(putOf(addressOf(1, blobOf(blob)), bytesOf(5000)))
    clock.standStill(20_000)
    await put
  }
})
