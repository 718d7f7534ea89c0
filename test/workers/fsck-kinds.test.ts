/** Each kind of disagreement, made on purpose, is found and named, and nothing else is. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  annotationKey,
  manifestPageKey,
  nullVersionKey,
  objectKey,
  ownedBucketKey,
} from '../../core/keyspace/keys.ts'
import { BLOB_ORPHAN_AGE_MS_MIN } from '../../core/limits.ts'
import { encodeRecord, objectKind } from '../../metadata/records.ts'
import { BucketVersioning, ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import { bytesOf, contentOf, putRequest } from '../../store/testing/harness.ts'
import { blobOf, copyAway, forge, lie, lose, loseAll, shardOf, tamper } from './fsck-damage.ts'
import { check, type Checked } from './fsck-scene.ts'
import { WholeCluster } from './cluster.ts'

/** `kind key`, each once, in order. */
function named({ findings }: Checked): string[] {
  const names = findings.map(({ kind, place }) => `${kind} ${place?.key ?? place?.bucket ?? ''}`)
  return [...new Set(names)].toSorted()
}

const LARGE = 300_000

test('shards that are missing, lie, or are where they do not belong', async () => {
  const cluster = await WholeCluster.start({ seed: 11 })
  await cluster.fill('sound', 8)
  const put = async (key: string) => blobOf(await cluster.put(key, LARGE))
  await lose(cluster, await put('degraded'), 4)
  const unreadable = await put('unreadable')
  for (const shard of [0, 1, 2]) await lose(cluster, unreadable, shard)
  await loseAll(cluster, await put('gone'))
  await lie(cluster, await put('owner'), 2, { key: 'somebody-else' })
  await lie(cluster, await put('size'), 5, { blobBytes: LARGE + 1 })
  await lie(cluster, await put('code'), 1, { code: 'rs-5-1' })
  const misplaced = await put('misplaced')
  await copyAway(cluster, misplaced, 3)
  await lose(cluster, misplaced, 3)
  await copyAway(cluster, await put('duplicate'), 3)
  const surplus = await put('surplus')
  const { home, address, owner, data } = await shardOf(cluster, surplus, 0)
  await forge(cluster, home, { ...address, stripe: 7 }, owner, data)
  const checked = await check(cluster)
  assert.deepEqual(named(checked), [
    'degraded code',
    'degraded degraded',
    'degraded size',
    'duplicate duplicate',
    'misplaced misplaced',
    'other-code code',
    'other-owner owner',
    'other-size size',
    'surplus surplus',
    'unreadable gone',
    'unreadable unreadable',
  ])
  const of = (key: string) => checked.findings.find(({ place }) => place?.key === key)
  assert.equal(of('degraded')?.spare, 1)
  assert.equal(of('degraded')?.shards?.length, 1)
  assert.equal(of('unreadable')?.spare, -1)
  assert.equal(of('gone')?.shards?.length, 6)
  // The same in rounds of a few blobs each, for which the records are gone through again and again.
  const inRounds = await check(cluster, { roundBlobsMax: 3 })
  assert.deepEqual(named(inRounds), named(checked))
  assert.deepEqual(inRounds.counts, checked.counts)
  const filtered = await check(cluster, { bucket: 'bucket', prefix: 'mis' })
  assert.deepEqual(named(filtered), ['misplaced misplaced'])
  assert.equal(filtered.counts.objects, 1)
  await cluster.close()
})

test('shards of no record: orphans, garbage that waits, and those of which nobody can say whose they are', async () => {
  const cluster = await WholeCluster.start({ seed: 12 })
  await cluster.fill('sound', 4)
  await cluster.put('deleted', LARGE)
  await cluster.delete('deleted')
  await cluster.putInVain('vain', LARGE)
  const silent = blobOf(await cluster.put('silent', LARGE))
  await loseAll(cluster, blobOf(await cluster.put('elsewhere', LARGE)))
  const owner: ShardOwner = {
    bucket: 'bucket',
    key: 'strange',
    version: '1'.repeat(32),
    part: 0,
    code: 'rs-4-2',
    blobBytes: 9,
  }
  const strange = { group: 3 * 65_536 + 1, blob: '01'.padEnd(32, '3'), stripe: 0, shard: 0 }
  await forge(cluster, 'a1', strange, owner, new Uint8Array(4096))
  // The nodes cannot say whose that one is.
  for (const node of cluster.nodes.values()) {
    const describe = node.describe.bind(node)
    node.describe = async (addresses, signal) => {
      const said = await describe(addresses, signal)
      return said.map((one, i) => (addresses[i]?.blob === silent.id ? undefined : one))
    }
  }
  cluster.aheadMs = BLOB_ORPHAN_AGE_MS_MIN + 60_000
  await cluster.clock.pass(10_000)
  const checked = await check(cluster)
  assert.deepEqual(named(checked), ['orphan strange', 'orphan vain', 'unowned ', 'unreadable elsewhere'])
  assert.equal(checked.counts.garbage, 1)
  await cluster.close()
})

