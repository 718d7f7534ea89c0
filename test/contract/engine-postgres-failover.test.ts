import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ConnectionLostError } from '../../metadata/engine/postgres/errors.ts'
import { NoPrimaryError } from '../../metadata/engine/postgres/primary.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
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
/** Commits that are acknowledged before the primary dies, and after. */
const COMMITS = 100

/** Time that passes only while somebody waits for a host, and then at once and fast. */
function hastyClock(): Clock {
  let passed = 0
  return {
    ...systemClock,
    monotonicMs: () => passed,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      passed += ms * 10
    },
  }
}

/** In the order in which they are written: one pair of servers goes through all of it. */
describe('PostgreSQL with a synchronous standby', { skip }, () => {
  const token = utf8('owner')
  let primary: PostgresServer
  let standby: PostgresStandby

  before(async () => {
    primary = await startPostgres()
    standby = await startStandby(primary)
  })
  after(async () => {
    await standby.dispose()
    await primary.dispose()
  })

  it('acknowledges nothing that only the primary has, not even when the wait is cancelled', async (t) => {
    const engine = await openOn([primary, standby])
    t.after(() => engine.close())
    await engine.commit({
      fence: { key: FENCE, token: undefined },
      puts: [{ key: FENCE, value: token }, entry('a', '1')],
      deletes: [],
    })
    const fence = { key: FENCE, token }
    await standby.pause()
    let settled = false
    const commit = engine.commit({ fence, puts: [entry('a', '2')], deletes: [] }).finally(() => {
      settled = true
    })
    const refused = assert.rejects(commit, /warned while it committed: canceling wait for synchronous/)
    const waiting = "from pg_stat_activity where wait_event = 'SyncRep'"
    while ((await primary.query(`select 1 ${waiting}`)).length === 0) {
      // The commit is on its way.
    }
    // Nobody sees what only the primary has.
    assert.deepEqual(await engine.get(utf8('a')), Buffer.from('1'))
    assert.equal(settled, false)
    await primary.query(`select pg_cancel_backend(pid) ${waiting}`)
    await refused
    await standby.resume()
    await engine.commit({ fence, puts: [entry('a', '3')], deletes: [] })
  })

  it('has all that was acknowledged after the primary is killed, and goes on by itself', async (t) => {
    const lines: KeptLine[] = []
    // The standby first: it is passed over until it is promoted.
    const engine = await openOn([standby, primary], '', { lines })
    const hasty = await openOn([standby, primary], '', { clock: hastyClock() })
    const load = new Load(engine, token)
    t.after(() => load.stop())
    t.after(() => Promise.all([engine.close(), hasty.close()]))
    await load.more(COMMITS)
    await primary.kill()
    await assert.rejects(hasty.commit({ fence: { key: FENCE, token }, puts: [], deletes: [] }), (error) => {
      // Its one idle session may not have heard yet.
      if (error instanceof ConnectionLostError) return true
      assert.ok(error instanceof NoPrimaryError)
      assert.match(error.message, /ECONNREFUSED.*it takes no writes \(a standby, or read-only\)/)
      return true
    })
    await standby.promote()
    // Those that waited for a primary go on without having failed.
    await load.more(COMMITS)
    await load.stop()
    const found = await valuesOf(engine)
    for (const [key, value] of load.acknowledged) assert.equal(found.get(key), value, key)
    for (const key of found.keys()) {
      assert.ok(load.acknowledged.has(key) || load.unknown.includes(key), key)
    }
    // What was under way when it died, each writer's one commit at most.
    assert.ok(load.unknown.length <= WRITERS, load.unknown.join())
    assert.deepEqual(
      lines.filter(({ level }) => level === 'info').map(({ fields }) => fields?.['timeline']),
      [1, 2],
    )
    // The promoted standby has none of its own.
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    assert.ok(
      warnings.some((message) => message.includes('no synchronous standby')),
      warnings.join(),
    )
  })

  it('goes back to no primary that was replaced, though it takes writes', async (t) => {
    await primary.restart()
    const engine = await openOn([standby, primary], '', { clock: hastyClock() })
    t.after(() => engine.close())
    await standby.kill()
    await assert.rejects(engine.get(FENCE), (error) => {
      assert.ok(error instanceof NoPrimaryError)
      assert.match(error.message, /on timeline 1, where timeline 2 was seen/)
      return true
    })
    await standby.restart()
    assert.deepEqual(await engine.get(FENCE), Buffer.from(token))
  })
})
