/**
 * What ends an upload and what adds to it, all at once and over two gateways: one of them decides, everybody is told what
 * became of it, and every byte that was stored is either part of an object or waits to be collected.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  ListPartsCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { patternOf, readBody } from './bodies.ts'
import { startTestCluster } from './cluster.ts'
import { s3Error } from './harness.ts'
import { bare, begin, upload, type Place } from './uploads.ts'

const ROUNDS = 60
/** More than what is kept as whole copies, and not a multiple of anything. */
const BYTES = 40_001

const access = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIDUPLOADRACES', secretAccessKey: 'upload/races+secret' },
}
const cluster = await startTestCluster({ ...access, domains: [], gateways: 2 })
const { metadata } = cluster
const clients = cluster.addresses.map(
  (address) =>
    new S3Client({ ...access, endpoint: `http://${address}`, forcePathStyle: true, maxAttempts: 1 }),
)
after(async () => {
  for (const one of clients) one.destroy()
  await cluster.close()
})
const gateway = (index: number): S3Client => {
  const chosen = clients[index % clients.length]
  assert.ok(chosen)
  return chosen
}
const client = gateway(0)
const Bucket = 'races'
await client.send(new CreateBucketCommand({ Bucket }))

/** The status of every request, in the order given; `turn` decides which is sent first. */
async function together(turn: number, requests: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  const statuses: number[] = []
  const order = requests.map((_, i) => (i + turn) % requests.length)
  await Promise.all(
    order.map(async (i) => {
      try {
        await requests[i]?.()
        statuses[i] = 200
      } catch (error) {
        assert.ok(error instanceof S3ServiceException, String(error))
        statuses[i] = error.$metadata.httpStatusCode ?? 0
      }
    }),
  )
  return statuses
}

const completion = (through: S3Client, place: Place, Parts: CompletedPart[]) =>
  through.send(new CompleteMultipartUploadCommand({ ...place, MultipartUpload: { Parts } }))

const isGone = (place: Place): Promise<void> =>
  assert.rejects(client.send(new ListPartsCommand(place)), s3Error('NoSuchUpload', 404))

test('Complete, Abort and two UploadParts', { timeout: 60_000 }, async () => {
  const live = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const Key = `race-${round}`
    const place = await begin(client, Bucket, Key)
    const [left, named] = [patternOf(BYTES, round), patternOf(BYTES, round + 1)]
    await upload(client, place, 1, left)
    const part = bare(await upload(client, place, 2, named))
    const add = (PartNumber: number) => () =>
      gateway(round + PartNumber).send(
        new UploadPartCommand({ ...place, PartNumber, Body: patternOf(BYTES, round + PartNumber + 7) }),
      )
    const [complete = 0, abort = 0, ...adds] = await together(round, [
      () => completion(gateway(round), place, [part]),
      () => gateway(round + 1).send(new AbortMultipartUploadCommand(place)),
      add(2),
      add(3),
    ])
    // 400: the part it named had been replaced.
    assert.ok([200, 400, 404].includes(complete), `Complete: ${complete}`)
    assert.ok([200, 404].includes(abort), `Abort: ${abort}`)
    assert.notEqual(complete === 200, abort === 200, `Complete ${complete}, Abort ${abort}`)
    for (const status of adds) assert.ok([200, 404].includes(status), `UploadPart: ${status}`)
    await isGone(place)
    const object = await objectBlobs(Key)
    assert.equal(object.length, complete === 200 ? 1 : 0)
    for (const { id } of object) live.add(id)
    if (complete === 200) assert.ok((await readBody(client, Bucket, Key)).equals(named))
  }
  await accountedFor(live)
})

test('the same Complete over both gateways: all are told of the one object', async () => {
  const place = await begin(client, Bucket, 'same')
  const body = patternOf(BYTES, 3)
  const part = bare(await upload(client, place, 1, body))
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => completion(gateway(i), place, [part])),
  )
  assert.equal(new Set(answers.map(({ ETag }) => ETag)).size, 1)
  assert.equal(new Set(answers.map(({ ChecksumCRC64NVME }) => ChecksumCRC64NVME)).size, 1)
  await isGone(place)
  assert.ok((await readBody(client, Bucket, 'same')).equals(body))
})

/** The blobs of an object of parts; none if there is no such object. */
async function objectBlobs(key: string): Promise<readonly BlobRecord[]> {
  const { objects } = await metadata.call('listObjects', { bucket: Bucket, prefix: key, limit: 1000 })
  if (!objects.some((object) => object.key === key)) return []
  const { object } = await metadata.call('getObject', { bucket: Bucket, key })
  assert.ok(object)
  const { pages } = await metadata.call('getManifest', {
    bucket: Bucket,
    key,
    version: object.version,
    firstPage: 0,
    pageCount: 1,
  })
  return pages.flatMap(({ parts }) => parts.flatMap(({ blob }) => blob ?? []))
}

/**
 * Exactly the live blobs and those in garbage tasks have shards. Parts of an aborted upload become garbage in the
 * background, so this looks until it is so, which the time limit of a test bounds.
 */
async function accountedFor(live: ReadonlySet<string>): Promise<void> {
  for (;;) {
    const garbage = await garbageBlobs()
    const stored = await cluster.blobs()
    for (const id of live) assert.ok(stored.has(id) && !garbage.has(id), 'a live blob is lost or is garbage')
    for (const id of garbage) assert.ok(stored.has(id), 'a garbage task names a blob that nobody stored')
    const leaked = [...stored].filter((id) => !live.has(id) && !garbage.has(id))
    if (leaked.length === 0) return
    await setTimeout(5)
  }
}

async function garbageBlobs(): Promise<Set<string>> {
  const found = new Set<string>()
  let read = 0n
  for (;;) {
    const { records } = await metadata.call('readOutbox', { after: read, limit: 1000 })
    for (const { sequence, task } of records) {
      read = sequence
      if (task.case !== 'garbage') continue
      for (const { id } of task.value.blobs) {
        assert.ok(!found.has(id), 'a blob is garbage twice')
        found.add(id)
      }
    }
    if (records.length === 0) return found
  }
}
