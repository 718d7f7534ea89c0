/** A storage node as a real process on a real folder: killed, damaged, started twice. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ShardError, type ShardService } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

const world = { clock: systemClock, random: systemRandom, log: silentLog }
const WORKER = fileURLToPath(new URL('storage-node-worker.ts', import.meta.url))

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-node-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function openNode(folder: string, checkpointBytes?: number): Promise<StorageNode> {
  const index = await openLevelIndex(join(folder, 'index'))
  const options = { nodeId: 'n1', zone: 'a', ...(checkpointBytes === undefined ? {} : { checkpointBytes }) }
  return await StorageNode.open(options, { ...world, disk: createNodeDisk(folder), index })
}

interface Running {
  readonly child: ChildProcess
  readonly service: ShardService
  close(): void
}

async function start(folder: string, clock: Clock = systemClock): Promise<Running> {
  const child = spawn(process.execPath, [WORKER, folder, 'secret'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const address = String(await once(child.stdout ?? assert.fail(), 'data')).trim()
  const transport = createNetworkShardTransport({
    ...world,
    clock,
    secret: 'secret',
    addressOf: () => address,
  })
  return {
    child,
    service: transport.node('n1'),
    close() {
      transport.close()
    },
  }
}

const sizeOf = (blob: number): number => (blob % 5 === 0 ? 200_000 : (blob * 37) % 9000)

test('kill -9 under load, three times: every acknowledged put is there whole, every acknowledged delete stays', async () => {
  await inFolder(async (folder) => {
    const put = new Set<number>()
    const deleted = new Set<number>()
    let next = 0
    for (let round = 0; round < 3; round++) {
      const { child, service, close } = await start(folder)
      const exited = once(child, 'exit')
      let acknowledged = 0
      const client = async (): Promise<void> => {
        for (;;) {
          const blob = next++
          await service.put(putOf(addressOf(1, blobOf(blob)), bytesOf(sizeOf(blob), blob)))
          put.add(blob)
          if (blob % 4 === 1) {
            put.delete(blob)
            await service.deleteBlob(1, blobOf(blob))
            deleted.add(blob)
          }
          // In the middle of what the others are doing.
          if (++acknowledged === 150) child.kill('SIGKILL')
        }
      }
      const outcomes = await Promise.allSettled(Array.from({ length: 16 }, client))
      for (const outcome of outcomes) {
        assert.ok(outcome.status === 'rejected' && outcome.reason instanceof ShardError)
        assert.equal(outcome.reason.code, 'unavailable')
      }
      await exited
      close()
      const node = await openNode(folder)
      for (const blob of put) {
        const { data } = await node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
        assert.ok(Buffer.from(bytesOf(sizeOf(blob), blob)).equals(data), `blob ${blob}`)
      }
      for (const blob of deleted) {
        await assert.rejects(node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 }), {
          code: 'not-found',
        })
      }
      // Whatever else is there, unacknowledged, is whole too.
      let after
      for (let truncated = true; truncated;) {
        const page = await node.list({ group: 1, limit: 100, ...(after === undefined ? {} : { after }) })
        for (const { address, bytes } of page.shards) {
          assert.equal((await node.get({ address, epoch: 1 })).shardBytes, bytes)
        }
        after = page.shards.at(-1)?.address
        truncated = page.truncated
      }
      await node.close()
    }
    assert.ok(put.size > 300 && deleted.size > 50)
  })
})

/** Twenty seconds in one. */
const fastClock: Clock = {
  ...systemClock,
  monotonicMs: () => 20 * systemClock.monotonicMs(),
  after: (ms, run) => systemClock.after(ms / 20, run),
}

test('a stopped process (SIGSTOP) is unavailable, and serves again when it goes on', async () => {
  await inFolder(async (folder) => {
    const { child, service, close } = await start(folder, fastClock)
    const exited = once(child, 'exit')
    const put = (blob: number): Promise<void> => service.put(putOf(addressOf(1, blobOf(blob)), bytesOf(1000)))
    async function putUntilDone(blob: number): Promise<void> {
      for (let done = false; !done;) {
        // On the fast clock a busy machine is as good as a dead one.
        done = await put(blob).then(
          () => true,
          (error: unknown) => !(error instanceof ShardError && error.code === 'unavailable'),
        )
        if (!done) await systemClock.sleep(10)
      }
    }
    await putUntilDone(1)
    child.kill('SIGSTOP')
    await assert.rejects(put(2), { code: 'unavailable' })
    await assert.rejects(put(2), { code: 'unavailable' })
    child.kill('SIGCONT')
    await putUntilDone(3)
    await service.get({ address: addressOf(1, blobOf(3)), epoch: 1 })
    close()
    child.kill('SIGKILL')
    await exited
  })
})

test('a folder in use is refused, and free again when its user is gone', async () => {
  await inFolder(async (folder) => {
    const node = await openNode(folder)
    await assert.rejects(openNode(folder), /in use by another process/)
    await node.put(putOf(addressOf(1, blobOf(1)), bytesOf(10)))
    await node.close()
    const again = await openNode(folder)
    assert.equal((await again.status()).shards, 1)
    await again.close()
  })
})

async function filled(folder: string): Promise<void> {
  const node = await openNode(folder, 20_000)
  for (let blob = 0; blob < 100; blob++) {
    await node.put(putOf(addressOf(1, blobOf(blob)), bytesOf(1000, blob)))
  }
  await node.deleteBlob(1, blobOf(50))
  await node.close()
}

async function assertWhole(node: StorageNode, what: string): Promise<void> {
  for (let blob = 0; blob < 100; blob++) {
    const got = node.get({ address: addressOf(1, blobOf(blob)), epoch: 1 })
    if (blob === 50) await assert.rejects(got, { code: 'not-found' }, what)
    else assert.ok(Buffer.from(bytesOf(1000, blob)).equals((await got).data), `${what}: blob ${blob}`)
  }
  assert.equal((await node.status()).shards, 99, what)
}

test('an index that is gone is built from the segments', async () => {
  await inFolder(async (folder) => {
    await filled(folder)
    await rm(join(folder, 'index'), { recursive: true })
    const node = await openNode(folder)
    await assertWhole(node, 'no index')
    await node.close()
  })
})

test('an index that is damaged, in any of its files, is built from the segments', async () => {
  await inFolder(async (folder) => {
    await filled(folder)
    const index = join(folder, 'index')
    const files = (await readdir(index)).filter((name) => !/^LO(CK|G)/.test(name))
    assert.ok(files.some((name) => name.endsWith('.ldb')))
    for (const name of files) {
      const file = await open(join(index, name), 'r+').catch(() => undefined)
      // Gone since: the start before this one built the index anew.
      if (file === undefined) continue
      const { size } = await file.stat()
      for (const share of [0.02, 0.3, 0.6]) {
        const at = Math.floor(size * share)
        const bytes = Buffer.alloc(Math.min(16, size - at))
        await file.read(bytes, 0, bytes.byteLength, at)
        await file.write(
          bytes.map((byte) => byte ^ 0x55),
          0,
          bytes.byteLength,
          at,
        )
      }
      await file.close()
      const node = await openNode(folder)
      await assertWhole(node, `${name} damaged`)
      await node.close()
    }
  })
})
