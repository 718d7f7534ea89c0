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

metadataContract('three processes, split', startSplitCluster)
