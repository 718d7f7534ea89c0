/** CopyObject and the annotations of its source. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectAnnotationCommand,
  HeadObjectCommand,
  ListObjectAnnotationsCommand,
  PutObjectAnnotationCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { putVersion, setVersioning } from './versions.ts'

const { client, faults, heal, newBucket } = await startConformance()
const Bucket = await newBucket()

test('annotations are copied, onto the object itself, too, unless they are excluded', async () => {
  const Key = 'annotated'
  const CopySource = `${Bucket}/${Key}`
  const notes = { 'note.a': 'first', 'note.b': 'größe'.repeat(20_000) }
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  for (const [AnnotationName, AnnotationPayload] of Object.entries(notes)) {
    await client.send(new PutObjectAnnotationCommand({ Bucket, Key, AnnotationName, AnnotationPayload }))
  }
  const annotationsOf = async (key: string): Promise<Record<string, string>> => {
    const { Annotations = [] } = await client.send(new ListObjectAnnotationsCommand({ Bucket, Key: key }))
    const texts = Annotations.map(async ({ AnnotationName }) => {
      const answer = await client.send(new GetObjectAnnotationCommand({ Bucket, Key: key, AnnotationName }))
      return [AnnotationName ?? '', (await answer.AnnotationPayload?.transformToString()) ?? ''] as const
    })
    return Object.fromEntries(await Promise.all(texts))
  }
  for (const more of [{}, { AnnotationDirective: 'COPY' }] as const) {
    await client.send(new CopyObjectCommand({ Bucket, Key: `${Key}.copy`, CopySource, ...more }))
    assert.deepEqual(await annotationsOf(`${Key}.copy`), notes)
  }
  const without = { Bucket, Key: `${Key}.without`, CopySource, AnnotationDirective: 'EXCLUDE' } as const
  await client.send(new CopyObjectCommand(without))
  assert.deepEqual(await annotationsOf(without.Key), {})
  await client.send(new CopyObjectCommand({ Bucket, Key, CopySource, MetadataDirective: 'REPLACE' }))
  assert.deepEqual(await annotationsOf(Key), notes)
})

test('the annotations of a version that is named are copied, and not those of the current one', async () => {
  const versioned = await newBucket()
  await setVersioning(client, versioned, 'Enabled')
  const Key = 'annotated'
  const annotate = (AnnotationName: string) =>
    client.send(
      new PutObjectAnnotationCommand({ Bucket: versioned, Key, AnnotationName, AnnotationPayload: 'x' }),
    )
  const first = await putVersion(client, versioned, Key, 'one')
  await annotate('of-one')
  await putVersion(client, versioned, Key, 'two')
  await annotate('of-two')
  const CopySource = `${versioned}/${Key}?versionId=${first}`
  await client.send(new CopyObjectCommand({ Bucket: versioned, Key, CopySource }))
  const { Annotations = [] } = await client.send(new ListObjectAnnotationsCommand({ Bucket: versioned, Key }))
  assert.deepEqual(
    Annotations.map(({ AnnotationName }) => AnnotationName),
    ['of-one'],
  )
})

/** Runs `change` once, when the gateway is about to ask metadata for `operation`. */
function before(operation: string, change: () => Promise<unknown>): void {
  let pending = true
  faults.metadata = async (asked) => {
    if (!pending || asked !== operation) return undefined
    pending = false
    await change()
    return undefined
  }
}

async function putAnnotated(Key: string, Body: string): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key, Body }))
  const note = { Bucket, Key, AnnotationName: `of-${Body}`, AnnotationPayload: Body }
  await client.send(new PutObjectAnnotationCommand(note))
}

test('a copy never has the bytes of one object and the annotations of the one that replaced it', async (t) => {
  const changes = {
    replaced: () => putAnnotated('source', 'two'),
    deleted: () => client.send(new DeleteObjectCommand({ Bucket, Key: 'source' })),
  }
  for (const [what, change] of Object.entries(changes)) {
    await t.test(what, async () => {
      await putAnnotated('source', 'one')
      before('listAnnotations', change)
      const copy = new CopyObjectCommand({ Bucket, Key: 'mixed', CopySource: `${Bucket}/source` })
      await assert.rejects(client.send(copy), s3Error('OperationAborted', 409))
      heal()
      await assert.rejects(
        client.send(new HeadObjectCommand({ Bucket, Key: 'mixed' })),
        s3Error('NotFound', 404),
      )
    })
  }
})

test('a copy that is replaced or deleted before it has all annotations was made all the same', async (t) => {
  const Key = 'short-lived'
  const changes = {
    replaced: () => client.send(new PutObjectCommand({ Bucket, Key, Body: 'newer' })),
    deleted: () => client.send(new DeleteObjectCommand({ Bucket, Key })),
  }
  for (const [what, change] of Object.entries(changes)) {
    await t.test(what, async () => {
      await putAnnotated('source', 'one')
      before('putAnnotation', change)
      const { CopyObjectResult } = await client.send(
        new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source` }),
      )
      heal()
      assert.match(CopyObjectResult?.ETag ?? '', /^"[0-9a-f]{32}"$/)
      const { Annotations } = await client
        .send(new ListObjectAnnotationsCommand({ Bucket, Key }))
        .catch(() => ({ Annotations: undefined }))
      assert.deepEqual(Annotations ?? [], [])
    })
  }
})
