import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { findFreePorts } from '../../cli/folder/ports.ts'
import type { ClusterStatus } from '../../cli/status/assess.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { temporaryFolder, until } from './harness.ts'
import { atEnd } from './lifetime.ts'
import { contentOf, get, put } from './load.ts'
import { ashlar, killNow, runAshlar, type Running } from './processes.ts'

/** Starts one service and waits until it is ready; it ends with the test. */
async function service(
  t: TestContext,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const running = ashlar(args, environment)
  atEnd(t, async () => {
    killNow(running.pid)
    await running.ended
  })
  await running.said(/ ready on /)
  return running
}

const credentials = { accessKeyId: 'administrator', secretAccessKey: 'correct-horse-battery' }

test('services put together by hand, as on machines of their own: by flags, environment and files', async (t) => {
  const folder = await temporaryFolder(t)
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, randomBytes(32).toString('hex'), { mode: 0o600 })
  const [metadataPort = 0, gatewayPort = 0] = await findFreePorts(2, '127.0.0.1', systemRandom)
  const metadata = `127.0.0.1:${metadataPort}`

  const nodes = JSON.stringify({ here: ['one'], there: ['two'], yonder: ['three'] })
  const flags = [
    '--data',
    join(folder, 'metadata'),
    '--port',
    String(metadataPort),
    '--secret-file',
    secretFile,
  ]
  const bootstrap = ['--cluster-id', '0123456789abcdef'.repeat(2), '--nodes', nodes, '--code', 'rs-2-1']
  const metadataService = await service(t, ['metadata', ...flags, ...bootstrap])
  for (const [node, zone] of [
    ['one', 'here'],
    ['two', 'there'],
    ['three', 'yonder'],
  ] as const) {
    await service(t, ['storage-node', '--port', '0'], {
      ASHLAR_NODE: node,
      ASHLAR_ZONE: zone,
      ASHLAR_DATA: join(folder, node),
      ASHLAR_METADATA: metadata,
      ASHLAR_SECRET_FILE: secretFile,
    })
  }
  const file = join(folder, 'gateway.json')
  await writeFile(file, JSON.stringify({ port: gatewayPort, metadata, secretFile: 'secret', region: 'eu-1' }))
  await service(t, ['gateway', '--config', file], {
    ASHLAR_ROOT_ACCESS_KEY: credentials.accessKeyId,
    ASHLAR_ROOT_SECRET_KEY: credentials.secretAccessKey,
  })

  const endpoint = `http://127.0.0.1:${gatewayPort}`
  const client = new S3Client({ endpoint, region: 'eu-1', credentials, forcePathStyle: true })
  atEnd(t, () => {
    client.destroy()
  })
  await client.send(new CreateBucketCommand({ Bucket: 'by-hand' }))
  const version = { name: 'large', size: 5_000_000 }
  await put(client, 'by-hand', 'large', version)
  assert.deepEqual(Buffer.from((await get(client, 'by-hand', 'large')) ?? []), contentOf(version))

  const status = ['status', '--metadata', metadata, '--secret-file', secretFile]
  // Nodes tell what they hold in heartbeats: until the last has, the ledger takes the blob for short of its shards.
  await until(async () => {
    const { pools } =
      (JSON.parse((await runAshlar([...status, '--json'])).stdout) as ClusterStatus).risk ?? {}
    return pools?.some(({ blobs, reduced }) => blobs === 1 && reduced === 0) ?? false
  })
  const reached = await runAshlar(status)
  assert.equal(reached.code, 0, reached.stderr)
  assert.match(reached.stdout, /standard +rs-2-1 +any size +1\.5x/)
  assert.match(reached.stdout, /yonder +standard +0 +0 +NO/)
  assert.doesNotMatch(reached.stdout, /Problem|Warning/)

  const wrong = join(folder, 'wrong')
  await writeFile(wrong, randomBytes(32).toString('hex'))
  const stranger = await runAshlar(['status', '--metadata', metadata, '--secret-file', wrong])
  assert.equal(stranger.code, 1)
  assert.match(stranger.stderr, /cannot be reached: the metadata service refused this process: .*secret/)

  const twice = await runAshlar(['metadata', ...flags.with(3, '0'), ...bootstrap])
  assert.equal(twice.code, 1)
  assert.match(twice.stderr, /^ashlar: metadata is already running: another process holds /)
  metadataService.child.kill('SIGTERM')
  assert.deepEqual(await metadataService.ended, { code: 0, signal: null })
})
