/** `ashlar fsck` on real clusters: clean ones, one with a node away, and one whose metadata is lost and rebuilt. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { nullVersionKey, nullVersionValue, ownedBucketKey } from '../../core/keyspace/keys.ts'
import { PART_BYTES_MIN } from '../../core/limits.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { bytesOf } from '../../store/testing/harness.ts'
import { readClusterFile } from '../../cli/folder/cluster-file.ts'
import { startCluster } from './harness.ts'

interface Put {
  readonly key: string
  readonly body: Buffer
  readonly etag: string
}

async function fill(client: S3Client): Promise<Put[]> {
  const Bucket = 'kept'
  await client.send(new CreateBucketCommand({ Bucket }))
  const puts: Put[] = []
  for (const [i, size] of [1, 4000, 100_000, 3_000_000].entries()) {
    const body = Buffer.from(bytesOf(size, i + 1))
    const key = `folder/key ${i}`
    const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket, Key: key, Body: body }))
    puts.push({ key, body, etag: ETag })
  }
  const Key = 'parts'
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const bodies = [Buffer.from(bytesOf(PART_BYTES_MIN, 8)), Buffer.from(bytesOf(10_000, 9))]
  const Parts = []
  for (const [i, Body] of bodies.entries()) {
    const part = { Bucket, Key, UploadId, PartNumber: i + 1, Body }
    const { ETag } = await client.send(new UploadPartCommand(part))
    Parts.push({ ETag, PartNumber: i + 1 })
  }
  const complete = { Bucket, Key, UploadId, MultipartUpload: { Parts } }
  const { ETag = '' } = await client.send(new CompleteMultipartUploadCommand(complete))
  return [...puts, { key: Key, body: Buffer.concat(bodies), etag: ETag }]
}

async function assertReads(client: S3Client, puts: readonly Put[]): Promise<void> {
  for (const { key, body, etag } of puts) {
    const { Body, ETag, ContentLength } = await client.send(
      new GetObjectCommand({ Bucket: 'kept', Key: key }),
    )
    const got = Buffer.from((await Body?.transformToByteArray()) ?? [])
    assert.equal(ContentLength, body.byteLength)
    assert.equal(ETag, etag)
    const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    assert.equal(sha(got), sha(body), key)
  }
}

test('metadata that is lost is rebuilt from the nodes, and every object is there as it was', async (t) => {
  const cluster = await startCluster(t)
  const puts = await fill(cluster.client())
  const before = await cluster.command('fsck', '--deep', '--bytes-per-second', 'unlimited')
  assert.equal(before.code, 0, before.stdout + before.stderr)
  assert.match(before.stdout, /1 bucket, 5 objects, .*6 blobs/)
  assert.match(before.stdout, /No disagreement/)
  const running = await cluster.command('fsck', '--rebuild')
  assert.equal(running.code, 1)
  assert.match(running.stderr, /is running/)
  await cluster.stop()
  const full = await cluster.command('fsck', '--rebuild')
  assert.match(full.stderr, /not empty/)
  await rename(cluster.paths.metadata, join(cluster.paths.folder, 'metadata.lost'))
  const rebuilt = await cluster.command('fsck', '--rebuild')
  assert.equal(rebuilt.code, 0, rebuilt.stdout + rebuilt.stderr)
  assert.match(rebuilt.stdout, /1 bucket, 5 objects, 0 uploads/)
  await cluster.startAgain()
  await assertReads(cluster.client(), puts)
  const after = await cluster.command('fsck', '--deep', '--json')
  assert.equal(after.code, 0, after.stdout + after.stderr)
  await cluster.client().send(new PutObjectCommand({ Bucket: 'kept', Key: 'more', Body: 'more' }))
})

test('records that lead to nothing are named, with what to do', async (t) => {
  const cluster = await startCluster(t)
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: 'kept' }))
  await client.send(new PutObjectCommand({ Bucket: 'kept', Key: 'more', Body: 'more' }))
  await cluster.stop()
  const engine = await LevelEngine.open(cluster.paths.metadata)
  await engine.commit({
    fence: { key: Uint8Array.of(0xee), token: undefined },
    puts: [
      { key: ownedBucketKey('somebody', 'nowhere'), value: new Uint8Array() },
      { key: nullVersionKey('kept', 'more'), value: nullVersionValue(7n) },
    ],
    deletes: [],
  })
  await engine.close()
  await cluster.startAgain()
  const planted = await cluster.command('fsck')
  assert.equal(planted.code, 1, planted.stdout + planted.stderr)
  assert.match(
    planted.stdout,
    /kept\/more: its pointer leads to a null version of order 7, which is not there/,
  )
  assert.match(planted.stdout, /nowhere: somebody should own it, and it is not there/)
  assert.match(planted.stdout, /What to do: empty and delete the bucket/)
  assert.match(planted.stdout, /2 disagreements/)
  const limited = await cluster.command('fsck', '--bytes-per-second', '1MiB')
  assert.match(limited.stderr, /give --deep with --bytes-per-second/)
})

test('over the network: a sound cluster is clean, and a node that is away is told', async (t) => {
  const cluster = await startCluster(t, { separate: true })
  await fill(cluster.client())
  const whole = await cluster.command('fsck')
  assert.equal(whole.code, 0, whole.stdout + whole.stderr)
  await cluster.kill(['storage-node-zone-b-1'], 'SIGKILL')
  await cluster.nodesDown(['zone-b-1'])
  const blind = await cluster.command('fsck')
  assert.equal(blind.code, 2, blind.stdout + blind.stderr)
  assert.match(blind.stdout, /Not looked at: node zone-b-1: it is down/)
  // The records once more, of the nodes that still run, into another engine.
  await cluster.kill(['metadata', 'gateway-1', 'worker'], 'SIGKILL')
  const file = await readClusterFile(cluster.paths.cluster)
  assert.ok(file !== undefined)
  const nodes = Object.entries(file.zones).map(([zone, names]) => {
    return [zone, Object.fromEntries(names.map((name) => [name, `127.0.0.1:${file.ports.nodes[name] ?? 0}`]))]
  })
  const engine = `level:${join(cluster.paths.folder, 'rebuilt')}`
  const where = ['--nodes', JSON.stringify(Object.fromEntries(nodes)), '--secret-file', cluster.paths.secret]
  const line = ['fsck', '--rebuild', '--engine', engine, '--cluster-id', file.clusterId, ...where]
  const rebuilt = await cluster.command(...line)
  assert.equal(rebuilt.code, 2, rebuilt.stdout + rebuilt.stderr)
  assert.match(rebuilt.stdout, /1 bucket, 5 objects, 0 uploads/)
  assert.match(rebuilt.stdout, /Not looked at: node zone-b-1/)
})
