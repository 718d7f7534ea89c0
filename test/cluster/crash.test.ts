import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { startCluster, type ClusterOptions } from './harness.ts'
import { Ledger, startLoad, verifyEverything } from './load.ts'

const BUCKET = 'crash'

/** Acknowledged writes before each crash: every crash finds the logs and indexes in another state. */
const ROUNDS = [25, 1, 40] as const

const shapes: [string, ClusterOptions][] = [
  ['one process', {}],
  ['separate processes', { separate: true, gateways: 2 }],
]

for (const [shape, options] of shapes) {
  test(`kill -9 of everything during writes keeps what was acknowledged, whole: ${shape}`, async (t) => {
    const cluster = await startCluster(t, options)
    const gateways = cluster.endpoints.map((_endpoint, index) => index)
    await cluster.client().send(new CreateBucketCommand({ Bucket: BUCKET }))
    // One ledger over all the crashes: what an earlier round acknowledged must outlive the later ones.
    const ledger = new Ledger()
    let uncertain = 0
    for (const acknowledgements of ROUNDS) {
      // No retries: a write that was cut off stays without an answer.
      const clients: S3Client[] = gateways.map((gateway) => cluster.client(gateway, 1))
      const load = startLoad(t, clients, BUCKET, ledger, { writers: 6, readers: 0, endAtFailure: true })
      await load.progress(acknowledgements)
      await cluster.killEverything()
      const failures = await load.stop()
      uncertain += failures.length
      await cluster.startAgain()
      await verifyEverything(cluster.client(), BUCKET, ledger)
    }
    assert.ok(uncertain > 0, 'the crashes cut off writes in flight')
    await cluster.nodesDown([])
  })
}
