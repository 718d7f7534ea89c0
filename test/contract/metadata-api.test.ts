import assert from 'node:assert/strict'
import { startMetadata } from '../../metadata/main.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import { startSplitCluster } from '../metadata/processes/split-cluster.ts'
import { metadataContract } from './metadata-api.ts'
import { metadataConfig, temporaryDirectory, world } from './metadata-service.ts'

metadataContract('in process, in memory', async () => {
  const { api, close } = await startMetadata(metadataConfig(), world)
  return { api, dispose: close }
})

metadataContract('in process, level', async () => {
  const { path, remove } = await temporaryDirectory()
  const { api, close } = await startMetadata(metadataConfig({ engine: 'level', dataDirectory: path }), world)
  return {
    api,
    async dispose() {
      await close()
      await remove()
    },
  }
})

metadataContract('over gRPC', async () => {
  const config = metadataConfig({ listen: true })
  const { address, close } = await startMetadata(config, world)
  assert.ok(address !== undefined)
  const client = new GrpcMetadata({ address, secret: config.secret, ...world })
  return {
    api: client,
    async dispose() {
      await client.close()
      await close()
    },
  }
})

/** What is so of one outbox, of one process, or of a partition that has had its range for a day. */
const OF_ONE_PARTITION = new Set([
  'a pool gets another code: the old one retires, and is removed when every node says that it is empty',
  'each kind of task is read by itself or with the others, in pages of any size, in order and once',
  'repairs that a write owes are queued with it, and counted until they are acknowledged',
  'what no record names is an orphan from a day on, in a bucket or where there is none',
  'what was called an orphan is refused for good',
])

metadataContract('three processes, split', startSplitCluster, OF_ONE_PARTITION)
