import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, HeadBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { freePort, temporaryFolder } from './harness.ts'
import { atEnd } from './lifetime.ts'
import { ashlar, killNow, runAshlar } from './processes.ts'

const SECRET = 'alice/secret+of-forty-characters-or-so'
const alice = {
  accountId: '111122223333',
  displayName: 'alice',
  accessKeys: [{ accessKeyId: 'AKIDALICE', secretAccessKey: SECRET }],
}
const root = { accessKeyId: 'administrator', secretAccessKey: 'correct-horse-battery' }
const environment = {
  ASHLAR_ROOT_ACCESS_KEY: root.accessKeyId,
  ASHLAR_ROOT_SECRET_KEY: root.secretAccessKey,
}

test('accounts of a file: each with its own buckets, in processes of their own too', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'accounts.json')
  await writeFile(file, JSON.stringify({ accounts: [alice] }), { mode: 0o600 })
  const port = await freePort()
  const options = ['--zones', '1', '--nodes-per-zone', '2', '--code', 'replica-2', '--port', String(port)]
  const data = join(folder, 'data')
  const args = ['start', '--separate', '--data', data, ...options]
  const running = ashlar([...args, '--accounts', file], environment)
  atEnd(t, async () => {
    killNow(running.pid)
    await running.ended
  })
  await running.said(/^Ready\./m)
  const clientOf = (credentials: { accessKeyId: string; secretAccessKey: string }) => {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials,
      forcePathStyle: true,
      maxAttempts: 1,
    })
    atEnd(t, () => {
      client.destroy()
    })
    return client
  }
  const [ofRoot, ofAlice] = [clientOf(root), ...alice.accessKeys.map(clientOf)]
  assert.ok(ofAlice !== undefined)
  await ofAlice.send(new CreateBucketCommand({ Bucket: 'of-alice' }))
  const { Buckets = [] } = await ofAlice.send(new ListBucketsCommand({}))
  assert.deepEqual(
    Buckets.map(({ Name }) => Name),
    ['of-alice'],
  )
  assert.deepEqual((await ofRoot.send(new ListBucketsCommand({}))).Buckets ?? [], [])
  await assert.rejects(ofRoot.send(new HeadBucketCommand({ Bucket: 'of-alice' })))
  running.child.kill('SIGTERM')
  assert.equal((await running.ended).code, 0)
  // Configuration and logs of the services name the file, and never what it holds.
  const gateway = await readFile(join(data, 'run', 'gateway-1.json'), 'utf8')
  assert.ok(gateway.includes('accounts.json'))
  assert.ok(!`${gateway}${running.stdout()}${running.stderr()}`.includes(SECRET))
})

test('a file that will not do is refused before anything is made', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'accounts.json')
  const data = join(folder, 'data')
  const start = () => runAshlar(['start', '--data', data, '--port', '0'], { ASHLAR_ACCOUNTS: file })
  const missing = await start()
  assert.deepEqual([missing.code, missing.stderr], [1, `ashlar: ${file}: no such file\n`])
  await writeFile(file, JSON.stringify({ accounts: [{ ...alice, accountId: 'alice' }] }), { mode: 0o600 })
  const wrong = await start()
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /accounts: 0: accountId: expected 12 digits/)
  await chmod(file, 0o644)
  const open = await start()
  assert.equal(open.code, 1)
  assert.match(open.stderr, /chmod 600/)
  for (const { stderr } of [missing, wrong, open]) assert.ok(!stderr.includes(SECRET))
  await assert.rejects(readFile(join(data, 'cluster.json')))
})
