import assert from 'node:assert/strict'
import { chmod, chown, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Client } from 'pg'
import { POSTGRES_SILENCE_MS } from '../../core/limits.ts'
import { openPostgresEngine } from '../../metadata/engine/postgres/open.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import {
  type Engine,
  type EngineBatch,
  EngineOpenError,
  FencedError,
  SnapshotLostError,
} from '../../metadata/engine/engine.ts'
import { missing, run as runProgram } from '../cluster/tools.ts'
import { entry, keptLog, type KeptLine, openOn, utf8 } from '../servers/postgres-engine.ts'
import { slowDoor } from '../servers/slow-door.ts'
import { postgresMissing, type PostgresServer, startPostgres, urlOf } from '../servers/postgres.ts'
import { fencingContract } from './engine-fencing.ts'
import { engineContract } from './engine.ts'

const skip = await postgresMissing()
const noOpenssl = await missing('openssl', 'version')

const FENCE = utf8('fence')
const OPEN = { key: FENCE, token: undefined }

describe('PostgreSQL', { skip }, () => {
  let server: PostgresServer
  let tables = 0
  const table = (): string => `table=t${tables++}`

  before(async () => {
    // No test here can tell whether the disk has it: none cuts the power.
    server = await startPostgres({ settings: { fsync: 'off', autovacuum: 'off' } })
  })
  after(() => server.dispose())

  async function withEngine(run: (engine: Engine) => Promise<void>, options = table()): Promise<void> {
    const engine = await openOn([server], options)
    try {
      await run(engine)
    } finally {
      await engine.close()
    }
  }

  engineContract(
    'postgres',
    async () => {
      const engine = await openOn([server], table())
      return { engine, dispose: () => engine.close() }
    },
    { histories: 15, rounds: 8 },
  )

  describe('with explicit transactions, as YugabyteDB needs them', () => {
    fencingContract((run) => withEngine(run, `${table()}&transaction=explicit`), 4)
  })

  /** Another transaction does something, a commit of the engine waits for it, and it ends. */
  async function waitFor(
    other: (table: string) => string,
    end: 'commit' | 'rollback',
    batch: EngineBatch,
    first: EngineBatch,
  ): Promise<{ failure: unknown; keys: string[] }> {
    const options = table()
    const engine = await openOn([server], options)
    const client = new Client(server.url)
    await client.connect()
    try {
      await engine.commit(first)
      await client.query('begin')
      await client.query(other(options.replace('table=', '')))
      const commit = engine.commit(batch).then(
        () => undefined,
        (error: unknown) => error,
      )
      const blocked = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
      while ((await server.query(blocked)).length === 0) {
        // The commit is on its way to the lock.
      }
      await client.query(end)
      const failure = await commit
      const entries = await engine.scan({ gte: utf8('a'), lt: utf8('z'), limit: 10 })
      return { failure, keys: entries.map(({ key }) => Buffer.from(key).toString()) }
    } finally {
      await client.end()
      await engine.close()
    }
  }

  const owned = { fence: OPEN, puts: [entry('fence', '1')], deletes: [] }
  const own = { key: FENCE, token: utf8('1') }

  it('deletes what was inserted while it waited for the fence', async () => {
    const inserted = (name: string): string =>
      `with held as materialized (select 1 from ${name} where key = 'fence' for update)
       insert into ${name} select 'k', 'v' from held`
    const batch = { fence: own, puts: [entry('l', 'v')], deletes: [utf8('k')] }
    assert.deepEqual(await waitFor(inserted, 'commit', batch, owned), {
      failure: undefined,
      keys: ['fence', 'l'],
    })
  })

  it('is refused by a take-over that it waited for, and goes on if that is rolled back', async () => {
    const batch = { fence: own, puts: [entry('k', 'v')], deletes: [] }
    for (const takeover of [
      (name: string) => `update ${name} set value = '2' where key = 'fence'`,
      (name: string) => `delete from ${name} where key = 'fence'`,
    ]) {
      const { failure, keys } = await waitFor(takeover, 'commit', batch, owned)
      assert.ok(failure instanceof FencedError)
      assert.ok(!keys.includes('k'))
      assert.deepEqual(await waitFor(takeover, 'rollback', batch, owned), {
        failure: undefined,
        keys: ['fence', 'k'],
      })
    }
  })

  it('takes a fence that nobody has only if whoever is about to take it does not', async () => {
    const batch = { fence: OPEN, puts: [entry('k', 'v')], deletes: [] }
    const empty = { fence: OPEN, puts: [], deletes: [] }
    const taken = (name: string): string => `insert into ${name} values ('fence', '1')`
    const { failure, keys } = await waitFor(taken, 'commit', batch, empty)
    assert.ok(failure instanceof FencedError)
    assert.deepEqual(keys, ['fence'])
    assert.deepEqual(await waitFor(taken, 'rollback', batch, empty), { failure: undefined, keys: ['k'] })
  })

  it('makes one table when many open it at once, and all of them see one another', async () => {
    const options = table()
    const engines = await Promise.all(Array.from({ length: 12 }, () => openOn([server], options)))
    const [first, second] = engines
    await first?.commit({ fence: OPEN, puts: [entry('a', '1')], deletes: [] })
    assert.deepEqual(await second?.get(utf8('a')).then((value) => Buffer.from(value ?? []).toString()), '1')
    await Promise.all(engines.map((engine) => engine.close()))
  })

  it('tells of a key that another process has written, deleted or made', () =>
    withEngine(async (other) => {
      const options = `table=t${tables - 1}`
      await withEngine(async (engine) => {
        const change = Promise.withResolvers<undefined>()
        const changes = [change, Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
        let told = 0
        // The first is for nothing: what was there when it began is not known.
        const stop = engine.watch(utf8('a'), () => changes[told++]?.resolve(undefined))
        await changes[0]?.promise
        await other.commit({ fence: OPEN, puts: [entry('a', '1'), entry('b', '1')], deletes: [] })
        await changes[1]?.promise
        await other.commit({ fence: OPEN, puts: [entry('b', '2')], deletes: [utf8('a')] })
        await changes[2]?.promise
        assert.equal(told, 3)
        stop()
      }, options)
    }))

  it('says which settings of the server put records at risk', async () => {
    const lines: KeptLine[] = []
    const engine = await openOn([server], table(), { lines })
    await engine.close()
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn').map(({ message }) => message.split(':')[0]),
      ['PostgreSQL runs with fsync=off'],
    )
  })

  it('waits for the disk, whatever the server has for its sessions', async () => {
    await server.query('alter role ashlar set synchronous_commit to off')
    await server.query('alter role ashlar set default_transaction_isolation to serializable')
    await withEngine(async (engine) => {
      await engine.commit({ fence: OPEN, puts: [entry('a', '1')], deletes: [] })
      // Serializable, half of them would be refused.
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          engine.commit({
            fence: { key: utf8('a'), token: utf8('1') },
            puts: [entry(`k${index}`, '')],
            deletes: [],
          }),
        ),
      )
    })
    await server.query('alter role ashlar reset all')
  })

  it('takes keys as long as the longest that there are', () =>
    withEngine(async (engine) => {
      const key = new Uint8Array(2600).map((_, index) => (index * 7919) % 251)
      await engine.commit({ fence: OPEN, puts: [{ key, value: utf8('v') }], deletes: [] })
      assert.deepEqual(Buffer.from((await engine.get(key)) ?? []).toString(), 'v')
    }))

  it('estimates a long range by the statistics, and knows nothing without', () =>
    withEngine(async (engine) => {
      const puts = Array.from({ length: 1000 }, (_, index) => entry(`k${1000 + index}`, 'v'.repeat(95)))
      await engine.commit({ fence: OPEN, puts, deletes: [] })
      const range = { gte: utf8('k'), lt: utf8('l') }
      assert.deepEqual(await engine.estimate(range), { entries: undefined, bytes: undefined })
      await server.query(`analyze t${tables - 1}`)
      const { entries = 0, bytes = 0 } = await engine.estimate(range)
      assert.ok(entries > 800 && entries < 1200, String(entries))
      assert.ok(bytes > 80_000 && bytes < 150_000, String(bytes))
      assert.deepEqual(await engine.estimate({ gte: utf8('k1000'), lt: utf8('k1003') }), {
        entries: 3,
        bytes: 300,
      })
    }))

  it('loses a snapshot with its connection, and begins a new one', () =>
    withEngine(async (engine) => {
      await engine.commit({ fence: OPEN, puts: [entry('a', '1')], deletes: [] })
      const snapshot = await engine.openSnapshot()
      const range = { gte: utf8('a'), lt: utf8('b'), limit: 1 }
      assert.equal((await snapshot.scan(range)).length, 1)
      await server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'",
      )
      await assert.rejects(snapshot.scan(range), SnapshotLostError)
      await snapshot.close()
      const again = await engine.openSnapshot()
      assert.equal((await again.scan(range)).length, 1)
      await again.close()
    }))

  it('goes on when all of its connections are ended, and reads never notice', () =>
    withEngine(async (engine) => {
      await engine.commit({ fence: OPEN, puts: [entry('a', '1')], deletes: [] })
      for (let round = 0; round < 5; round++) {
        const reads = Array.from({ length: 10 }, () => engine.get(utf8('a')))
        await server.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ashlar-metadata'",
        )
        for (const value of await Promise.all(reads)) assert.deepEqual(value, Buffer.from('1'))
      }
    }))

  it('waits, with nothing written, for a server that takes no writes just now', async () => {
    const waits = Promise.withResolvers<string>()
    const clock: Clock = {
      ...systemClock,
      sleep(ms, signal) {
        waits.resolve('waits')
        return systemClock.sleep(ms, signal)
      },
    }
    const engine = await openOn([server], table(), { clock })
    let written = 0
    const write = async (): Promise<string> => {
      await engine.commit({ fence: OPEN, puts: [entry('a', String(written + 1))], deletes: [] })
      written++
      return 'done'
    }
    await server.query("alter system set default_transaction_read_only to 'on'")
    await server.query('select pg_reload_conf()')
    // Sessions hear of it a little later.
    let writing = write()
    while ((await Promise.race([writing, waits.promise])) === 'done') writing = write()
    const found = await server.query(`select encode(value, 'escape') as value from t${tables - 1}`)
    assert.deepEqual(found, written === 0 ? [] : [{ value: String(written) }])
    await server.query('alter system reset default_transaction_read_only')
    await server.query('select pg_reload_conf()')
    await writing
    assert.deepEqual(await engine.get(utf8('a')), Buffer.from(String(written)))
    await engine.close()
  })

  it('gives a commit up that the server does not answer: its outcome is unknown, and the next goes on', () =>
    withEngine(async (engine) => {
      await engine.commit({ fence: OPEN, puts: [entry('a', '1')], deletes: [] })
      await server.pause()
      const commit = engine.commit({ fence: OPEN, puts: [entry('a', '2')], deletes: [] })
      await assert.rejects(commit, (error) => !(error instanceof FencedError))
      await server.resume()
      await engine.commit({ fence: OPEN, puts: [entry('b', '3')], deletes: [] })
      assert.deepEqual(await engine.get(utf8('b')), Buffer.from('3'))
    }, `${table()}&statement_timeout=1000`))

  it('waits for a server that is slow to let the first connection in', async () => {
    for (const options of ['', '&connect_timeout=1']) {
      const door = await slowDoor(server.port, 3 * POSTGRES_SILENCE_MS)
      try {
        const engine = await openOn([door], `${table()}${options}`)
        await engine.close()
      } finally {
        door.close()
      }
    }
  })

  it('says why it cannot be opened, and never with the password', async () => {
    const wrong = urlOf([server]).replace(/:[^:@]*@/, ':wrong-secret@')
    const closed = urlOf([server]).replace(String(server.port), '1')
    const ports = {
      clock: systemClock,
      log: keptLog([]),
      readFile: () => Promise.reject(new Error('no such file')),
    }
    for (const [url, reason] of [
      [wrong, /password authentication failed/],
      [closed, /127\.0\.0\.1:1: connect ECONNREFUSED/],
      [urlOf([server]).replace('/postgres', '/nothing'), /database "nothing" does not exist/],
      [`${urlOf([server])}?sslmode=require`, /does not support SSL/],
      [`${urlOf([server])}?sslmode=require&sslrootcert=/ca.pem`, /cannot read \/ca\.pem/],
    ] as const) {
      await assert.rejects(openPostgresEngine(url, ports), (error) => {
        assert.ok(error instanceof EngineOpenError)
        assert.match(error.message, reason)
        assert.doesNotMatch(error.message, /secret|p@ss|p%40ss/)
        return true
      })
    }
  })

  /** Files of a key and of its certificate, which it signed itself. */
  async function certify(name: string): Promise<[key: string, certificate: string]> {
    const [key, certificate] = [join(server.folder, `${name}-key.pem`), join(server.folder, `${name}.pem`)]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    await runProgram('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', certificate])
    return [key, certificate]
  }

  it('speaks TLS, and asks for the authority and the name when told to', { skip: noOpenssl }, async () => {
    const [key, certificate] = await certify('localhost')
    const [, other] = await certify('other')
    const { uid, gid } = await stat(join(server.folder, 'data'))
    await chown(key, uid, gid)
    await chmod(key, 0o600)
    await server.query(`alter system set ssl_cert_file to '${certificate}'`)
    await server.query(`alter system set ssl_key_file to '${key}'`)
    await server.query('alter system set ssl to on')
    await server.query('select pg_reload_conf()')
    const ssl =
      "select count(*)::int as n from pg_stat_ssl join pg_stat_activity using (pid) where ssl and application_name = 'ashlar-metadata'"
    for (const options of [
      'sslmode=prefer',
      'sslmode=require',
      `sslmode=verify-ca&sslrootcert=${certificate}`,
    ]) {
      await withEngine(async (engine) => {
        await engine.get(utf8('a'))
        assert.deepEqual(await server.query(ssl), [{ n: 1 }])
      }, `${table()}&${options}`)
    }
    await withEngine(
      async () => assert.deepEqual(await server.query(ssl), [{ n: 0 }]),
      `${table()}&sslmode=disable`,
    )
    const refused = [
      // The name in it is localhost, not 127.0.0.1.
      `sslmode=verify-full&sslrootcert=${certificate}`,
      `sslmode=verify-ca&sslrootcert=${other}`,
      'sslmode=verify-full&sslrootcert=system',
    ]
    for (const options of refused) {
      await assert.rejects(openOn([server], `${table()}&${options}`), EngineOpenError)
    }
  })
})
