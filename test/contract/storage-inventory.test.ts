/** The inventory of a storage node against a plain count of what it holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { diskError, MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { InventoryCount } from '../../storage-node/index/shard-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

const GROUPS = [3, 4]

async function open(disk: MemoryDisk, index: MemoryIndex): Promise<StorageNode> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 3000, checkpointBytes: 5000 }
  const ports = { clock: systemClock, random: systemRandom, log: silentLog }
  return await StorageNode.open(options, { ...ports, disk, index })
}

/** By the definition: shards of stripe 0 that are not known to be damaged. */
async function recount(node: StorageNode): Promise<InventoryCount[]> {
  const counts = new Map<string, InventoryCount>()
  for (const group of GROUPS) {
    const { shards, truncated } = await node.list({ group, limit: 1000 })
    assert.ok(!truncated)
    for (const { address, damaged } of shards) {
      if (damaged || address.stripe !== 0) continue
      const name = `${group}/${address.shard}`
      const blobs = 1 + (counts.get(name)?.blobs ?? 0)
      counts.set(name, { group, shard: address.shard, blobs })
    }
  }
  return [...counts.values()].toSorted((a, b) => a.group - b.group || a.shard - b.shard)
}

const address = fc
  .record({ group: fc.constantFrom(...GROUPS), blob: fc.nat(3), stripe: fc.nat(1), shard: fc.nat(1) })
  .map(({ group, blob, stripe, shard }): ShardAddress => addressOf(group, blobOf(blob), stripe, shard))

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), address }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), address }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('damage' as const), address }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('close', 'crash', 'rebuild'), address }) },
)

test('after puts, deletes, damage and restarts the inventory is what a plain count finds', async () => {
  let seen = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.double({ min: 0, max: 1 }),
      async (steps, share) => {
        let disk = new MemoryDisk()
        let index = new MemoryIndex()
        let node = await open(disk, index)
        for (const { do: what, address: at } of steps) {
          const { version } = node.inventory()
          const before = node.inventory().counts
          if (what === 'put') await node.put(putOf(at, bytesOf(300, 1)))
          else if (what === 'delete') await node.deleteBlob(at.group, at.blob)
          else if (what === 'damage') {
            disk.before = ({ kind }) => {
              if (kind === 'read') throw diskError('EIO')
            }
            await node.get({ address: at, epoch: 1 }).catch(() => undefined)
            disk.before = undefined
          } else {
            if (what === 'close') await node.close()
            if (what === 'crash') index = index.afterCrash(share)
            if (what === 'rebuild') index = new MemoryIndex()
            if (what !== 'close') disk = disk.restart()
            node = await open(disk, index)
          }
          await node.damaged({ limit: 1 })
          const counted = await recount(node)
          const { counts, version: after } = node.inventory()
          assert.deepEqual(counts, counted, what)
          assert.deepEqual(
            (await index.inventory()).toSorted((a, b) => a.group - b.group || a.shard - b.shard),
            counted,
          )
          if (version < after && after < version + 100) continue
          // Nothing changed, or the node was started anew and tells another version.
          if (version === after) assert.deepEqual(counts, before)
          else assert.ok(['close', 'crash', 'rebuild'].includes(what))
          seen++
        }
      },
    ),
  )
  assert.ok(seen > 0)
})

test('an inventory that is wrong in the index is put right at the next start', async () => {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const node = await open(disk, index)
  for (const blob of [1, 2]) await node.put(putOf(addressOf(3, blobOf(blob), 0, 1), bytesOf(100)))
  await node.close()
  const inventory = [
    { group: 3, shard: 1, blobs: 7 },
    { group: 9, shard: 0, blobs: 1 },
  ]
  await index.write({ put: [], remove: [], uses: [], inventory })
  const again = await open(disk, index)
  assert.deepEqual(again.inventory().counts, [{ group: 3, shard: 1, blobs: 2 }])
  assert.deepEqual(await index.inventory(), [{ group: 3, shard: 1, blobs: 2 }])
})
