import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials } from '@grpc/grpc-js'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Engine,
  EngineFullError,
  EngineOpenError,
  SnapshotLostError,
} from '../../metadata/engine/engine.ts'
import { EtcdKeys } from '../../metadata/engine/etcd/keys.ts'
import { Members } from '../../metadata/engine/etcd/members.ts'
import { openEtcdEngine } from '../../metadata/engine/etcd/open.ts'
import { Reads } from '../../metadata/engine/etcd/reads.ts'
import { Signposts } from '../../metadata/engine/etcd/signposts.ts'
import { Space } from '../../metadata/engine/etcd/space.ts'
import { Upkeep } from '../../metadata/engine/etcd/upkeep.ts'
import { parseEtcdUrl } from '../../metadata/engine/etcd/url.ts'
import { Room, spaceOf } from '../../metadata/room.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'
import { missing, run } from '../cluster/tools.ts'
import { engineContract } from './engine.ts'
import { ManualClock } from './manual-clock.ts'

const skip = await etcdMissing()
const ALL = { gte: Uint8Array.of(0), lt: Uint8Array.of(255) }

function openAt(url: string, clock: Clock = systemClock): Promise<Engine> {
  return openEtcdEngine(url, { clock, random: systemRandom, log: silentLog, readFile })
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

/** A wait that fails when what is waited for does not come in any reasonable time. */
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`never came: ${what}`)
    await delay(5)
  }
}

