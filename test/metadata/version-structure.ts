import assert from 'node:assert/strict'
import {
  annotationPurgeSpace,
  nullVersionKey,
  objectKey,
  readAnnotationPurgeKey,
  readNullVersionValue,
  versionKey,
} from '../../core/keyspace/keys.ts'
import { keyName } from '../../metadata/engine/key-name.ts'
import type { Engine, EngineBatch, EngineEntry } from '../../metadata/engine/engine.ts'
import { annotationKind, decodeRecord, manifestKind, objectKind, outboxKind } from '../../metadata/records.ts'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { engineWith } from './engine-with.ts'

/**
 * What must hold of everything that lies in the engine, after each batch: whatever a crash leaves behind is one of these
 * states. The spaces are read as they lie, not through the service.
 */

const OBJECTS = 0x20
const MANIFEST_PAGES = 0x21
const VERSIONS = 0x26
const NULL_VERSIONS = 0x27
const ANNOTATIONS = 0x28
const OUTBOX = 0x30

/** An engine whose every batch is followed by `look`, and takes some turns of the event loop. */
export function watched(engine: Engine, look: () => Promise<void>): Engine {
  return engineWith(engine, {
    async commit(batch: EngineBatch) {
      for (let turns = 0; turns < 2; turns++) await new Promise(setImmediate)
      await engine.commit(batch)
      await look()
    },
  })
}

async function space(engine: Engine, first: number): Promise<EngineEntry[]> {
  const found = await engine.scan({ gte: Uint8Array.of(first), lt: Uint8Array.of(first + 1), limit: 1024 })
  assert.ok(found.length < 1024, 'few enough to be seen at once')
  return found
}

/** @throws {AssertionError} naming what does not hold */
export async function assertStructure(engine: Engine): Promise<void> {
  const objects = await records(engine, OBJECTS)
  const others = await records(engine, VERSIONS)
  assertPlaces(objects, others)
  assertCurrent(objects, others)
  assertNullVersions(objects, others, await space(engine, NULL_VERSIONS))
  await assertAnnotations(engine, [...objects, ...others])
  await assertBlobs(engine, [...objects, ...others])
}

interface Placed {
  readonly at: Uint8Array
  readonly object: ObjectRecord
}

async function records(engine: Engine, first: number): Promise<Placed[]> {
  const entries = await space(engine, first)
  return entries.map(({ key, value }) => ({ at: key, object: decodeRecord(objectKind, value) }))
}

const nameOf = ({ bucket, key }: { readonly bucket: string; readonly key: string }): string =>
  `${bucket}/${key}`

function assertPlaces(objects: readonly Placed[], others: readonly Placed[]): void {
  for (const { at, object } of objects) {
    assert.deepEqual(at, objectKey(object.bucket, object.key))
    assert.equal(object.deleteMarker, false, `${nameOf(object)}: a delete marker is no current object`)
  }
  for (const { at, object } of others) {
    assert.deepEqual(at, versionKey(object.bucket, object.key, object.order))
  }
  const versions = [...objects, ...others].map(({ object }) => `${nameOf(object)} ${object.version}`)
  assert.equal(new Set(versions).size, versions.length, 'a version lies in one place')
}

function assertCurrent(objects: readonly Placed[], others: readonly Placed[]): void {
  const current = new Map(objects.map(({ object }) => [nameOf(object), object]))
  const seen = new Set<string>()
  // In order of key, the newest of a key first.
  for (const { object } of others) {
    const name = nameOf(object)
    const above = current.get(name)
    if (above === undefined) {
      assert.ok(seen.has(name) || object.deleteMarker, `${name}: the newest is an object, and not current`)
    } else assert.ok(above.order > object.order, `${name}: the current object is the newest`)
    seen.add(name)
  }
}

function assertNullVersions(
  objects: readonly Placed[],
  others: readonly Placed[],
  pointers: readonly EngineEntry[],
): void {
  const all = [...objects, ...others].filter(({ object }) => !object.versioned)
  assert.equal(
    new Set(all.map(({ object }) => nameOf(object))).size,
    all.length,
    'a key has one null version at most',
  )
  const wanted = others
    .filter(({ object }) => !object.versioned)
    .map(({ object }) => [keyName(nullVersionKey(object.bucket, object.key)), object.order])
  const found = pointers.map(({ key, value }) => [keyName(key), readNullVersionValue(value)])
  assert.deepEqual(found, wanted, 'pointers lead to the null versions, and there are no others')
}

async function assertAnnotations(engine: Engine, versions: readonly Placed[]): Promise<void> {
  const counted = new Map<string, number>()
  const start = (object: { bucket: string; key: string; version: string }): string =>
    `${object.bucket}\0\x01${object.key}\0\x01${object.version}\0\x01`
  for (const { key, value } of await space(engine, ANNOTATIONS)) {
    const { name } = decodeRecord(annotationKind, value)
    const version = keyName(key).slice(1, -name.length)
    counted.set(version, (counted.get(version) ?? 0) + 1)
  }
  for (const { object } of versions) {
    assert.equal(counted.get(start(object)) ?? 0, object.annotationCount, `annotations of ${nameOf(object)}`)
    counted.delete(start(object))
  }
  const markers = await engine.scan({ ...annotationPurgeSpace(), limit: 1024 })
  for (const { key } of markers) counted.delete(start(readAnnotationPurgeKey(key)))
  assert.deepEqual([...counted.keys()], [], 'annotations of versions that are gone are to be purged')
}

async function assertBlobs(engine: Engine, versions: readonly Placed[]): Promise<void> {
  const garbage: string[] = []
  for (const { value } of await space(engine, OUTBOX)) {
    const { task } = decodeRecord(outboxKind, value)
    if (task.case === 'garbage') garbage.push(...task.value.blobs.map(({ id }) => id))
  }
  const collected = new Set(garbage)
  assert.equal(collected.size, garbage.length, 'a blob is garbage once')
  const pages = await space(engine, MANIFEST_PAGES)
  const reachable: string[] = []
  for (const { object } of versions) {
    if (object.blob !== undefined) reachable.push(object.blob.id)
    const own = pages.filter(({ key }) => keyName(key).includes(object.version))
    assert.equal(own.length, object.manifest?.pageOffsets.length ?? 0, `pages of ${nameOf(object)}`)
    for (const { value } of own) {
      reachable.push(...decodeRecord(manifestKind, value).parts.flatMap(({ blob }) => blob?.id ?? []))
    }
  }
  for (const { value } of await space(engine, ANNOTATIONS)) {
    reachable.push(decodeRecord(annotationKind, value).blob?.id ?? '')
  }
  assert.equal(new Set(reachable).size, reachable.length, 'a blob is of one record')
  for (const blob of reachable) assert.ok(!collected.has(blob), `${blob} is garbage, and can be reached`)
}
