import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { startCluster, temporaryFolder } from '../harness.ts'
import { list } from '../load.ts'
import { digestOf, makeFile, missing, run } from '../tools.ts'
import { LARGE_BYTES } from './sizes.ts'

const noCurl = await missing('curl')

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

test('curl --path-as-is: nothing in a path is normalised', { skip: noCurl }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const up = join(folder, 'up')
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: 'as-is' }))
  const curl = (...args: string[]) => run('curl', ['--fail-with-body', '--silent', '--path-as-is', ...args])
  const keys = ['..', 'a/../b', './a', 'a//b', '//a', 'a/.', 'b'].toSorted()
  for (const Key of keys) {
    await writeFile(up, Key)
    const put = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'as-is', Key }))
    const get = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'as-is', Key }))
    assert.ok(get.includes(`/as-is/${Key}?`), get)
    // Not --upload-file, which puts the file's own name into a path that ends in dots.
    await curl('--request', 'PUT', '--data-binary', `@${up}`, put)
    assert.equal(await curl(get), Key)
  }
  assert.deepEqual([...(await list(client, 'as-is')).keys()].toSorted(), keys)
})
