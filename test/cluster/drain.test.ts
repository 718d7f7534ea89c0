import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { isFree } from '../../cli/folder/ports.ts'
import { startCluster } from './harness.ts'
import { contentOf, get } from './load.ts'

test('SIGTERM lets a request in flight end, takes no new one, and exits with 0', async (t) => {
  const cluster = await startCluster(t)
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: 'drain' }))
  const version = { name: 'slow', size: 3_000_000 }
  const body = contentOf(version)
  const url = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'drain', Key: 'slow' }))
  const put = request(url, {
    method: 'PUT',
    headers: { 'content-length': body.length, expect: '100-continue' },
  })
  const answered = once(put, 'response') as Promise<[IncomingMessage]>
  put.flushHeaders()
  // The gateway says this when the handler takes the body: the request is in flight for certain.
  await once(put, 'continue')
  put.write(body.subarray(0, 1_000_000))

  cluster.main().child.kill('SIGTERM')
  const { port } = new URL(cluster.endpoints[0] ?? '')
  while (!(await isFree(Number(port), '127.0.0.1'))) await delay(10)
  put.end(body.subarray(1_000_000))
  const [response] = await answered
  response.resume()
  assert.equal(response.statusCode, 200)
  assert.deepEqual(await cluster.main().ended, { code: 0, signal: null })

  await cluster.startAgain()
  assert.deepEqual(Buffer.from((await get(cluster.client(), 'drain', 'slow')) ?? []), body)
})

test('a second Ctrl-C ends at once what the first would wait for', async (t) => {
  const cluster = await startCluster(t)
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: 'drain' }))
  const url = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'drain', Key: 'never' }))
  const put = request(url, { method: 'PUT', headers: { 'content-length': 1000, expect: '100-continue' } })
  const broken = once(put, 'error')
  put.flushHeaders()
  await once(put, 'continue')
  const main = cluster.main()
  main.child.kill('SIGINT')
  const { port } = new URL(cluster.endpoints[0] ?? '')
  while (!(await isFree(Number(port), '127.0.0.1'))) await delay(10)
  // Until it is a second one: a repetition right after the first is npm's echo of it.
  const insist = setInterval(() => main.child.kill('SIGINT'), 50)
  const ended = await main.ended
  clearInterval(insist)
  assert.deepEqual(ended, { code: 1, signal: null })
  await broken
  await cluster.startAgain()
  assert.equal(await get(cluster.client(), 'drain', 'never'), undefined)
})
