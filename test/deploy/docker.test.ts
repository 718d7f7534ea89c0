import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { readCredentials, type Credentials } from '../../cli/folder/credentials.ts'
import { root } from '../../scripts/lib/root.ts'
import { freePort } from '../cluster/harness.ts'
import { atEnd } from '../cluster/lifetime.ts'
import { contentOf, get, put } from '../cluster/load.ts'
import { ownCompose } from './own-compose.ts'

/**
 * The image built and run by a Docker engine, where there is one. The base image must be there already: a test that waits for a
 * registry says nothing of this project.
 */

const execute = promisify(execFile)

const BASE = process.env['ASHLAR_NODE_IMAGE'] ?? 'node:24-bookworm-slim'
const IMAGE = `ashlar-test:${process.pid}`
const BUILD_MS = 280_000

/** Runs `docker`, with the environment of this process, which says where the engine is. */
async function docker(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, ...environment }
  const { stdout, stderr } = await execute('docker', args, {
    env,
    maxBuffer: 64 * 1024 * 1024,
    timeout: BUILD_MS,
  })
  return `${stdout}${stderr}`
}

async function without(
  ...commands: readonly (readonly [args: string[], why: string])[]
): Promise<string | false> {
  for (const [args, why] of commands) {
    try {
      await docker(args)
    } catch {
      return why
    }
  }
  return false
}

const noEngine = await without(
  [['version', '--format', '{{.Server.Version}}'], 'there is no Docker engine'],
  [['image', 'inspect', BASE], `the engine has no ${BASE}: docker pull it, or set ASHLAR_NODE_IMAGE`],
)
const noCompose = noEngine || (await without([['compose', 'version'], 'there is no docker compose']))

let built: Promise<string> | undefined

/** Built once for all tests of this file. */
async function image(): Promise<string> {
  const dockerfile = join(root, 'deploy', 'docker', 'Dockerfile')
  const args = ['build', '--file', dockerfile, '--tag', IMAGE, '--build-arg', `NODE_IMAGE=${BASE}`, root]
  built ??= docker(args)
  await built
  return IMAGE
}

after(async () => {
  if (built !== undefined) await docker(['image', 'rm', '-f', IMAGE]).catch(() => undefined)
})

function clientOf(t: TestContext, port: number, credentials: Credentials): S3Client {
  const endpoint = `http://127.0.0.1:${port}`
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
  atEnd(t, () => {
    client.destroy()
  })
  return client
}

const version = { name: 'large', size: 5_000_000 }
const isWhole = (found: Uint8Array | undefined) => Buffer.from(found ?? []).equals(contentOf(version))

test(
  'the image is a cluster: it stores, is killed, reads, and ends in order',
  { skip: noEngine },
  async (t) => {
    const tag = await image()
    const name = `ashlar-test-${process.pid}`
    const port = await freePort()
    atEnd(t, async () => void (await docker(['rm', '-f', '-v', name])))
    await docker([
      'run',
      '--detach',
      `--name=${name}`,
      `--publish=127.0.0.1:${port}:9000`,
      '--read-only',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      tag,
    ])
    const state = async (format: string) => (await docker(['inspect', name, '--format', format])).trim()
    const healthy = async () => {
      while ((await state('{{.State.Health.Status}}')) !== 'healthy') {
        assert.equal(await state('{{.State.Running}}'), 'true', await docker(['logs', name]))
        await delay(500)
      }
    }
    await healthy()
    const { accessKeyId, secretAccessKey } = JSON.parse(
      await docker(['exec', name, 'ashlar', 'credentials', '--json']),
    ) as Credentials
    const client = clientOf(t, port, { accessKeyId, secretAccessKey })
    await client.send(new CreateBucketCommand({ Bucket: 'contained' }))
    await put(client, 'contained', 'large', version)
    await docker(['kill', '--signal', 'KILL', name])
    await docker(['start', name])
    await healthy()
    assert.ok(isWhole(await get(client, 'contained', 'large')))
    assert.match(await docker(['exec', name, 'ashlar', 'status']), /is healthy/)
    await docker(['stop', '--time', '30', name])
    assert.equal(await state('{{.State.ExitCode}}'), '0')
  },
)

test('docker compose up is a cluster that loses a zone', { skip: noCompose }, async (t) => {
  const tag = await image()
  const own = await ownCompose(t)
  const first = await freePort(2)
  const compose = async (...args: readonly string[]) =>
    await docker(
      ['compose', '--project-name', `ashlar-test-${process.pid}`, '--project-directory', own.folder].concat(
        args,
      ),
      { ASHLAR_IMAGE: tag, ASHLAR_PORT_1: String(first), ASHLAR_PORT_2: String(first + 1) },
    )
  atEnd(t, async () => void (await compose('down', '--volumes', '--timeout', '30')))
  await compose('up', '--detach', '--wait')
  const file = own.secret(await own.load('compose.yaml'), 'root-credentials')
  const credentials = (await readCredentials(file)) ?? assert.fail('no credentials')
  await clientOf(t, first, credentials).send(new CreateBucketCommand({ Bucket: 'composed' }))
  await put(clientOf(t, first, credentials), 'composed', 'large', version)
  await compose('kill', 'zone-a-1', 'zone-a-2')
  assert.ok(isWhole(await get(clientOf(t, first + 1, credentials), 'composed', 'large')))
  await put(clientOf(t, first + 1, credentials), 'composed', 'later', version)
})
