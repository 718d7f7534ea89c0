import assert from 'node:assert/strict'
import test from 'node:test'
import { NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../../core/limits.ts'
import { startMetadata } from '../../metadata/main.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

test('during a partition the ledger goes on answering by what was reported last, and tells what could come back', async () => {
  const clock = new ManualClock()
  const { api, close } = await startMetadata(metadataConfig(), { ...world, clock })
  const { map } = await api.call('getCluster', {})
  const beat = async (nodes: readonly string[]): Promise<void> => {
    for (const node of nodes) {
      const lines = (map?.pools ?? []).flatMap(({ groups }) =>
        groups.flatMap((group) =>
          group.slots.flatMap((slot, shard) =>
            slot.node === node ? [{ group: group.id, shard, blobs: 4n }] : [],
          ),
        ),
      )
      await api.call('heartbeat', {
        node: { node },
        zone: node.slice(0, 1),
        inventory: { version: 1n, lines },
      })
    }
  }
  const pass = async (nodes: readonly string[]): Promise<void> => {
    for (let passed = 0; passed <= 2 * NODE_LEASE_MS; passed += NODE_HEARTBEAT_MS) {
      clock.advance(NODE_HEARTBEAT_MS)
      await beat(nodes)
    }
  }
  const risk = async () => {
    const { pools, silent } = await api.call('getRisk', {})
    const { blobs, spare, zones } = pools[0] ?? assert.fail('no pool')
    return {
      silent,
      blobs,
      spare: spare.map((line) => [line.spare, line.blobs]),
      zones: zones.map(({ zone, unreadable, lost }) => [zone, unreadable, lost]),
    }
  }
  const all = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
  await pass(all)
  await pass(all.slice(2))
  // Zone a is away: without it nothing is to spare, but its disks are where they were.
  assert.deepEqual(await risk(), {
    silent: [],
    blobs: 32n,
    spare: [[0, 32n]],
    zones: [
      ['a', 0n, 0n],
      ['b', 32n, 0n],
      ['c', 32n, 0n],
    ],
  })
  // Everybody is: nobody knows whether it is they or this service, and what was known of them stands.
  clock.advance(4 * NODE_LEASE_MS)
  assert.equal((await risk()).blobs, 32n)
  await pass(all)
  assert.deepEqual((await risk()).spare, [[2, 32n]])
  await close()
})
