import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startCluster } from './harness.ts'
import { Ledger, startLoad, verifyEverything } from './load.ts'

const BUCKET = 'zone-loss'

/** Acknowledged writes, and as many checked reads, in each phase of the test. */
const BEFORE = 30
const WHILE_DOWN = 60
const AFTER = 20

for (const zone of ['zone-a', 'zone-b', 'zone-c']) {
  test(`kill -9 of all nodes of ${zone} during writes and reads loses nothing and stops nothing`, async (t) => {
    const cluster = await startCluster(t, { separate: true, gateways: 2 })
    const clients = [cluster.client(0), cluster.client(1)]
    const [first, second] = clients
    assert.ok(first !== undefined && second !== undefined)
    await first.send(new CreateBucketCommand({ Bucket: BUCKET }))
    const ledger = new Ledger()
    const nodes = [`${zone}-1`, `${zone}-2`]
    const services = nodes.map((node) => `storage-node-${node}`)

    const load = startLoad(t, clients, BUCKET, ledger, { writers: 3, readers: 3 })
    await load.progress(BEFORE)
    await cluster.kill(services, 'SIGKILL')
    await load.progress(WHILE_DOWN)
    const failures = await load.stop()
    assert.deepEqual(failures, [], 'every write was acknowledged, at the latest when the client tried again')

    await cluster.nodesDown(nodes)
    await verifyEverything(first, BUCKET, ledger)

    const returning = startLoad(t, clients, BUCKET, ledger, { writers: 2, readers: 2 })
    await Promise.all(services.map((service) => cluster.restart(service)))
    await cluster.nodesDown([])
    await returning.progress(AFTER)
    assert.deepEqual(await returning.stop(), [])
    await verifyEverything(second, BUCKET, ledger)
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
  })
}
