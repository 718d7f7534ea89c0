import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { serveShards } from '../../runtime/shard-transport/server.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode, type StorageNodePorts } from '../../storage-node/node.ts'
import { unhurried } from '../store/cluster.ts'
import { type ShardServiceFixture, shardServiceContract } from './shard-service.ts'

const world = { clock: systemClock, random: systemRandom, log: silentLog }

async function overNode(ports: Pick<StorageNodePorts, 'disk' | 'index'>): Promise<ShardServiceFixture> {
  const node = await StorageNode.open({ nodeId: 'n1', zone: 'a' }, { ...world, ...ports })
  const transport = createInProcessShardTransport((id) => (id === 'n1' ? node : undefined))
  return { service: transport.node('n1'), close: () => node.close() }
}

shardServiceContract('memory disk, in process', () =>
  overNode({ disk: new MemoryDisk(), index: new MemoryIndex() }),
)

shardServiceContract('real disk, in process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-shards-'))
  const index = await openLevelIndex(join(folder, 'index'))
  const { service, close } = await overNode({ disk: createNodeDisk(folder), index })
  return {
    service,
    async close() {
      await close()
      await rm(folder, { recursive: true })
    },
  }
})

shardServiceContract('over the network', async () => {
  const { service, close } = await overNode({ disk: new MemoryDisk(), index: new MemoryIndex() })
  const server = await serveShards({ ...world, service, nodeId: 'n1', port: 0, secret: 'secret' })
  const addressOf = (): string => `127.0.0.1:${server.port}`
  // An aborted request that a busy machine keeps in the socket would cost its connection, and all others on it.
  const transport = createNetworkShardTransport({ ...unhurried, addressOf, secret: 'secret' })
  return {
    service: transport.node('n1'),
    async close() {
      transport.close()
      await server.close()
      await close()
    },
  }
})
