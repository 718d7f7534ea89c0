import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { CommandError } from '../failure.ts'
import { readClusterFile, writeClusterFile, type ClusterFile } from '../folder/cluster-file.ts'
import { dataPaths } from '../folder/paths.ts'
import { placeMetadata } from './metadata-place.ts'

const CLUSTER: ClusterFile = {
  format: 2,
  clusterId: '0'.repeat(32),
  made: { zones: 1, nodesPerZone: 1, code: 'replica-1' },
  zones: { 'zone-a': ['zone-a-1'] },
  ports: { metadata: 20_000, admin: 20_001, nodes: { 'zone-a-1': 20_002 } },
}
const ENGINE = 'postgres://me:secret@host/db'

async function newFolder(t: TestContext) {
  const data = await mkdtemp(join(tmpdir(), 'ashlar-place-'))
  t.after(() => rm(data, { recursive: true }))
  const paths = dataPaths(data)
  await writeClusterFile(paths.cluster, CLUSTER)
  return {
    paths,
    async place(engine?: string) {
      const cluster = (await readClusterFile(paths.cluster)) ?? CLUSTER
      return await placeMetadata({ paths, cluster }, { data, engine })
    },
    async embedded() {
      await mkdir(paths.metadata, { recursive: true })
      await writeFile(join(paths.metadata, 'CURRENT'), '')
    },
    nodes: () => mkdir(paths.node('zone-a-1'), { recursive: true }),
  }
}

function refused(message: RegExp) {
  return (error: unknown) =>
    error instanceof CommandError && message.test(error.message) && !error.hints.join().includes('secret')
}

test('a cluster in its folder is not started on an engine, unless its metadata was moved away', async (t) => {
  const { paths, place, embedded, nodes } = await newFolder(t)
  assert.equal((await place()).existing, false)
  await embedded()
  await nodes()
  assert.equal((await place()).existing, true)
  await assert.rejects(place(ENGINE), refused(/lies in its folder, not in an engine/))
  await rename(paths.metadata, `${paths.metadata}.moved`)
  await assert.rejects(place(), refused(/is gone/))
  const moved = await place(ENGINE)
  assert.equal(moved.existing, true)
  await moved.remember()
  assert.equal((await readClusterFile(paths.cluster))?.metadata, 'engine')
})

test('a cluster in an engine is not started without one, even where its old metadata still lies in the folder', async (t) => {
  const { paths, place, embedded, nodes } = await newFolder(t)
  const first = await place(ENGINE)
  assert.equal(first.existing, false)
  await first.remember()
  // A first start that was given up before anything could be stored may go on otherwise.
  assert.equal((await place()).existing, false)
  await nodes()
  await embedded()
  await assert.rejects(place(), refused(/lies in an engine, not in its folder/))
  assert.equal((await place(ENGINE)).existing, true)
  assert.deepEqual(await readClusterFile(paths.cluster), { ...CLUSTER, metadata: 'engine' })
})
