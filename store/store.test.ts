import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterMapSchema, PoolState } from '../proto/gen/ashlar/v1/cluster_pb.js'
import type { ObjectRecord } from '../proto/gen/ashlar/v1/records_pb.js'
import { StoreError } from './api.ts'
import { clusterMap } from './testing/cluster-map.ts'
import { DOWN } from './testing/fake-shards.ts'
import { acceptAny, bytesOf, collect, contentOf, createHarness, putRequest } from './testing/harness.ts'

const MIB = 1024 * 1024

test('what is written is read back, whatever its size', async () => {
  const { put, read, store, shards, metadata, assertIdle } = createHarness()
  for (const size of [
    0,
    1,
    4095,
    32_768,
    32_769,
    65_536,
    65_537,
    200_000,
    4 * MIB,
    4 * MIB + 1,
    9 * MIB + 12_345,
  ]) {
    const bytes = bytesOf(size, size)
    const record = await put(`object-${size}`, bytes)
    assert.equal(Number(record.size), size)
    assert.equal(record.etag, createHash('md5').update(bytes).digest('hex'))
    assert.equal(record.blob === undefined, size === 0)
    assert.equal(record.blob?.code, size === 0 ? undefined : size <= 32_768 ? 'replica-3' : 'rs-4-2')
    assert.deepEqual(record.blob?.relocations ?? [], [])
    assert.ok((await read(record)).equals(bytes), `${size} bytes`)
  }
  assert.deepEqual(metadata.repairs, [])
  assert.ok([...shards.nodes.values()].every((node) => node.calls.deleteBlob === 0))
  await assertIdle()
  await store.close()
})

