import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { readCredentials } from '../../cli/folder/credentials.ts'
import { findFreePorts } from '../../cli/folder/ports.ts'
import type { ClusterStatus } from '../../cli/status/assess.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { until } from '../cluster/harness.ts'
import { atEnd } from '../cluster/lifetime.ts'
import { contentOf, get, put } from '../cluster/load.ts'
import { ashlar, killNow, type Running } from '../cluster/processes.ts'
import { run } from '../cluster/tools.ts'
import { deployed, readDockerfile } from './files.ts'
import { ownCompose, placed } from './own-compose.ts'

/**
 * Every container of compose.yaml as a process of this machine, by its own command and environment. What a container has to itself, its
 * folder, its name and its ports, is put in other places; nothing else is changed.
 */
test('the services of compose.yaml are a cluster: it stores, loses a zone, and reads', async (t) => {
  const own = await ownCompose(t)
  const compose = await own.load('compose.yaml')
  const image = await readDockerfile()
  const names = [...compose.services.keys()]
  const ports = await findFreePorts(2 * names.length, '127.0.0.1', systemRandom)
  const portOf = new Map(names.map((name, index) => [name, ports[index] ?? 0]))
  const adminOf = new Map(names.map((name, index) => [name, ports[names.length + index] ?? 0]))

  const place = (service: string) => (text: string) =>
    text
      .replaceAll(/\/run\/secrets\/([a-z-]+)/g, (_all, secret: string) => own.secret(compose, secret))
      .replace(/^\/data/, join(own.folder, service))
      .replaceAll(/([a-z0-9-]+):91\d\d/g, (_all, name: string) => `127.0.0.1:${portOf.get(name) ?? 0}`)
  const running = new Map<string, Running>()
  atEnd(t, async () => {
    for (const { pid } of running.values()) killNow(pid)
    await Promise.all([...running.values()].map(({ ended }) => ended))
  })
  async function start(name: string): Promise<void> {
    const service = compose.services.get(name) ?? assert.fail(name)
    const { args, environment } = placed(service, place(name))
    const one = ashlar(args, {
      ...image.environment,
      ...environment,
      ASHLAR_HOST: '127.0.0.1',
      // The worker listens nowhere and knows no such option; it does not mind.
      ASHLAR_PORT: String(portOf.get(name)),
      ASHLAR_ADMIN_PORT: String(adminOf.get(name)),
    })
    running.set(name, one)
    await one.said(/ ready( on |$)/m)
  }
  await start('metadata')
  await Promise.all(names.filter((name) => name !== 'metadata').map(start))

  // As `curl` in a container would: the admin interface is on its loopback.
  const down = async () => {
    const answer = await fetch(`http://127.0.0.1:${adminOf.get('worker') ?? 0}/v1/status`)
    if (!answer.ok) return names
    const { zones } = (await answer.json()) as ClusterStatus
    return zones.flatMap(({ nodes }) => nodes.filter(({ state }) => state !== 'up').map(({ node }) => node))
  }
  await until(async () => (await down()).length === 0)
  const credentials =
    (await readCredentials(own.secret(compose, 'root-credentials'))) ?? assert.fail('no credentials')
  const client = (name: string) => {
    const endpoint = `http://127.0.0.1:${portOf.get(name) ?? 0}`
    const made = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
    atEnd(t, () => {
      made.destroy()
    })
    return made
  }
  const version = { name: 'large', size: 9_000_000 }
  await client('gateway-1').send(new CreateBucketCommand({ Bucket: 'composed' }))
  await put(client('gateway-1'), 'composed', 'large', version)
  const read = async () => Buffer.from((await get(client('gateway-2'), 'composed', 'large')) ?? [])
  assert.ok((await read()).equals(contentOf(version)))

  for (const name of names) {
    await run(process.execPath, [deployed('docker', 'healthcheck.js')], {
      ASHLAR_ADMIN_PORT: String(adminOf.get(name)),
    })
  }
  for (const name of ['zone-a-1', 'zone-a-2']) killNow(running.get(name)?.pid ?? 0)
  await assert.rejects(
    run(process.execPath, [deployed('docker', 'healthcheck.js')], {
      ASHLAR_ADMIN_PORT: String(adminOf.get('zone-a-1')),
    }),
    'the health check of a container that is gone',
  )
  assert.ok((await read()).equals(contentOf(version)))
  await put(client('gateway-2'), 'composed', 'later', version)
  for (const name of ['gateway-1', 'worker', 'zone-b-1', 'metadata']) {
    const one = running.get(name) ?? assert.fail(name)
    one.child.kill('SIGTERM')
    assert.deepEqual(await one.ended, { code: 0, signal: null }, name)
  }
})
