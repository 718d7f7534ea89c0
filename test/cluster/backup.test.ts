import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { startCluster } from './harness.ts'
import { get, Ledger, startLoad } from './load.ts'
import { runAshlar } from './processes.ts'

const BUCKET = 'backup'

test('metadata is backed up under load, lost, and restored: what was acknowledged before is read back', async (t) => {
  const cluster = await startCluster(t)
  const client = cluster.client(0, 1)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const ledger = new Ledger()
  const load = startLoad(t, [client], BUCKET, ledger, { writers: 3, readers: 0, endAtFailure: true })
  await load.progress(25)
  // Written once each: what comes after the backup does not change them.
  const before = ledger.acknowledgedKeys().filter((key) => !key.includes('again'))
  const file = join(cluster.paths.folder, '..', 'metadata.backup')
  const taken = await cluster.command('metadata', 'backup', '--to', file)
  assert.equal(taken.code, 0, taken.stderr)
  assert.match(taken.stdout, /records as of/)
  await load.progress(10)

  const again = await cluster.command('metadata', 'backup', '--to', file)
  assert.deepEqual([again.code, again.stderr.includes('is there already')], [1, true])
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const verified = await runAshlar(['metadata', 'verify', file, '--json'])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  const running = await cluster.command('metadata', 'restore', file)
  assert.match(running.stderr, /is running/)

  await cluster.killEverything()
  await load.stop()
  const full = await cluster.command('metadata', 'restore', file)
  assert.deepEqual([full.code, full.stderr.includes('is not empty')], [1, true])
  await rm(cluster.paths.metadata, { recursive: true })
  const bytes = await readFile(file)
  await writeFile(`${file}.torn`, bytes.subarray(0, bytes.length - 1))
  const torn = await cluster.command('metadata', 'restore', `${file}.torn`)
  assert.deepEqual([torn.code, torn.stderr.includes('cut short')], [1, true])
  const restored = await cluster.command('metadata', 'restore', file)
  assert.equal(restored.code, 0, restored.stderr)

  await cluster.startAgain()
  assert.ok(before.length >= 10)
  for (const key of before) ledger.check(key, await get(client, BUCKET, key))
  assert.equal((await cluster.status()).restores.length, 1)
  const accepted = await cluster.command('metadata', 'accept-restore')
  assert.match(accepted.stdout, /^Accepted: the restore from a backup of/)
  assert.deepEqual((await cluster.status()).restores, [])
})