test('records that miss what belongs to them, or contradict themselves', async () => {
  const cluster = await WholeCluster.start({ seed: 13 })
  await cluster.fill('sound', 4)
  await cluster.putParts('pages', [200_000, 30_000])
  await cluster.putParts('notes', [200_000])
  const { version } = await cluster.record('pages')
  const notes = await cluster.record('notes')
  const { engine } = cluster
  await tamper(cluster, {
    deletes: [
      manifestPageKey('bucket', 'pages', version, 0),
      annotationKey(notes, 'note'),
      ownedBucketKey('owner', 'bucket'),
    ],
  })
  await cluster.put('null', 1000)
  await cluster.clock.drive(
    cluster.metadata.call('updateBucket', { name: 'bucket', versioning: BucketVersioning.ENABLED }),
  )
  await cluster.put('null', 2000)
  assert.ok((await engine.get(nullVersionKey('bucket', 'null'))) !== undefined)
  await tamper(cluster, { deletes: [nullVersionKey('bucket', 'null')] })
  const { owner, address, data, home } = await shardOf(
    cluster,
    blobOf(await cluster.put('pattern', LARGE)),
    0,
  )
  const base = {
    format: 1,
    bucket: 'bucket',
    etag: 'x',
    storageClass: 'STANDARD',
    owner: 'owner',
    size: BigInt(LARGE),
  }
  const forged = async (key: string, id: string, group: number, size = BigInt(LARGE)) => {
    const object = create(ObjectRecordSchema, {
      ...base,
      key,
      version: id,
      size,
      blob: { id, size: BigInt(LARGE), code: 'rs-4-2', group },
    })
    await tamper(cluster, {
      puts: [{ key: objectKey('bucket', key), value: encodeRecord(objectKind, object) }],
    })
  }
  await forged('no-pool', 'a'.repeat(32), 9 * 65_536)
  await forged('record', 'b'.repeat(32), address.group, 7n)
  await forged('other-group', 'c'.repeat(32), address.group === 65_536 ? 65_537 : 65_536)
  const there = { ...address, blob: 'c'.repeat(32) }
  await forge(cluster, home, there, { ...owner, key: 'other-group', version: 'c'.repeat(32) }, data)
  const checked = await check(cluster)
  assert.deepEqual(named(checked), [
    'annotations notes',
    'manifest pages',
    'no-pool no-pool',
    'null-version null',
    'other-group other-group',
    'owner-index bucket',
    'record record',
    'unreadable record',
    'unsaid pages',
  ])
  await cluster.close()
})

test('deep: shards that rot unseen, and content that is not what its record says', async () => {
  const cluster = await WholeCluster.start({ seed: 14 })
  await cluster.fill('sound', 4)
  const rotten = blobOf(await cluster.put('rotten', LARGE))
  const wrong = await cluster.put('wrong', LARGE)
  const { home, address, owner, data } = await shardOf(cluster, blobOf(wrong), 0)
  data[0] = (data[0] ?? 0) ^ 1
  // A shard that matches its checksums, and is another than was written.
  await forge(cluster, home, address, owner, data)
  const rot = await shardOf(cluster, rotten, 2)
  const disk = cluster.disks.get(rot.home) ?? assert.fail('no disk')
  for (const path of await disk.list('segments')) {
    const name = `segments/${path}`
    const at = Buffer.from(disk.contents(name)).indexOf(rot.data)
    if (at >= 0) disk.corrupt(name, at)
  }
  assert.deepEqual(named(await check(cluster)), [])
  const deep = await check(cluster, { deep: true })
  assert.deepEqual(named(deep), ['corrupt rotten', 'digest wrong'])
  assert.equal(deep.counts.objectsRead, 6)
  // The node has learnt of it by the read.
  assert.deepEqual(named(await check(cluster)), ['damaged rotten', 'degraded rotten'])
  await cluster.close()
})

test('what is written, overwritten, deleted, repaired and moved during a check is no disagreement', async () => {
  const cluster = await WholeCluster.start({ seed: 15 })
  await cluster.fill('old', 12)
  await cluster.startWorker('one', { garbageGraceMs: 1000 })
  const checked = new AbortController()
  const churn = async (): Promise<void> => {
    const { metadata, store, clock } = cluster
    for (let i = 0; !checked.signal.aborted; i++) {
      await store.putObject(putRequest(`old${i % 12}`, contentOf(bytesOf(50_000 + i, i + 1))))
      await store.putObject(putRequest(`new${i}`, contentOf(bytesOf(100, i + 1))))
      await metadata.call('deleteObject', { bucket: 'bucket', key: `new${i - 1}` })
      await clock.sleep(50)
    }
  }
  const churning = churn()
  for (const shape of [{}, { roundBlobsMax: 4 }]) {
    const { findings } = await check(cluster, shape)
    assert.deepEqual(findings, [])
  }
  checked.abort()
  await cluster.clock.drive(churning)
  await cluster.close()
})
