import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { EngineNotEmptyError } from '../backup/restore.ts'
import { defaultPools, firstMap } from '../cluster/bootstrap.ts'
import { openFormat } from '../cluster/format.ts'
import { MemoryEngine } from '../engine/memory.ts'
import type { FoundBlob } from './fact.ts'
import { MetadataRebuild } from './rebuild.ts'

const ports = { clock: systemClock, random: systemRandom }

function found(key: string, n: number): FoundBlob {
  const id = n.toString(16).padStart(12, '0').padEnd(32, '1')
  const position = { bucket: 'b', key, version: id, annotation: '', part: 0, blob: id }
  return { position, record: { id, size: 5n, code: 'rs-4-2', group: 65_536 }, readable: true }
}

const options = {
  map: firstMap('id', { nodes: [{ id: 'n', zone: 'z', weight: 1 }], pools: defaultPools() }),
  owner: 'owner',
  storageClassOf: () => 'STANDARD',
  unversioned: () => false,
  partBytesMin: 5n,
}

test('no service starts on half a rebuild; the next one begins anew, and leaves only records', async () => {
  const engine = new MemoryEngine()
  const first = await MetadataRebuild.begin(engine, ports)
  await first.add(Array.from({ length: 5000 }, (_, n) => found(`stale${n}`, n + 1)))
  await assert.rejects(openFormat(engine), /interrupted/)
  const second = await MetadataRebuild.begin(engine, ports)
  await second.add([found('k', 7), found('k', 9), found('l', 3)])
  const counts = await second.finish(options)
  assert.deepEqual([counts.buckets, counts.objects, counts.blobs], [1, 3, 3])
  await openFormat(engine)
  const entries = await engine.scan({ gte: Uint8Array.of(0), lt: Uint8Array.of(0xff), limit: 1000 })
  const spaces = entries.map(({ key }) => key[0]?.toString(16))
  // Format and restores, map, reserves, the bucket twice, two current objects and an older version.
  assert.deepEqual(spaces, ['1', '1', '3', '4', '5', '10', '11', '20', '20', '26'])
  // The first, should it still run, writes nothing any more.
  await assert.rejects(first.finish(options))
  await assert.rejects(MetadataRebuild.begin(engine, ports), EngineNotEmptyError)
})
