import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { NODE_LEASE_MS } from '../../core/limits.ts'
import { startCluster } from './harness.ts'
import { contentOf, get, Ledger, put, startLoad, verifyEverything } from './load.ts'

const BUCKET = 'stopped'

/** Acknowledged writes, and as many checked reads, in each phase of the test. */
const BEFORE = 20
const WHILE_STOPPED = 60
const AFTER = 20

/**
 * No request may take longer while one node does not answer: its put is given up after 4 s and its get after 8 s, and the
 * rest is a loaded machine.
 */
const STALL_MS_MAX = 20_000

test('a storage node that stands still (SIGSTOP) delays no request long; after SIGCONT all is as it was', async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const clients = [cluster.client(0, 1), cluster.client(1, 1)]
  const [first, second] = clients
  assert.ok(first !== undefined && second !== undefined)
  await first.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const ledger = new Ledger()
  const victim = 'zone-b-1'

  const load = startLoad(t, clients, BUCKET, ledger, { writers: 3, readers: 3 })
  await load.progress(BEFORE)
  await cluster.kill([`storage-node-${victim}`], 'SIGSTOP')
  const longest = await longestPause(() => load.progress(1), WHILE_STOPPED)
  t.diagnostic(`longest pause with a stopped node: ${Math.round(longest)} ms`)
  await cluster.nodesDown([victim])
  await load.progress(AFTER)
  await cluster.kill([`storage-node-${victim}`], 'SIGCONT')
  await cluster.nodesDown([])
  await load.progress(AFTER)
  assert.deepEqual(await load.stop(), [], 'every write was acknowledged at its first try')
  assert.ok(longest < STALL_MS_MAX, `requests stood still for ${longest} ms`)
  await verifyEverything(second, BUCKET, ledger)
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})

test('metadata that stood still for longer than a lease (SIGSTOP) blames no node, and brings back nothing old', async (t) => {
  const cluster = await startCluster(t, { separate: true })
  const client = cluster.client(0, 1)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const old = { name: 'old', size: 300_000 }
  const late = { name: 'late', size: 300_000 }
  await put(client, BUCKET, 'key', old)

  await cluster.kill(['metadata'], 'SIGSTOP')
  const answer = put(client, BUCKET, 'key', late).then(
    () => 'acknowledged',
    () => 'refused',
  )
  await delay(NODE_LEASE_MS + 1000)
  await cluster.kill(['metadata'], 'SIGCONT')
  assert.equal(await answer, 'acknowledged', 'the commit waited for metadata')

  // At once: hardly a node has renewed its lease since.
  for (let n = 0; n < 20; n++) await put(client, BUCKET, `after/${n}`, { name: `after/${n}`, size: 100_000 })
  assert.equal((await cluster.status()).repairBacklog, 0, 'no write was degraded')

  assert.deepEqual(await get(client, BUCKET, 'key'), new Uint8Array(contentOf(late)))
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})

/** Runs the step `times` times and resolves to the milliseconds of the longest. */
async function longestPause(step: () => Promise<void>, times: number): Promise<number> {
  let longest = 0
  for (let n = 0; n < times; n++) {
    const began = performance.now()
    await step()
    longest = Math.max(longest, performance.now() - began)
  }
  return longest
}
