/** A backup is the way from one engine to another. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { EngineNotEmptyError } from '../../metadata/backup/restore.ts'
import { type EnginePorts, EngineSpecError, openEngine } from '../../metadata/engine/open.ts'
import { startOn } from '../../metadata/main.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import { createBucket, garbage, get, put } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'
import { postgresMissing, startPostgres, urlOf } from '../servers/postgres.ts'
import { assertVerified, backUp, restoreFile } from './backups.ts'

const OBJECTS = 300
const ports: EnginePorts = { ...world, readFile }

/** Of metadata on an engine in a folder. */
async function backupOfLevel(): Promise<DiskFile> {
  const { path, remove } = await temporaryDirectory()
  const { api, close } = await startOn(await openEngine(`level:${path}`, ports), metadataConfig(), world)
  await createBucket(api)
  await Promise.all(Array.from({ length: OBJECTS }, (_object, index) => put(api, `k${index}`)))
  await put(api, 'k1')
  const file = await backUp(api)
  await close()
  await remove()
  return file
}

/** Restores there, and goes on from it. */
async function movesTo(spec: string): Promise<void> {
  const file = await backupOfLevel()
  const engine = await openEngine(spec, ports)
  await restoreFile(file, engine)
  await assert.rejects(restoreFile(file, engine), EngineNotEmptyError)
  const { api, close } = await startOn(engine, metadataConfig(), world)
  for (const key of ['k0', `k${OBJECTS - 1}`]) assert.equal((await get(api, key))?.key, key)
  const { objects } = await api.call('listObjects', { bucket: 'bucket', limit: 1000 })
  assert.equal(objects.length, OBJECTS)
  assert.equal((await garbage(api)).length, 1)
  await put(api, 'later')
  const { counts } = await assertVerified(await backUp(api))
  assert.equal(counts.find(({ name }) => name === 'objects')?.count, OBJECTS + 1)
  await close()
}

test('from a folder to PostgreSQL', { skip: await postgresMissing() }, async () => {
  const server = await startPostgres({ settings: { fsync: 'off', autovacuum: 'off' } })
  try {
    // The scheme as operators of servers write it; the other tests have the shorter one.
    await movesTo(urlOf([server]).replace(/^postgres:/, 'postgresql:'))
  } finally {
    await server.dispose()
  }
})

test('from a folder to etcd', { skip: await etcdMissing() }, async () => {
  const servers = await EtcdServers.start({ members: 1 })
  try {
    await movesTo(servers.url())
  } finally {
    await servers.stop()
  }
})

test('what names no engine is refused', async () => {
  for (const spec of ['', 'level', 'level:', 'mysql://host', '/srv/metadata']) {
    await assert.rejects(openEngine(spec, ports), EngineSpecError, spec)
  }
  const memory = await openEngine('memory:', ports)
  await memory.close()
})
