/** A client of the one process that has all of metadata, in this program: it goes by no map as long as there is one partition. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryEngine } from '../../../metadata/engine/memory.ts'
import { startOn } from '../../../metadata/main.ts'
import { RoutedMetadata } from '../../../runtime/metadata-client/routed.ts'
import { BUCKET, createBucket, get, put } from '../../contract/metadata-requests.ts'
import { metadataConfig, world } from '../../contract/metadata-service.ts'

test('after a split a listing has all there is, and after a merge too', async () => {
  const { api, close } = await startOn(new MemoryEngine(), metadataConfig(), world)
  const seeds = [{ id: '', address: '' }]
  const routed = new RoutedMetadata({ seeds, connect: () => api, ...world })
  const keys = async () =>
    (await routed.call('listObjects', { bucket: BUCKET, limit: 10 })).objects.map(({ key }) => key)
  await createBucket(routed)
  for (const key of ['a', 'b', 'c', 'd']) await put(routed, key)
  assert.deepEqual(await keys(), ['a', 'b', 'c', 'd'])
  // Asked of the process itself, so that the client is not told.
  const split = { case: 'split', value: { id: 1n, at: { bucket: BUCKET, key: 'c' } } } as const
  await api.call('changePartitions', { change: split })
  assert.equal((await get(routed, 'd'))?.key, 'd')
  assert.deepEqual(await keys(), ['a', 'b', 'c', 'd'])
  await put(routed, 'e')
  assert.deepEqual(await keys(), ['a', 'b', 'c', 'd', 'e'])
  await api.call('changePartitions', { change: { case: 'merge', value: { left: 1n } } })
  assert.deepEqual(await keys(), ['a', 'b', 'c', 'd', 'e'])
  await routed.close()
  await close()
})
