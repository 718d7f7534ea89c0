import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { readClusterFile } from '../../cli/folder/cluster-file.ts'
import { startCluster, type Cluster } from './harness.ts'
import { get, Ledger, startLoad } from './load.ts'
import type { Lifetime } from './lifetime.ts'
import { runAshlar } from './processes.ts'

const BUCKET = 'recover'

/** Writes, and resolves to the ledger with the keys that were acknowledged before a moment up to which all was shipped. */
async function writeAndShip(t: Lifetime, cluster: Cluster): Promise<{ ledger: Ledger; kept: string[] }> {
  const client = cluster.client(0, 1)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const ledger = new Ledger()
  const first = startLoad(t, [client], BUCKET, ledger, { writers: 3, readers: 0, endAtFailure: true })
  await first.progress(20)
  await first.stop()
  await cluster.statusIs(
    ({ journal }) =>
      typeof journal?.baseAt === 'string' &&
      journal.waitingBytes === 0 &&
      journal.secondsBehind === 0 &&
      // What was put while the nodes came up has its three copies.
      journal.reason === '',
  )
  // Written once each: what comes after does not change them.
  const kept = ledger.acknowledgedKeys().filter((key) => !key.includes('again'))
  const second = startLoad(t, [client], BUCKET, ledger, { writers: 3, readers: 0, endAtFailure: true })
  await second.progress(10)
  await cluster.killEverything()
  await second.stop()
  return { ledger, kept }
}

test('the metadata folder is lost: it is recovered from the nodes, and all that was shipped is read back', async (t) => {
  const cluster = await startCluster(t)
  const { ledger, kept } = await writeAndShip(t, cluster)
  const held = await cluster.command('metadata', 'recover')
  assert.deepEqual([held.code, held.stderr.includes('is not empty')], [1, true])
  await rm(cluster.paths.metadata, { recursive: true })
  // One node is lost with it.
  await rm(cluster.paths.node('zone-a-1'), { recursive: true })

  const refused = await cluster.command('start', '--port', new URL(cluster.endpoints[0] ?? '').port)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /metadata of the cluster in .* is gone.*ashlar metadata recover/s)
  const recovered = await cluster.command('metadata', 'recover')
  assert.equal(recovered.code, 0, recovered.stderr)
  assert.match(recovered.stdout, /is in .* again, up to 20/)

  await cluster.startAgain()
  assert.ok(kept.length >= 10)
  const client = cluster.client()
  for (const key of kept) ledger.check(key, await get(client, BUCKET, key))
  const { restores, journal } = await cluster.status()
  assert.equal(restores.length, 1)
  assert.notEqual(journal, null)
})

test('with processes of their own, running storage nodes give the metadata back', async (t) => {
  const cluster = await startCluster(t, { separate: true })
  const { ledger, kept } = await writeAndShip(t, cluster)
  await rm(cluster.paths.metadata, { recursive: true })
  const { ports } = (await readClusterFile(cluster.paths.cluster)) ?? assert.fail()
  // Two of the three that have copies.
  const nodes = ['zone-b-1', 'zone-c-1']
  for (const node of nodes) await cluster.restart(`storage-node-${node}`)
  const running = nodes.map((node) => `127.0.0.1:${ports.nodes[node] ?? 0}`).join(',')
  const line = ['metadata', 'recover', '--data', cluster.paths.folder, '--nodes', running]
  const recovered = await runAshlar([...line, '--secret-file', cluster.paths.secret])
  assert.equal(recovered.code, 0, recovered.stderr)
  await cluster.stop()
  await cluster.startAgain()
  const client = cluster.client()
  for (const key of kept) ledger.check(key, await get(client, BUCKET, key))
})
