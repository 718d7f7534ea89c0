import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startCluster } from './harness.ts'
import { Ledger, startLoad, verifyEverything } from './load.ts'

const BUCKET = 'metadata-restart'

/** Acknowledged writes, and as many checked reads, before and after each death. */
const STEP = 25

test('kill -9 of metadata during writes and reads: none fails, none is degraded, nothing is lost', async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const clients = [cluster.client(0), cluster.client(1)]
  const [first] = clients
  assert.ok(first !== undefined)
  await first.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const ledger = new Ledger()
  const load = startLoad(t, clients, BUCKET, ledger, { writers: 3, readers: 3 })
  for (let death = 0; death < 3; death++) {
    await load.progress(STEP)
    await cluster.kill(['metadata'], 'SIGKILL')
    await cluster.restart('metadata')
  }
  await load.progress(STEP)
  assert.deepEqual(
    await load.stop(),
    [],
    'every write was acknowledged, at the latest when the client tried again',
  )
  await verifyEverything(first, BUCKET, ledger)
  assert.equal((await cluster.status()).repairBacklog, 0, 'every shard is where it belongs')
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})
