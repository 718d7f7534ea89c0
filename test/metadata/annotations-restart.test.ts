import assert from 'node:assert/strict'
import test from 'node:test'
import { create, equals } from '@bufbuild/protobuf'
import { startMetadata } from '../../metadata/main.ts'
import { GetBucketSettingReplySchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketSettingSchema, BucketVersioning, TagSetSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { annotate, blobOf, listAnnotations } from '../contract/metadata-api-annotations.ts'
import { BUCKET, createBucket, garbage, put, until } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

test('settings, versioning and annotations are there after a restart', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  const first = await startMetadata(config, world)
  await createBucket(first.api)
  const tagging = create(TagSetSchema, { tags: [{ key: 'a', value: 'b' }] })
  const setting = create(BucketSettingSchema, { setting: { case: 'tagging', value: tagging } })
  await first.api.call('putBucketSetting', { name: BUCKET, setting })
  await first.api.call('updateBucket', { name: BUCKET, versioning: BucketVersioning.ENABLED })
  await put(first.api, 'k')
  const annotation = await annotate(first.api, 'k', 'a')
  const asked = { name: BUCKET, kinds: ['tagging', 'cors'] }
  const before = await first.api.call('getBucketSetting', asked)
  await first.close()
  const second = await startMetadata(config, world)
  const after = await second.api.call('getBucketSetting', asked)
  assert.ok(equals(GetBucketSettingReplySchema, after, before))
  assert.equal(before.settings.length, 1)
  assert.equal(before.bucket?.versioning, BucketVersioning.ENABLED)
  const found = await second.api.call('getAnnotation', { bucket: BUCKET, key: 'k', name: 'a' })
  assert.deepEqual(found.annotation, annotation)
  assert.deepEqual(await listAnnotations(second.api, 'k'), { names: ['a'], truncated: false, count: 1 })
  await second.close()
  await remove()
})

test('annotations whose removal an earlier process began are removed to the last, each garbage once', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  let running = await startMetadata(config, world)
  await createBucket(running.api)
  const object = await put(running.api, 'k')
  const all = await Promise.all(
    Array.from({ length: 400 }, (_, n) => annotate(running.api, 'k', `n${n}`, { limitPerObject: 1000 })),
  )
  const expected = [object.blob?.id ?? '', ...all.map(blobOf)].sort()
  await running.api.call('deleteObject', { bucket: BUCKET, key: 'k' })
  // Each process ends with the batch that it is at.
  await running.close()
  running = await startMetadata(config, world)
  await running.close()
  running = await startMetadata(config, world)
  await until(async () => (await garbage(running.api)).length >= expected.length)
  assert.deepEqual(await garbage(running.api), expected)
  await running.close()
  await remove()
})
