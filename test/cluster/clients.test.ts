import assert from 'node:assert/strict'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { startCluster, temporaryFolder } from './harness.ts'
import { list } from './load.ts'
import { awsEnvironment, digestOf, digestsOf, makeFile, makeTree, missing, run } from './tools.ts'

/** Real clients against a cluster of separate processes. ASHLAR_TEST_FULL=1 takes the sizes of a real load. */
const full = process.env['ASHLAR_TEST_FULL'] === '1'

const MIB = 1024 * 1024
/** Not a multiple of any part, stripe or shard. */
const LARGE_BYTES = (full ? 1100 * MIB : 64 * MIB) + 12_345
const TREE_FILES = full ? 2100 : 300

const noAws = await missing('aws')
const noCurl = await missing('curl')

test('aws s3 cp: a large file, up in parts and down in ranges', { skip: noAws }, async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  await makeFile(up, 'large', LARGE_BYTES)
  const [first, second] = [awsEnvironment(cluster, 0), awsEnvironment(cluster, 1)]
  await run('aws', ['s3', 'mb', 's3://large'], first)
  await run('aws', ['s3', 'cp', '--no-progress', up, 's3://large/a/b c/up.bin'], first)
  await run('aws', ['s3', 'cp', '--no-progress', 's3://large/a/b c/up.bin', down], second)
  assert.equal(await digestOf(down), await digestOf(up))
  const listed = await run('aws', ['s3', 'ls', '--recursive', 's3://large'], second)
  assert.match(listed, new RegExp(` ${LARGE_BYTES} a/b c/up\\.bin\\n$`))
})

test(
  'aws s3 sync: a tree of small files, there, back, and nothing the second time',
  { skip: noAws },
  async (t) => {
    const cluster = await startCluster(t)
    const folder = await temporaryFolder(t)
    const [up, down] = [join(folder, 'up'), join(folder, 'down')]
    await makeTree(up, TREE_FILES)
    const environment = awsEnvironment(cluster)
    await run('aws', ['s3', 'mb', 's3://tree'], environment)
    await run('aws', ['s3', 'sync', '--no-progress', up, 's3://tree/deep/er'], environment)
    await run('aws', ['s3', 'sync', '--no-progress', 's3://tree/deep/er', down], environment)
    const expected = await digestsOf(up)
    assert.equal(expected.size, TREE_FILES)
    assert.deepEqual(await digestsOf(down), expected)
    assert.equal(await run('aws', ['s3', 'sync', '--no-progress', up, 's3://tree/deep/er'], environment), '')
    assert.equal((await list(cluster.client(), 'tree')).size, TREE_FILES)
    await run('aws', ['s3', 'rb', '--force', 's3://tree'], environment)
  },
)

test("the SDK's Upload with parts in parallel", async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  await makeFile(up, 'upload', LARGE_BYTES)
  const client = cluster.client(0)
  await client.send(new CreateBucketCommand({ Bucket: 'upload' }))
  const Body = createReadStream(up)
  const params = { Bucket: 'upload', Key: 'large', Body }
  await new Upload({ client, params, queueSize: 4, partSize: 8 * MIB }).done()
  const read = await cluster.client(1).send(new GetObjectCommand({ Bucket: 'upload', Key: 'large' }))
  assert.equal(read.ContentLength, LARGE_BYTES)
  assert.ok(read.Body instanceof Readable)
  await pipeline(read.Body, createWriteStream(down))
  assert.equal(await digestOf(down), await digestOf(up))
})

test('curl with presigned URLs, up and down', { skip: noCurl }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  await makeFile(up, 'presigned', LARGE_BYTES)
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: 'presigned' }))
  const target = { Bucket: 'presigned', Key: 'ключ +&?.bin' }
  const putUrl = await getSignedUrl(client, new PutObjectCommand(target), { expiresIn: 300 })
  const getUrl = await getSignedUrl(client, new GetObjectCommand(target), { expiresIn: 300 })
  await run('curl', ['--fail-with-body', '--silent', '--show-error', '--upload-file', up, putUrl])
  await run('curl', ['--fail-with-body', '--silent', '--show-error', '--output', down, getUrl])
  assert.equal(await digestOf(down), await digestOf(up))
  const tampered = await run('curl', ['--silent', getUrl.replace('presigned/', 'presigned/x')])
  assert.match(tampered, /<Code>SignatureDoesNotMatch<\/Code>/)
})
