/** A backup of a real cluster whose partitions lie on PostgreSQL and on etcd, taken while it is written to. */

import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { readBackupFile } from '../../cli/metadata/backup-file.ts'
import type { PartitionsStatus } from '../../cli/partition/assess.ts'
import { checkBackup, readChunks } from '../../metadata/backup/format/reader.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { holesIn, stepsIn } from '../metadata/processes/moment-scene.ts'
import { EtcdServers, etcdMissing } from '../servers/etcd.ts'
import { postgresMissing, startPostgres } from '../servers/postgres.ts'
import { startCluster, until, type Cluster } from './harness.ts'
import { atEnd, type Lifetime } from './lifetime.ts'
import { runAshlar } from './processes.ts'

const BUCKET = 'chains'
const CHAINS = 6
const BACKUPS = 2
const SMALL = ['--zones', '1', '--nodes-per-zone', '1', '--code', 'replica-1', '--metadata-processes', '2']

/** Writes chains of objects, each to one partition and the other in turn: a step begins when the one before was acknowledged. */
class Chains {
  /** Steps that were acknowledged, by chain. */
  readonly acknowledged = Array.from({ length: CHAINS }, () => 0)
  #stopped = false
  readonly #writers: Promise<void>[]

  constructor(client: S3Client) {
    this.#writers = this.acknowledged.map(async (_steps, chain) => {
      for (let step = 0; !this.#stopped; step++) {
        const Key = `${step % 2 === 0 ? 'a' : 'z'}/${chain}/${step}`
        await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x' }))
        this.acknowledged[chain] = step + 1
      }
    })
  }

  /** Resolves when each chain has this many steps more. */
  async progress(steps: number): Promise<void> {
    const before = [...this.acknowledged]
    const failed = Promise.all(this.#writers)
    await Promise.race([
      failed,
      until(() => this.acknowledged.every((now, chain) => now >= (before[chain] ?? 0) + steps)),
    ])
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#writers)
  }
}

async function partitions(cluster: Cluster): Promise<PartitionsStatus> {
  const { code, stdout, stderr } = await cluster.command('partition', 'list', '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as PartitionsStatus
}

/** One partition on each engine, owned by one process each. */
async function divide(cluster: Cluster): Promise<void> {
  const run = async (...line: string[]): Promise<void> => {
    const { code, stderr } = await cluster.command('partition', ...line)
    assert.equal(code, 0, stderr)
  }
  const [first] = (await partitions(cluster)).partitions
  await run('split', String(first?.id), '--at', `${BUCKET}/m`)
  const halves = await partitions(cluster)
  const [left, right] = halves.partitions
  const other = halves.engines.find(({ id }) => id !== left?.engine) ?? assert.fail('there is one engine')
  await run('move', String(right?.id), '--engine', other.id)
  const free = halves.members.find(({ id }) => id !== left?.owner) ?? assert.fail('there is one process')
  await run('move', String(right?.id), '--to', free.id)
  const divided = (await partitions(cluster)).partitions
  assert.equal(new Set(divided.map(({ engine }) => engine)).size, 2)
  assert.equal(new Set(divided.map(({ owner }) => owner)).size, 2)
}

async function engines(t: Lifetime): Promise<string> {
  const postgres = await startPostgres()
  atEnd(t, () => postgres.dispose())
  const etcd = await EtcdServers.start({ members: 1 })
  atEnd(t, () => etcd.stop())
  return `${postgres.url} ${etcd.url('/moment')}`
}

/** The records of a file, by engine. */
async function readRecords(path: string): Promise<{ oneMoment: boolean; engines: EngineEntry[][] }> {
  return await readBackupFile(path, async (file) => {
    const { header } = await checkBackup(file)
    const records: EngineEntry[][] = header.engines.map(() => [])
    for await (const { engine, entries } of readChunks(file)) records[engine]?.push(...entries)
    return { oneMoment: header.oneMoment, engines: records }
  })
}

test(
  'partitions on PostgreSQL and etcd: each backup under load is of one moment, with all that was acknowledged before it',
  { skip: (await postgresMissing()) || (await etcdMissing()) },
  async (t) => {
    const cluster = await startCluster(t, {
      separate: true,
      args: [...SMALL, '--engine', await engines(t)],
    })
    const client = cluster.client()
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    await divide(cluster)
    const chains = new Chains(client)
    for (let count = 0; count < BACKUPS; count++) {
      await chains.progress(4)
      const before = [...chains.acknowledged]
      const file = join(dirname(cluster.paths.folder), `${count}.backup`)
      const taken = await cluster.command('metadata', 'backup', '--to', file)
      assert.equal(taken.code, 0, taken.stderr)
      const shown = await readRecords(file)
      assert.equal(shown.oneMoment, true)
      assert.deepEqual(holesIn(shown), [])
      for (const records of shown.engines) assert.ok(stepsIn({ engines: [records] }).size === CHAINS)
      const steps = stepsIn(shown)
      for (const [chain, acknowledged] of before.entries()) {
        assert.ok((steps.get(chain)?.size ?? 0) >= acknowledged, `chain ${chain} lacks what was acknowledged`)
      }
      const verified = await runAshlar(['metadata', 'verify', file])
      assert.equal(verified.code, 0, verified.stdout + verified.stderr)
    }
    await chains.stop()
  },
)