describe('etcd, three members', { skip }, () => {
  let servers: EtcdServers
  let prefixes = 0

  before(async () => {
    servers = await EtcdServers.start()
  })
  after(() => servers.stop())

  if (skip === false) {
    engineContract('etcd', async () => {
      // Each with keys of its own, beside those of all before.
      const engine = await openAt(servers.url(`/p${prefixes++}`))
      return { engine, dispose: () => engine.close() }
    })
  }

  async function withEngines<T>(count: number, use: (...engines: Engine[]) => Promise<T>): Promise<T> {
    const url = servers.url(`/p${prefixes++}`)
    const engines = await Promise.all(Array.from({ length: count }, () => openAt(url)))
    try {
      return await use(...engines)
    } finally {
      await Promise.all(engines.map((engine) => engine.close()))
    }
  }

  it('loses nothing and fails nothing while each leader is killed in turn, and carries out every batch once', () =>
    withEngines(1, async (engine) => {
      const held = await engine.holdKey?.(bytes('held'), bytes('v'), 15_000)
      const load = { stopped: false }
      // Each commit is fenced by what the one before put: one that is lost, or carried out twice, breaks the chain.
      const chains = Array.from({ length: 4 }, (_, index) => ({ name: bytes(`chain ${index}`), length: 0 }))
      const running = chains.map(async (chain) => {
        let token: Uint8Array | undefined
        while (!load.stopped) {
          const link = bytes(String(chain.length + 1))
          await engine.commit({
            fence: { key: chain.name, token },
            puts: [
              { key: chain.name, value: link },
              { key: bytes(`log ${Buffer.from(chain.name).toString()} ${chain.length}`), value: link },
            ],
            deletes: [],
          })
          token = link
          chain.length++
        }
      })
      const failed = Promise.all(running).then(() => false)
      const total = (): number => chains.reduce((sum, { length }) => sum + length, 0)
      async function more(): Promise<void> {
        const from = total()
        await Promise.race([
          until(() => total() > from + 20, 'commits go on'),
          failed.then(() => assert.ok(load.stopped)),
        ])
      }
      for (let round = 0; round < 3; round++) {
        await more()
        const leader = await servers.leader()
        await servers.kill(leader)
        await more()
        assert.deepEqual(await engine.get(bytes('held')), bytes('v'))
        await servers.restart(leader)
      }
      load.stopped = true
      await failed
      for (const { name, length } of chains) {
        assert.deepEqual(await engine.get(name), bytes(String(length)))
        const log = bytes(`log ${Buffer.from(name).toString()} `)
        const end = bytes(`log ${Buffer.from(name).toString()}!`)
        const { entries } = await engine.estimate({ gte: log, lt: end })
        assert.equal(entries, length)
      }
      assert.ok(held !== undefined && held.validUntilMs > systemClock.monotonicMs())
      await held.close()
      assert.equal(await engine.get(bytes('held')), undefined)
    }))

  it('tells of watched keys across the death, and the standstill, of any member', () =>
    withEngines(2, async (near, far) => {
      let seen: string | undefined
      const stop = near.watch(bytes('map'), () => {
        void near.get(bytes('map')).then((value) => {
          seen = value === undefined ? undefined : Buffer.from(value).toString()
        })
      })
      async function tell(value: string): Promise<void> {
        const fence = { key: bytes('fence'), token: undefined }
        await far.commit({ fence, puts: [{ key: bytes('map'), value: bytes(value) }], deletes: [] })
        await until(() => seen === value, `news of ${value}`)
      }
      await tell('first')
      for (let index = 0; index < servers.size; index++) {
        await servers.kill(index)
        await tell(`without ${index}`)
        await servers.restart(index)
      }
      servers.pause(0)
      await tell('while one stands still')
      servers.resume(0)
      stop()
    }))

  it('lets a snapshot go when its revision is compacted, and says so', () =>
    withEngines(1, async (engine) => {
      const fence = { key: bytes('fence'), token: undefined }
      await engine.commit({ fence, puts: [{ key: bytes('a'), value: bytes('1') }], deletes: [] })
      const snapshot = await engine.openSnapshot()
      await engine.commit({ fence, puts: [{ key: bytes('a'), value: bytes('2') }], deletes: [] })
      assert.equal((await snapshot.scan({ ...ALL, limit: 10 })).length, 1)
      const status: unknown = JSON.parse(await servers.ctl(['get', 'nothing', '--write-out=json'], 0))
      const revision = /"revision":(\d+)/.exec(JSON.stringify(status))?.[1] ?? ''
      await servers.ctl(['compact', revision])
      await assert.rejects(snapshot.scan({ ...ALL, limit: 10 }), SnapshotLostError)
      assert.deepEqual(await engine.get(bytes('a')), bytes('2'))
    }))

  it('lets a held key vanish when its process stands still, and not before it is invalid', async () => {
    // A process that is stopped: no timer of it fires any more.
    let frozen = false
    const clock: Clock = {
      ...systemClock,
      after: (ms, fire) =>
        systemClock.after(ms, () => {
          if (!frozen) fire()
        }),
    }
    const url = servers.url(`/p${prefixes++}`)
    const [dying, other] = await Promise.all([openAt(url, clock), openAt(url)])
    const held = await dying.holdKey?.(bytes('member'), bytes('1'), 2000)
    assert.ok(held)
    const first = held.validUntilMs
    await until(() => held.validUntilMs > first + 1000, 'renewals')
    await Promise.all([held.update(bytes('1.5')), held.update(bytes('2'))])
    assert.deepEqual(await other.get(bytes('member')), bytes('2'))
    let told = 0
    other.watch(bytes('member'), () => told++)
    frozen = true
    await until(async () => (await other.get(bytes('member'))) === undefined, 'its end')
    assert.ok(systemClock.monotonicMs() > held.validUntilMs)
    await until(() => told > 1, 'news of its end')
    frozen = false
    await Promise.all([dying.close(), other.close()])
  })

  it('reads entries that are too large for one answer, forwards, backwards and several ranges at once', () =>
    withEngines(1, async (engine) => {
      const value = new Uint8Array(1024 * 1024)
      const keys = Array.from({ length: 10 }, (_, index) => bytes(`k${String(index).padStart(2, '0')}`))
      for (const key of keys) {
        await engine.commit({
          fence: { key: bytes('f'), token: undefined },
          puts: [{ key, value }],
          deletes: [],
        })
      }
      const forwards = { ...ALL, limit: 1000 }
      const [there = [], back = []] = await engine.scanTogether([forwards, { ...forwards, reverse: true }])
      assert.deepEqual(
        there.map(({ key }) => key),
        keys,
      )
      assert.deepEqual(
        back.map(({ key }) => key),
        keys.toReversed(),
      )
    }))

  it('compacts by one process of several, and defragments member after member', async () => {
    const config = parseEtcdUrl(servers.url(`/p${prefixes++}`))
    const keys = new EtcdKeys(config.prefix)
    const engine = await openAt(servers.url(`/${config.prefix}`))
    const fence = { key: bytes('f'), token: undefined }
    const value = new Uint8Array(1024 * 1024)
    for (let index = 0; index < 4; index++) {
      await engine.commit({ fence, puts: [{ key: bytes('a'), value }], deletes: [] })
    }
    const snapshot = await engine.openSnapshot()
    await engine.commit({ fence, puts: [], deletes: [bytes('a')] })
    const done: string[] = []
    const log: Log = {
      ...silentLog,
      debug: (message) => done.push(message),
      info: (message) => done.push(message),
    }
    const members = new Members(config, credentials.createInsecure(), systemClock, systemRandom)
    const space = new Space(members, systemClock, config.quotaBytes)
    const reads = new Reads(members, keys, new Signposts(members, keys, systemClock, log))
    const clock = new ManualClock()
    const pressed = { pressed: true, look: () => space.look(), statuses: () => space.statuses() }
    const upkeeps = [0, 1].map(
      () => new Upkeep({ members, keys, reads, space: pressed, clock, random: systemRandom, log }),
    )
    const sizesBefore = (await space.statuses()).map(({ status }) => status.dbSize)
    const defragmented = (): number => done.filter((message) => message.includes('defragmenting')).length
    let passed = 0
    await until(() => {
      clock.advance(1000)
      passed += 1000
      return defragmented() >= servers.size
    }, 'defragmentation')
    await Promise.all(upkeeps.map((upkeep) => upkeep.close()))
    await assert.rejects(snapshot.scan({ ...ALL, limit: 1 }), SnapshotLostError)
    assert.equal(defragmented(), servers.size)
    // Each waits for the pause to pass since the other's turn.
    const compactions = done.filter((message) => message.includes('compacted')).length
    assert.ok(compactions >= 1 && compactions <= passed / 60_000, `${compactions} in ${passed} ms`)
    const sizes = (await space.statuses()).map(({ status }) => status.dbSize)
    assert.ok(sizes.every((size, index) => size < (sizesBefore[index] ?? 0n)))
    members.close()
    await engine.close()
  })

  it('refuses what it cannot reach or what is not there, by name', async () => {
    await assert.rejects(openAt(servers.url('/x?txn-ops=100000')), EngineOpenError)
    await assert.rejects(openAt(servers.url('/x?request-bytes=10MiB')), EngineOpenError)
    await assert.rejects(openAt(servers.url('/x?ca=/no/such/file')), EngineOpenError)
  })
})