test('a healthy read asks data shards only, each once, and for no more blocks than it must', async () => {
  const { put, read, store, shards } = createHarness()
  const bytes = bytesOf(6 * MIB)
  const record = await put('key', bytes)
  assert.ok((await read(record)).equals(bytes))
  const gets = [...shards.nodes.values()].reduce((sum, node) => sum + node.calls.get, 0)
  // 6 MiB are one stripe of four shards, and one of 2 MiB in four more.
  assert.equal(gets, 8)
  const before = [...shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  assert.equal(before, 6 * MIB)
  assert.ok((await read(record, 70_000, 70_010)).equals(bytes.subarray(70_000, 70_010)))
  const after = [...shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  assert.equal(after - before, 65_536)
  await store.close()
})

test('every range of a small and of a striped object', async () => {
  const { put, read, store } = createHarness()
  for (const size of [1000, 5 * MIB + 777]) {
    const bytes = bytesOf(size, 5)
    const record = await put(`k${size}`, bytes)
    const edges = [0, 1, 65_535, 65_536, MIB - 1, MIB, MIB + 1, 4 * MIB - 1, 4 * MIB, size - 1, size]
    const points = [...new Set(edges.filter((edge) => edge <= size))]
    for (const start of points) {
      for (const end of points) {
        if (start > end) continue
        assert.ok(
          (await read(record, start, end)).equals(bytes.subarray(start, end)),
          `[${start}, ${end}) of ${size}`,
        )
      }
    }
    await assert.rejects(read(record, 0, size + 1), RangeError)
    await assert.rejects(read(record, 2, 1), RangeError)
  }
  await store.close()
})

test('tags and an access control list are kept with the object, and are absent where none were given', async () => {
  const { store, metadata } = createHarness()
  const bytes = bytesOf(10)
  const tags = [{ key: 'colour', value: 'blue' }]
  const acl = { grants: [{ group: 'everyone', permission: 'READ' }] }
  const tagged = await store.putObject({ ...putRequest('tagged', contentOf(bytes)), tags, acl })
  const plain = await store.putObject(putRequest('plain', contentOf(bytes)))
  const kept = tagged.tags.map(({ key, value }) => ({ key, value }))
  assert.deepEqual(kept, tags)
  assert.deepEqual(
    tagged.acl?.grants.map(({ group, permission }) => ({ group, permission })),
    acl.grants,
  )
  assert.deepEqual(plain.tags, [])
  assert.equal(plain.acl, undefined)
  assert.equal(metadata.objects.size, 2)
  await store.close()
})

test('an overwrite is a blob of its own', async () => {
  const { put, read, store, metadata } = createHarness()
  const first = await put('key', bytesOf(100_000, 1))
  const second = await put('key', bytesOf(100_000, 2))
  assert.notEqual(first.blob?.id, second.blob?.id)
  assert.notEqual(first.version, second.version)
  assert.ok((await read(first)).equals(bytesOf(100_000, 1)))
  assert.equal(metadata.objects.get('bucket/key')?.version, second.version)
  await store.close()
})

test('a content that is not of its size is refused, and leaves nothing', async () => {
  for (const [size, given] of [
    [0, 1],
    [1000, 999],
    [1000, 1001],
    [1000, 0],
    [200_000, 199_999],
    [200_000, 300_000],
    [9 * MIB, 8 * MIB],
    [9 * MIB, 9 * MIB + 1],
  ] as const) {
    const { clock, store, shards, metadata, assertIdle } = createHarness()
    const content = { ...contentOf(bytesOf(given)), size }
    await assert.rejects(
      clock.drive(store.putObject(putRequest('key', content))),
      (error) => error instanceof StoreError && error.code === 'size-mismatch',
      `${given} for ${size}`,
    )
    await assertIdle()
    assert.equal(shards.shardCount, 0)
    assert.equal(metadata.objects.size, 0)
    await store.close()
  }
})

test('what accept throws refuses the write, and nothing of it stays', async () => {
  for (const size of [0, 1000, 100_000, 6 * MIB]) {
    const { put, shards, metadata, assertIdle, store } = createHarness()
    const refusal = new Error('BadDigest')
    const accept = () => {
      throw refusal
    }
    await assert.rejects(put('key', bytesOf(size), { accept }), refusal)
    await assertIdle()
    assert.equal(shards.shardCount, 0)
    assert.ok(!metadata.asked.includes('commitObject'))
    await store.close()
  }
})

test('accept is given all the digests that were asked for, of the bytes', async () => {
  for (const size of [0, 1000, 100_000, 5 * MIB]) {
    const { put, store } = createHarness()
    const bytes = bytesOf(size, 3)
    let given: ReadonlyMap<string, Uint8Array> | undefined
    await put('key', bytes, {
      digests: ['SHA256', 'MD5', 'CRC32'],
      accept: (digests) => {
        given = digests
        return acceptAny(digests)
      },
    })
    assert.deepEqual([...(given?.keys() ?? [])], ['SHA256', 'MD5', 'CRC32'])
    assert.deepEqual(Buffer.from(given?.get('SHA256') ?? []), createHash('sha256').update(bytes).digest())
    await store.close()
  }
})

test('a content that fails, fails the write with its own error', async () => {
  for (const size of [1000, 6 * MIB]) {
    const { clock, store, shards, assertIdle } = createHarness()
    const broken = new Error('the client hung up')
    const bytes = bytesOf(size)
    const content = contentOf(bytes)
    async function* failing() {
      yield bytes.subarray(0, size - 10)
      await Promise.resolve()
      throw broken
    }
    await assert.rejects(
      clock.drive(store.putObject(putRequest('key', { ...content, bytes: failing() }))),
      broken,
    )
    await assertIdle()
    assert.equal(shards.shardCount, 0)
    await store.close()
  }
})

test('parts are written like objects, under their upload', async () => {
  const { clock, store, metadata, shards } = createHarness()
  const bytes = bytesOf(5 * MIB)
  const part = await clock.drive(
    store.putPart({
      bucket: 'bucket',
      key: 'key',
      uploadId: 'upload',
      partNumber: 7,
      storageClass: 'STANDARD',
      content: contentOf(bytes),
    }),
  )
  assert.equal(part.partNumber, 7)
  assert.equal(part.etag, createHash('md5').update(bytes).digest('hex'))
  assert.equal(metadata.parts.get('upload/7')?.blob?.id, part.blob?.id)
  assert.equal(shards.shardCount, 12)
  assert.equal(metadata.repairs.length, 0)
  shards.afflict(['a1'], DOWN)
  await clock.drive(
    store.putPart({
      bucket: 'bucket',
      key: 'key',
      uploadId: 'upload',
      partNumber: 8,
      storageClass: 'STANDARD',
      content: contentOf(bytes),
    }),
  )
  const owed = metadata.repairs.map(({ key, version, part: number }) => ({ key, version, number }))
  assert.deepEqual(owed, [{ key: 'key', version: 'upload', number: 8 }])
  await store.close()
})

test('a pool that retires takes nothing new, and is read from', async () => {
  const { clock, store, metadata, put, read } = createHarness({ small: '', large: 'rs-4-2' })
  const old = await put('old', bytesOf(MIB))
  const map = create(ClusterMapSchema, clusterMap({ small: '', large: 'rs-4-2', epoch: 2 }))
  const { pools } = create(ClusterMapSchema, clusterMap({ small: '', large: 'rs-2-2' }))
  for (const pool of map.pools) pool.state = PoolState.RETIRING
  for (const pool of pools) {
    pool.id++
    for (const group of pool.groups) group.id += 65_536
  }
  map.pools.push(...pools)
  metadata.map = map
  await clock.pass(2000)
  assert.equal((await put('new', bytesOf(MIB))).blob?.code, 'rs-2-2')
  assert.ok((await read(old)).equals(bytesOf(MIB)))
  await store.close()
})

test('a storage class without a pool is kept where STANDARD is', async () => {
  const { clock, store, read } = createHarness()
  const request = { ...putRequest('key', contentOf(bytesOf(10))), storageClass: 'STANDARD_IA' }
  const record = await clock.drive(store.putObject(request))
  assert.equal(record.storageClass, 'STANDARD_IA')
  assert.ok((await read(record)).equals(bytesOf(10)))
  await store.close()
})

test('a cluster that cannot be seen takes no writes', async () => {
  const { store, metadata, put, read } = createHarness()
  const record = await put('key', bytesOf(10))
  await store.close()
  metadata.unreachable = true
  const blind = createHarness()
  blind.metadata.unreachable = true
  await assert.rejects(blind.put('key', bytesOf(10)), { code: 'unwritable' })
  await assert.rejects(blind.read(record), { code: 'unreadable' })
  assert.ok((await read(record)).equals(bytesOf(10)), 'the last look serves on')
  await blind.store.close()
})

test('a multipart object is read across its parts, and only the pages of the range are asked for', async () => {
  const { clock, store, metadata, put } = createHarness()
  const sizes = [5 * MIB, 100_000, 0, 10, 6 * MIB + 1]
  const records: ObjectRecord[] = []
  for (const [i, size] of sizes.entries()) {
    records.push(await put(`part-${i}`, bytesOf(size, i + 10)))
  }
  const whole = Buffer.concat(sizes.map((size, i) => bytesOf(size, i + 10)))
  const base = await put('whole', new Uint8Array(0))
  const pageOffsets = [0, 5 * MIB, 5 * MIB + 100_010].map(BigInt)
  const object = {
    ...base,
    size: BigInt(whole.length),
    manifest: { $typeName: 'ashlar.v1.Manifest' as const, partCount: 5, pageOffsets },
  }
  const page = (from: number, to: number) => ({
    $typeName: 'ashlar.v1.ManifestPage' as const,
    format: 1,
    parts: records.slice(from, to).map(({ size, etag, blob }, i) => ({
      $typeName: 'ashlar.v1.PartRecord' as const,
      format: 1,
      partNumber: from + i + 1,
      lastModifiedMs: 0n,
      checksums: [],
      size,
      etag,
      ...(blob === undefined ? {} : { blob }),
    })),
  })
  metadata.pages.set(base.version, [page(0, 1), page(1, 4), page(4, 5)])
  const read = (start: number, end: number) => clock.drive(collect(store.readObject(object, { start, end })))
  assert.ok((await read(0, whole.length)).equals(whole))
  for (const [start, end, pages] of [
    [5 * MIB - 3, 5 * MIB, 1],
    [5 * MIB - 3, 5 * MIB + 3, 2],
    [5 * MIB + 99_995, 5 * MIB + 100_015, 2],
    [whole.length - 1, whole.length, 1],
  ] as const) {
    metadata.asked.length = 0
    assert.ok((await read(start, end)).equals(whole.subarray(start, end)), `[${start}, ${end})`)
    assert.equal(metadata.asked.filter((operation) => operation === 'getManifest').length, pages)
  }
  metadata.pages.delete(base.version)
  await assert.rejects(read(0, 1), { code: 'unreadable' })
  await store.close()
})

test('an object whose shards are gone while it is read ends in an error, never in wrong bytes', async () => {
  const { clock, store, shards, put, assertIdle } = createHarness()
  const bytes = bytesOf(16 * MIB)
  const record = await put('key', bytes)
  const read = async () => {
    const got: Buffer[] = []
    try {
      for await (const piece of store.readObject(record, { start: 0, end: bytes.length })) {
        got.push(Buffer.from(piece))
        for (const node of shards.nodes.values()) await node.deleteBlob(0, record.blob?.id ?? '')
      }
      return { error: undefined, got: Buffer.concat(got) }
    } catch (error) {
      return { error, got: Buffer.concat(got) }
    }
  }
  const { error, got } = await clock.drive(read())
  assert.ok(error instanceof StoreError && error.code === 'unreadable')
  assert.ok(got.length < bytes.length && got.equals(bytes.subarray(0, got.length)))
  await assertIdle()
  await store.close()
})
