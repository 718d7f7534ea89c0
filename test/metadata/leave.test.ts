import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import type { ConnectPeer } from '../../metadata/host/peers.ts'
import { type RunningMetadata, startOn } from '../../metadata/main.ts'
import { RoutedMetadata } from '../../runtime/metadata-client/routed.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { createVersioned, Writers } from './engine-move.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

/** An engine that outlives the services on it, as a server does. */
class KeptEngine extends MemoryEngine {
  override async close(): Promise<void> {}
}

test('processes that are restarted one after another give away what they own first: no request fails', async () => {
  const engine = new KeptEngine()
  const running = new Map<string, RunningMetadata>()
  const apiOf = (id: string): MetadataApi => ({
    call: async (operation, request, signal) => {
      const found = running.get(id)
      assert.ok(found !== undefined, `${id} is asked, which runs no more`)
      return await found.api.call(operation, request, signal)
    },
  })
  const connectPeer: ConnectPeer = ({ id }) => ({ api: apiOf(id), close: async () => undefined })
  const start = async (id: string): Promise<void> => {
    running.set(id, await startOn(engine, metadataConfig({ shared: true, nodeId: id, connectPeer }), world))
  }
  const stop = async (id: string): Promise<void> => {
    await running.get(id)?.close()
    running.delete(id)
  }
  await start('first')
  const api = new RoutedMetadata({
    seeds: ['first', 'second'].map((id) => ({ id, address: '' })),
    connect: ({ id }) => apiOf(id),
    clock: world.clock,
    random: world.random,
  })
  await createVersioned(api)
  for (const key of ['1/', '2/']) {
    const { map } = await api.call('getPartitions', { fresh: true })
    const id = map?.partitions.at(-1)?.id ?? 0n
    await api.call('changePartitions', {
      change: { case: 'split', value: { id, at: { bucket: 'bucket', key } } },
    })
  }
  const writers = new Writers(api)
  writers.start(4, 8)
  await writers.until(40)
  await start('second')
  await stop('first')
  const owners = () => running.get('second')?.node.maps.map.partitions.map(({ owner }) => owner)
  assert.deepEqual(owners(), ['second', 'second', 'second'])
  assert.equal(running.get('second')?.node.maps.map.rootOwner, 'second')
  await writers.until(40)
  await start('first')
  await stop('second')
  assert.deepEqual(
    running.get('first')?.node.maps.map.partitions.map(({ owner }) => owner),
    ['first', 'first', 'first'],
  )
  await writers.until(40)
  await writers.stop()
  assert.equal(writers.unknown, 0)
  await writers.check(api)
  await api.close()
  await stop('first')
})