describe('etcd, its space', { skip }, () => {
  const MIB = 1024 * 1024
  const fence = { key: bytes('f'), token: undefined }
  let servers: EtcdServers

  before(async () => {
    servers = await EtcdServers.start({ members: 1, args: [`--quota-backend-bytes=${16 * MIB}`] })
  })
  after(() => servers.stop())

  function put(engine: Engine, index: number): Promise<void> {
    return engine.commit({
      fence,
      puts: [{ key: bytes(`k${index}`), value: new Uint8Array(MIB / 8) }],
      deletes: [],
    })
  }

  it('refuses puts before the quota, takes deletes, and raises no alarm', async () => {
    // Every look at the space counts as old.
    let later = 0
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + later }
    const engine = await openAt(servers.url('/before?quota=13MiB'), clock)
    const disk = spaceOf(engine)
    assert.ok(disk)
    await new Room(disk, clock).require('commitObject')
    let count = 0
    await assert.rejects(async () => {
      for (; count < 1000; count++) {
        await put(engine, count)
        later += 5000
        await engine.space?.()
      }
    }, EngineFullError)
    assert.ok(count > 50, String(count))
    const space = await engine.space?.()
    assert.ok(space !== undefined && space.quotaBytes === 13 * MIB && space.usedBytes > 10 * MIB)
    await assert.rejects(async () => new Room(disk, clock).require('commitObject'), {
      code: FailureCode.READ_ONLY,
    })
    await engine.commit({ fence, puts: [], deletes: [bytes('k0')] })
    assert.equal(await engine.get(bytes('k0')), undefined)
    assert.equal(await servers.ctl(['alarm', 'list']), '')
    await engine.close()
  })

  it('survives the alarm itself: puts are refused for certain, deletes are taken', async () => {
    const engine = await openAt(servers.url('/past?quota=1GiB'))
    let count = 0
    await assert.rejects(async () => {
      for (; count < 1000; count++) await put(engine, count)
    }, EngineFullError)
    assert.match(await servers.ctl(['alarm', 'list']), /NOSPACE/)
    assert.equal(await engine.get(bytes(`k${count}`)), undefined)
    await engine.commit({ fence, puts: [], deletes: [bytes('k0')] })
    assert.equal(await engine.get(bytes('k0')), undefined)
    const stale = { key: fence.key, token: bytes('stale') }
    await assert.rejects(engine.commit({ fence: stale, puts: [], deletes: [bytes('k1')] }), /fenced/)
    await engine.close()
  })
})

