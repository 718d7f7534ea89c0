/** The store over real storage nodes, real metadata and worker threads: what the fakes promise, the real ones keep. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { DigestName } from '../../store/api.ts'
import { createStore } from '../../store/store.ts'
import { bytesOf, collect, contentOf, putRequest } from '../../store/testing/harness.ts'
import { startCluster, unhurried, type RealClusterOptions } from './cluster.ts'

const MIB = 1024 * 1024
const SIZES = [0, 1, 32_768, 32_769, 300_000, 4 * MIB, 21 * MIB + 4567]

for (const options of [
  { disk: 'memory', network: false },
  { disk: 'files', network: true },
] satisfies RealClusterOptions[]) {
  const how = `${options.disk === 'files' ? 'real files' : 'memory'}, ${options.network ? 'over the network' : 'in process'}`
  for (const computeWorkers of [0, 2]) {
    test(`objects are written and read back: ${how}, ${computeWorkers} threads`, async (t) => {
      const cluster = await startCluster(options)
      const store = createStore({ ...unhurried, ...cluster, settings: { computeWorkers } })
      t.after(async () => {
        await store.close()
        await cluster.close()
      })
      const digests: DigestName[] = ['MD5', 'CRC64NVME']
      const put = async (size: number) => {
        const bytes = bytesOf(size, size + 1)
        const content = contentOf(bytes, { digests })
        const record = await store.putObject(putRequest(`key-${size}`, content))
        assert.equal(record.etag, createHash('md5').update(bytes).digest('hex'))
        return { bytes, record }
      }
      const read = async ({ bytes, record }: Awaited<ReturnType<typeof put>>) => {
        const got = await collect(store.readObject(record, { start: 0, end: bytes.length }))
        assert.ok(got.equals(bytes), `${bytes.length} bytes`)
      }
      const before = await Promise.all(SIZES.map(put))
      for (const { record } of before) assert.deepEqual(record.blob?.relocations ?? [], [])
      await Promise.all(before.map(read))
      for (const zone of ['a', 'b', 'c']) {
        await cluster.setDown([`${zone}1`, `${zone}2`])
        await Promise.all(before.map(read))
        const during = await Promise.all(SIZES.map(put))
        await Promise.all(during.map(read))
        await cluster.setDown([])
        await Promise.all([...before, ...during].map(read))
      }
      await store.close()
      assert.equal(store.cluster().memory.readBytesUsed, 0)
      assert.equal(store.cluster().memory.writeBytesUsed, 0)
    })
  }
}

test('uploads given up half way leave no shards on the nodes', async (t) => {
  const cluster = await startCluster({ disk: 'memory', network: true })
  const store = createStore({ ...unhurried, ...cluster, settings: { computeWorkers: 1 } })
  t.after(() => cluster.close())
  const uploads = Array.from({ length: 8 }, async (_, i) => {
    const controller = new AbortController()
    let given = 0
    const bytes = bytesOf(12 * MIB, i)
    const content = contentOf(bytes, { chunkBytes: 256 * 1024 })
    async function* counted() {
      for await (const chunk of content.bytes) {
        given += chunk.length
        if (given > (i + 1) * MIB) controller.abort()
        yield chunk
      }
    }
    const request = putRequest(`key-${i}`, { ...content, bytes: counted() })
    await assert.rejects(store.putObject(request, controller.signal), { name: 'AbortError' })
  })
  await Promise.all(uploads)
  await store.close()
  assert.equal(store.cluster().memory.writeBytesUsed, 0)
  for (const id of ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']) {
    assert.equal((await cluster.shards.node(id).status()).shards, 0, id)
  }
})
