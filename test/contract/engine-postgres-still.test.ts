/**
 * A primary that stands still (SIGSTOP of all its processes): its connections stay open, new ones are let in by the kernel, and
 * nothing is answered. Neither time of the URL helps here: they are set so long that whoever waited for them would never end.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine } from '../../metadata/engine/engine.ts'
import { entry, type KeptLine, openOn, utf8 } from '../servers/postgres-engine.ts'
import {
  postgresMissing,
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startStandby,
} from '../servers/postgres.ts'
import { FENCE, Load, valuesOf, WRITERS } from './postgres-load.ts'

const skip = await postgresMissing()
const COMMITS = 60
const PATIENT = 'statement_timeout=600000&connect_timeout=300'

/** Resolves when a line was said that has the words. */
async function said(lines: readonly KeptLine[], words: string): Promise<void> {
  while (!lines.some(({ message }) => message.includes(words))) await delay(10)
}

async function begin(engine: Engine, token: Uint8Array): Promise<void> {
  await engine.commit({
    fence: { key: FENCE, token: undefined },
    puts: [{ key: FENCE, value: token }],
    deletes: [],
  })
}

/** In the order in which they are written: one pair of servers goes through all of it. */
describe('a PostgreSQL primary that stands still', { skip }, () => {
  const token = utf8('owner')
  const lines: KeptLine[] = []
  let primary: PostgresServer
  let standby: PostgresStandby
  let engine: Engine
  let load: Load

  before(async () => {
    primary = await startPostgres()
    standby = await startStandby(primary)
    engine = await openOn([primary, standby], PATIENT, { lines })
    await begin(engine, token)
    load = new Load(engine, token)
  })
  after(async () => {
    await Promise.all([primary.kill(), standby.kill()])
    await load.stop()
    await engine.close()
    await standby.dispose()
    await primary.dispose()
  })

  it('and goes on as the primary that it was costs time, and nothing else', async () => {
    await load.more(COMMITS)
    await primary.pause()
    await said(lines, 'does not answer')
    const reading = engine.get(FENCE)
    await primary.resume()
    await load.more(COMMITS)
    assert.deepEqual(await reading, Buffer.from(token))
    assert.deepEqual(load.unknown, [])
  })

  it('does not keep an engine from being closed', async () => {
    const idle = await openOn([primary], PATIENT)
    await primary.pause()
    await idle.close()
    await primary.resume()
    await load.more(COMMITS)
    assert.deepEqual(load.unknown, [])
  })

  it('is left once its standby was promoted, with all that was acknowledged', async () => {
    await primary.pause()
    const reading = engine.get(FENCE)
    await standby.promote()
    await load.more(COMMITS)
    assert.deepEqual(await reading, Buffer.from(token), 'a read that it had is made again')
    // What it had been sent, each writer's one commit at most.
    assert.ok(load.unknown.length <= WRITERS, load.unknown.join())
  })

  it('is nobody to go by when it is awake again, though it takes itself for the primary', async () => {
    await primary.resume()
    const [row] = await primary.query('select pg_is_in_recovery() as recovers')
    assert.equal(row?.['recovers'], false)
    await load.more(COMMITS)
    await load.stop()
    const found = await valuesOf(engine)
    for (const [key, value] of load.acknowledged) assert.equal(found.get(key), value, key)
    // One that begins now, and reaches the old one first.
    const other = await openOn([primary, standby], PATIENT)
    try {
      assert.deepEqual(await valuesOf(other), found)
      const fence = { key: FENCE, token }
      await other.commit({ fence, puts: [entry('w', 'by another')], deletes: [] })
      assert.deepEqual(await engine.get(utf8('w')), Buffer.from('by another'))
    } finally {
      await other.close()
    }
  })

  it('can acknowledge nothing by itself, to whoever knows of no other', async () => {
    const alone = await openOn([primary], PATIENT)
    const found = await valuesOf(alone)
    for (const key of found.keys()) assert.ok(load.acknowledged.has(key) || load.unknown.includes(key), key)
    let acknowledged = false
    const fence = { key: utf8('another fence'), token: undefined }
    const commit = alone.commit({ fence, puts: [entry('w', 'by the old one')], deletes: [] }).then(
      () => {
        acknowledged = true
      },
      () => undefined,
    )
    const waiting = `select 1 from pg_stat_activity where wait_event = 'SyncRep' and query like 'with removed%'`
    while ((await primary.query(waiting)).length === 0) await delay(10)
    assert.equal(await alone.get(utf8('w')), undefined, 'nor does anybody see it')
    await primary.kill()
    await commit
    assert.equal(acknowledged, false)
    await alone.close()
  })
})