describe('etcd, TLS and users', { skip: skip === false ? await missing('openssl', 'version') : skip }, () => {
  let folder: string
  let servers: EtcdServers

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ashlar-etcd-tls-'))
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const subject = ['-subj', '/CN=etcd', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
    await run('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject])
    servers = await EtcdServers.start({ members: 1, tls: { ca: cert, cert, key } })
    await servers.ctl(['user', 'add', 'root:secret'])
    await servers.ctl(['user', 'grant-role', 'root', 'root'])
    await servers.ctl(['user', 'add', 'me:p@ss'])
    await servers.ctl(['role', 'add', 'mine'])
    await servers.ctl(['role', 'grant-permission', 'mine', '--prefix=true', 'readwrite', 'mine/'])
    await servers.ctl(['user', 'grant-role', 'me', 'mine'])
    await servers.ctl(['auth', 'enable'])
  })
  after(async () => {
    await servers.stop()
    await rm(folder, { recursive: true })
  })

  it('opens with both, and goes on when the member has forgotten its token', async () => {
    const ca = join(folder, 'cert.pem')
    const host = servers.endpoints.join(',').replace('127.0.0.1', 'localhost')
    const engine = await openAt(`etcd://me:p%40ss@${host}/mine?ca=${ca}`)
    const fence = { key: bytes('f'), token: undefined }
    await engine.commit({ fence, puts: [{ key: bytes('a'), value: bytes('1') }], deletes: [] })
    await servers.kill(0)
    const waiting = engine.get(bytes('a'))
    await servers.restart(0)
    assert.deepEqual(await waiting, bytes('1'))
    await engine.commit({ fence, puts: [{ key: bytes('a'), value: bytes('2') }], deletes: [] })
    await engine.close()
    for (const url of [
      `etcd://me:wrong@${host}/mine?ca=${ca}`,
      `etcd://${host}/mine?ca=${ca}`,
      `etcd://me:p%40ss@${host}/others?ca=${ca}`,
    ]) {
      await assert.rejects(openAt(url), (error) => {
        assert.ok(error instanceof EngineOpenError)
        assert.doesNotMatch(error.message, /wrong|p@ss|p%40ss/)
        return true
      })
    }
  })
})
