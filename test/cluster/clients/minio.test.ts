import assert from 'node:assert/strict'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Client } from 'minio'
import { startCluster, temporaryFolder, type Cluster } from '../harness.ts'
import { digestOf, makeFile } from '../tools.ts'

const MIB = 1024 * 1024

function minioFor(cluster: Cluster): Client {
  const { hostname, port } = new URL(cluster.endpoints[0] ?? '')
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = cluster.credentials
  return new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    region: 'us-east-1',
    accessKey,
    secretKey,
    partSize: 5 * MIB,
  })
}

test('minio-js: a file in parts, stat, copy, ranges, listing, removal', async (t) => {
  const client = minioFor(await startCluster(t))
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  const size = 12 * MIB + 7
  await makeFile(up, 'minio', size)
  assert.equal(await client.bucketExists('minio'), false)
  await client.makeBucket('minio')
  assert.equal(await client.bucketExists('minio'), true)
  await client.fPutObject('minio', 'a b/ü+1', up, { 'Content-Type': 'image/x-test', colour: 'blue' })
  const stat = await client.statObject('minio', 'a b/ü+1')
  assert.equal(stat.size, size)
  assert.match(stat.etag, /-3$/)
  assert.equal(stat.metaData['content-type'], 'image/x-test')
  assert.equal(stat.metaData['colour'], 'blue')
  await client.fGetObject('minio', 'a b/ü+1', down)
  assert.equal(await digestOf(down), await digestOf(up))

  await client.putObject('minio', 'small', 'twelve bytes')
  await client.copyObject('minio', 'copied', '/minio/small')
  const part = await client.getPartialObject('minio', 'copied', 7, 5)
  assert.equal(await text(part), 'bytes')
  const names: string[] = []
  for await (const entry of client.listObjectsV2('minio', '', true)) {
    names.push((entry as { name: string }).name)
  }
  assert.deepEqual(names, ['a b/ü+1', 'copied', 'small'])
  await client.removeObjects('minio', names)
  await client.removeBucket('minio')
  assert.deepEqual(await client.listBuckets(), [])
})

test('minio-js: presigned requests and a form with a policy', async (t) => {
  const client = minioFor(await startCluster(t))
  await client.makeBucket('forms')
  const put = await fetch(await client.presignedPutObject('forms', 'by url', 60), {
    method: 'PUT',
    body: 'by url',
  })
  assert.equal(put.status, 200)
  const read = await fetch(await client.presignedGetObject('forms', 'by url', 60))
  assert.equal(await read.text(), 'by url')

  const policy = client.newPostPolicy()
  policy.setBucket('forms')
  policy.setKey('by form')
  policy.setExpires(new Date(Date.now() + 60_000))
  policy.setContentLengthRange(1, 1000)
  const { postURL, formData } = await client.presignedPostPolicy(policy)
  const form = new FormData()
  for (const [name, value] of Object.entries(formData)) form.append(name, String(value))
  form.append('file', new Blob(['by form']), 'file.txt')
  const posted = await fetch(postURL, { method: 'POST', body: form })
  assert.equal(posted.status, 204, await posted.text())
  const stored = await client.getObject('forms', 'by form')
  assert.equal(await text(stored), 'by form')
})

test('minio-js: versions and tags', async (t) => {
  const client = minioFor(await startCluster(t))
  await client.makeBucket('versions')
  await client.setBucketVersioning('versions', { Status: 'Enabled' })
  const first = await client.putObject('versions', 'key', 'first')
  const second = await client.putObject('versions', 'key', 'second')
  const versionId = first.versionId ?? ''
  assert.notEqual(versionId, '')
  assert.notEqual(versionId, second.versionId)
  const read = await client.getObject('versions', 'key', { versionId })
  assert.equal(await text(read), 'first')
  await client.setObjectTagging('versions', 'key', { colour: 'blue' }, { versionId })
  assert.deepEqual(await client.getObjectTagging('versions', 'key', { versionId }), [
    { Key: 'colour', Value: 'blue' },
  ])
  assert.deepEqual(await client.getObjectTagging('versions', 'key'), [])
  await client.removeObject('versions', 'key')
  await assert.rejects(client.statObject('versions', 'key'), { code: 'NotFound' })
  const listed = client.listObjects('versions', '', true, { IncludeVersion: true })
  assert.equal((await listed.toArray()).length, 3)
})
