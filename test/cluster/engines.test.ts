/** Clusters that `ashlar start` runs with their metadata in an engine. */

import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { postgresMissing, startPostgres } from '../servers/postgres.ts'
import { startCluster } from './harness.ts'
import { atEnd } from './lifetime.ts'
import { runAshlar } from './processes.ts'

const SMALL = ['--zones', '1', '--nodes-per-zone', '1', '--code', 'replica-1']

test(
  'two metadata processes on PostgreSQL: the cluster survives the loss of either and a restart, and shows no password',
  { skip: await postgresMissing() },
  async (t) => {
    const server = await startPostgres()
    atEnd(t, () => server.dispose())
    const args = [...SMALL, '--metadata-processes', '2', '--engine', server.url]
    const cluster = await startCluster(t, { separate: true, args })
    const client = cluster.client(0, 10)
    const object = { Bucket: 'kept', Key: 'k' }
    const read = async () => (await client.send(new GetObjectCommand(object))).Body?.transformToString()
    await client.send(new CreateBucketCommand({ Bucket: 'kept' }))
    await client.send(new PutObjectCommand({ ...object, Body: 'first' }))

    const { metadata, journal } = await cluster.status()
    assert.deepEqual(metadata?.members.map(({ id }) => id).sort(), ['metadata-1', 'metadata-2'])
    assert.deepEqual([metadata?.engines.map(({ kind }) => kind), journal], [['postgres'], null])
    const coordinator = metadata?.members.find(({ root }) => root)?.id ?? assert.fail('no coordinator')
    await cluster.kill([coordinator], 'SIGKILL')
    await client.send(new PutObjectCommand({ ...object, Body: 'second' }))
    assert.equal(await read(), 'second')
    await cluster.restart(coordinator)
    await cluster.statusIs((status) => status.metadata?.members.length === 2)

    const password = /:([^:@]+)@/.exec(server.url)?.[1] ?? assert.fail('the server has a password')
    const shown = await readFile(`/proc/${cluster.main().pid}/cmdline`, 'utf8').catch(() => '')
    assert.ok(!shown.includes(password), 'arguments show it to everybody')
    assert.ok(!`${cluster.main().stdout()}${cluster.main().stderr()}`.includes(password))
    for (const name of await readdir(cluster.paths.run)) {
      const path = join(cluster.paths.run, name)
      const { mode } = await stat(path)
      assert.equal(mode & 0o077, 0, `${name} can be read by others`)
      if (name.endsWith('.log')) assert.ok(!(await readFile(path, 'utf8')).includes(password), name)
    }
    assert.ok(!(await readFile(cluster.paths.cluster, 'utf8')).includes(password))

    await cluster.stop()
    const { folder } = cluster.paths
    const empty = await runAshlar(['start', '--data', folder, '--port', '0'], {
      ASHLAR_ENGINE: `${server.url}?table=another`,
    })
    assert.equal(empty.code, 1)
    assert.match(
      empty.stderr,
      /there is no metadata of cluster [0-9a-f]+ here, and its storage nodes hold data/,
    )
    assert.ok(!empty.stderr.includes(password))
    await cluster.startAgain()
    assert.equal(await read(), 'second')
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
  },
)
