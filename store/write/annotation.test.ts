import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { StoreError } from '../api.ts'
import type { CommitFault } from '../testing/fake-metadata.ts'
import { DOWN } from '../testing/fake-shards.ts'
import { bytesOf, collect, contentOf, createHarness, type Harness } from '../testing/harness.ts'

const TEXT = bytesOf(9000)

async function annotated(harness: Harness, bytes = TEXT) {
  const object = await harness.put('key', bytesOf(100))
  const put = () =>
    harness.clock.drive(harness.store.putAnnotation({ object, name: 'notes', content: contentOf(bytes) }))
  return { object, put }
}

test('an annotation is read back, and its shards name it and the version that it belongs to', async () => {
  for (const size of [1, 40_000, 1024 * 1024]) {
    const harness = createHarness()
    const bytes = bytesOf(size)
    const { object, put } = await annotated(harness, bytes)
    const { annotation } = await put()
    assert.equal(Number(annotation.size), size)
    const read = harness.store.readAnnotation(object, annotation)
    assert.ok((await harness.clock.drive(collect(read))).equals(bytes))
    const shards = [...harness.shards.nodes.values()].flatMap((node) => [...node.shards.values()])
    const owners = shards.map(({ owner }) => owner).filter((owner) => owner.annotation !== undefined)
    assert.ok(owners.length >= 3)
    for (const owner of owners) {
      assert.deepEqual(
        [owner.bucket, owner.key, owner.version, owner.part, owner.annotation, owner.blobBytes],
        ['bucket', 'key', object.version, 0, 'notes', size],
      )
    }
    assert.deepEqual(harness.breaches, [])
    await harness.assertIdle()
    await harness.store.close()
  }
})

test('with a zone down it is acknowledged by the same contract, its repairs queued in the commit', async () => {
  const harness = createHarness()
  const { object, put } = await annotated(harness)
  harness.shards.afflict(['b1', 'b2'], DOWN)
  const { annotation } = await put()
  assert.deepEqual(harness.breaches, [])
  const [repair] = harness.metadata.repairs
  assert.equal(repair?.blob?.id, annotation.blob?.id)
  assert.deepEqual([repair?.version, repair?.part, repair?.annotation], [object.version, 0, 'notes'])
  const read = harness.store.readAnnotation(object, annotation)
  assert.ok((await harness.clock.drive(collect(read))).equals(TEXT))
  await harness.store.close()
})

test('what metadata refuses leaves no shards', async () => {
  const harness = createHarness()
  const { put } = await annotated(harness)
  const before = harness.shards.shardCount
  harness.metadata.commitFault = { kind: 'refuse', code: FailureCode.TOO_MANY_ANNOTATIONS }
  await assert.rejects(
    put(),
    (error) => error instanceof MetadataError && error.code === FailureCode.TOO_MANY_ANNOTATIONS,
  )
  await harness.assertIdle()
  assert.equal(harness.shards.shardCount, before)
  await harness.store.close()
})

test('a commit whose answer was lost is asked after; one that never arrived is unknown, and its shards stay', async () => {
  for (const kind of ['answer-lost', 'lost'] satisfies CommitFault['kind'][]) {
    const harness = createHarness()
    const { object, put } = await annotated(harness)
    const before = harness.shards.shardCount
    harness.metadata.commitFault = { kind }
    if (kind === 'answer-lost') {
      const { annotation } = await put()
      assert.equal(harness.metadata.annotations.get(`${object.version}/notes`)?.blob?.id, annotation.blob?.id)
    } else {
      await assert.rejects(put(), (error) => error instanceof StoreError && error.code === 'unknown')
    }
    await harness.assertIdle()
    assert.ok(harness.shards.shardCount > before)
    await harness.store.close()
  }
})
