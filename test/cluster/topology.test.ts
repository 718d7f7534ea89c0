import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { readClusterFile } from '../../cli/folder/cluster-file.ts'
import type { ClusterStatus } from '../../cli/status/assess.ts'
import type { NodeStatus } from '../../cli/status/nodes.ts'
import { startCluster } from './harness.ts'
import { Ledger, startLoad, verifyEverything } from './load.ts'

const BUCKET = 'topology'

function nodeOf({ zones }: ClusterStatus, name: string): NodeStatus | undefined {
  return zones.flatMap(({ nodes }) => nodes).find(({ node }) => node === name)
}

test('a node is added, drained and removed under load, and every object is read back', async (t) => {
  const cluster = await startCluster(t, { separate: true, args: ['--garbage-grace-seconds', '0'] })
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const ledger = new Ledger()
  const load = startLoad(t, [client], BUCKET, ledger, { writers: 1, readers: 1 })
  await load.progress(12)

  // Its weight lets about ten slots move.
  const line = ['zone-b-3', '--zone', 'zone-b', '--weight', '0.05', '--start', '--wait']
  const added = await cluster.command('node', 'add', ...line)
  assert.equal(added.code, 0, added.stderr)
  assert.match(added.stdout, /^zone-b-3 is a node of zone-b\.\n\d+ slots move, about /)
  assert.match(added.stdout, /^It is process \d+, apart from ashlar start: /m)
  const full = nodeOf(await cluster.status(), 'zone-b-3')
  assert.equal(full?.slotsFilling, 0)
  assert.ok(full.slots > 0 && full.shards > 0, 'it has slots, and what belongs to them')
  await load.progress(4)

  // Moves end by what workers find: while theirs stand still, the node cannot have been drained.
  await cluster.kill(['worker'], 'SIGSTOP')
  const draining = await cluster.command('node', 'drain', 'zone-b-3')
  assert.equal(draining.code, 0, draining.stderr)
  const early = await cluster.command('node', 'remove', 'zone-b-3')
  assert.equal(early.code, 1)
  assert.match(early.stderr, /^ashlar: refused: \d+ slots still name storage node zone-b-3/)
  assert.match(early.stderr, /ashlar node drain zone-b-3 --wait/)
  await cluster.kill(['worker'], 'SIGCONT')
  const removed = await cluster.command('node', 'remove', 'zone-b-3', '--wait')
  assert.equal(removed.code, 0, removed.stderr)
  assert.match(removed.stderr, /^done$/m)

  assert.equal(nodeOf(await cluster.status(), 'zone-b-3'), undefined)
  const file = await readClusterFile(cluster.paths.cluster)
  assert.deepEqual(file?.zones['zone-b'], ['zone-b-1', 'zone-b-2'])
  assert.ok((await stat(cluster.paths.node('zone-b-3'))).isDirectory(), 'its folder is left')
  await load.progress(4)
  assert.deepEqual(await load.stop(), [])
  await verifyEverything(client, BUCKET, ledger)
})

test('a cluster in one process starts a node that is added, and has it again at its next start', async (t) => {
  const cluster = await startCluster(t)
  const added = await cluster.command('node', 'add', 'zone-d-1', '--zone', 'zone-d', '--weight', '0.1')
  assert.equal(added.code, 0, added.stderr)
  assert.match(added.stdout, /zone-d-1 is up\.\n$/)
  await cluster.stop()
  await cluster.startAgain()
  assert.equal(nodeOf(await cluster.status(), 'zone-d-1')?.state, 'up')
  const gone = await cluster.command('node', 'remove', 'zone-d-1', '--wait')
  assert.equal(gone.code, 0, gone.stderr)
  const file = await readClusterFile(cluster.paths.cluster)
  assert.equal(file?.zones['zone-d'], undefined)
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})
