import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { startMetadata } from '../../metadata/main.ts'
import { BUCKET, get } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url))

/** Runs the writer until it has acknowledged `count` commits, kills it, and gives all that it acknowledged. */
async function writeAndKill(directory: string, run: number, count: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [WRITER, directory, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const acknowledged = new Map<string, number>()
  let lines = 0
  for await (const line of createInterface(child.stdout)) {
    const [key = '', , index = ''] = line.split(' ')
    acknowledged.set(key, Number(index))
    if (++lines === count) child.kill('SIGKILL')
  }
  const [code, signal] = (await exited) as [number | null, string | null]
  assert.deepEqual([code, signal], [null, 'SIGKILL'])
  return acknowledged
}

test('kill -9 during commits: every acknowledged commit is there, and the backlog is counted right', async () => {
  const { path, remove } = await temporaryDirectory()
  for (let run = 0; run < 4; run++) {
    const acknowledged = await writeAndKill(path, run, 100 + run * 173)
    const { api, node, close } = await startMetadata(
      metadataConfig({ engine: 'level', dataDirectory: path }),
      world,
    )
    assert.ok(acknowledged.size > 0)
    for (const [key, index] of acknowledged) {
      const object = await get(api, key)
      assert.ok(object !== undefined, key)
      const writer = key.split('/')[0] ?? ''
      const version = object.version.replace(/^0+/, '') || '0'
      const prefix = `${run}${writer}`.replace(/^0+/, '')
      assert.ok(version.startsWith(prefix), `${key} is of another run: ${version}`)
      // A later commit may have become durable without having been acknowledged; an earlier one may not be back.
      assert.ok(Number(version.slice(prefix.length)) >= index, `${key}: ${version} is older than ${index}`)
    }
    // Each overwrite made one garbage task in the same batch as itself: as many as there are commits beyond the first.
    let count = 0n
    for (let after = 0n; ;) {
      const { records } = await api.call('readOutbox', { after, limit: 1000 })
      const last = records.at(-1)
      if (last === undefined) break
      count += BigInt(records.length)
      after = last.sequence
    }
    await Promise.all(node.host.served.map(({ partition }) => partition.counted))
    assert.equal((await api.call('getCluster', {})).outboxBacklog, count)
    const { objects } = await api.call('listObjects', { bucket: BUCKET, limit: 1000 })
    assert.ok(objects.length >= acknowledged.size)
    await close()
  }
  await remove()
})
