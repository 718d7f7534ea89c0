/** A real index on a disk that is full for a while. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { READ_ONLY_PROBE_MS } from '../../core/limits.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { ReopeningNode } from '../../storage-node/reopening-node.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

const one = (blob: number) => addressOf(1, blobOf(blob))

/** All files that LevelDB might make next have no room. */
async function fill(folder: string): Promise<string[]> {
  const highest = Math.max(
    ...(await readdir(folder)).map((name) => Number.parseInt(name.replace(/^\D*/, ''), 10) || 0),
  )
  const paths = Array.from({ length: 30 }, (_, i) => {
    return join(folder, `${String(highest + 1 + i).padStart(6, '0')}.ldb`)
  })
  for (const path of paths) await symlink('/dev/full', path)
  return paths
}

test(
  'a node whose index could not be written out on a full disk takes writes again once there is room, with all it had',
  // There is no such device elsewhere.
  { skip: process.platform !== 'linux' },
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'ashlar-full-index-'))
    const folder = join(root, 'index')
    const disk = new MemoryDisk()
    const clock = new ManualClock()
    const open = async (): Promise<ReopeningNode> => {
      const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 10_000 }
      const ports = { disk, clock, random: systemRandom, log: silentLog }
      return await ReopeningNode.open({
        ...options,
        ...ports,
        open: async () => StorageNode.open(options, { ...ports, index: await openLevelIndex(folder) }),
      })
    }
    try {
      const node = await open()
      const put = (blob: number): Promise<void> => node.put(putOf(one(blob), bytesOf(3000, blob)))
      for (let blob = 0; blob < 3; blob++) await put(blob)
      const full = await fill(folder)
      let taken = 3
      await assert.rejects(
        async () => {
          for (; taken < 100; taken++) {
            await put(taken)
            await node.deleteBlob(1, blobOf(taken))
          }
        },
        { code: 'read-only', message: /No space left/ },
      )
      assert.match((await node.status()).reason, /No space left/)
      assert.equal((await node.get({ address: one(0), epoch: 1 })).shardBytes, 3000)
      for (const path of full) await rm(path, { force: true })
      for (let probes = 0; probes < 3; probes++) {
        clock.advance(60 * READ_ONLY_PROBE_MS)
        await node.recheck()
        await node.idle()
      }
      assert.equal((await node.status()).reason, '')
      for (let blob = 100; blob < 103; blob++) await put(blob)
      const check = async (of: ReopeningNode): Promise<void> => {
        const { shards } = await of.list({ group: 1, limit: 1000 })
        const blobs = shards.map(({ address }) => Number(`0x${address.blob}`))
        // Whether the last was deleted is open.
        assert.deepEqual(
          blobs.filter((blob) => blob !== taken),
          [0, 1, 2, 100, 101, 102],
        )
        for (const { address } of shards) await of.get({ address, epoch: 1 })
        assert.equal((await of.status()).shards, shards.length)
      }
      await check(node)
      await node.close()
      const again = await open()
      await check(again)
      await again.close()
    } finally {
      await rm(root, { recursive: true })
    }
  },
)
