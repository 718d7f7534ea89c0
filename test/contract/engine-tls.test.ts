/** Engines that ask their clients for a certificate, and clients that ask whom they speak to. */

import assert from 'node:assert/strict'
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Engine, EngineOpenError } from '../../metadata/engine/engine.ts'
import { openEtcdEngine } from '../../metadata/engine/etcd/open.ts'
import { openPostgresEngine } from '../../metadata/engine/postgres/open.ts'
import { Authority, type Certificate, replaceCertificate } from '../servers/certificates.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'
import { entry, keptLog, utf8 } from '../servers/postgres-engine.ts'
import {
  postgresMissing,
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startStandby,
  urlOf,
} from '../servers/postgres.ts'
import { missing } from '../cluster/tools.ts'
import { world } from './metadata-service.ts'

const noOpenssl = await missing('openssl', 'version')
const SERVER = ['DNS:localhost', 'IP:127.0.0.1']

async function folderFor(name: string): Promise<string> {
  // Read by servers that run as another account.
  const folder = await mkdtemp(join(tmpdir(), `ashlar-tls-${name}-`))
  await chmod(folder, 0o755)
  return folder
}

/** Put, get, scan, fence, delete. */
async function assertWorks(engine: Engine, key: string): Promise<void> {
  const fence = { key: utf8(`${key}/fence`), token: undefined }
  const [a, b] = [entry(`${key}/a`, '1'), entry(`${key}/b`, '2')]
  await engine.commit({ fence, puts: [a, b], deletes: [] })
  assert.equal(Buffer.from((await engine.get(a.key)) ?? []).toString(), '1')
  const found = await engine.scan({ gte: a.key, lt: utf8(`${key}/c`), limit: 10 })
  assert.deepEqual(
    found.map(({ key: name, value }) => `${Buffer.from(name).toString()}=${Buffer.from(value).toString()}`),
    [`${key}/a=1`, `${key}/b=2`],
  )
  await assert.rejects(
    engine.commit({ fence: { key: a.key, token: undefined }, puts: [], deletes: [b.key] }),
    /fenced out/,
  )
  await engine.commit({ fence, puts: [], deletes: [a.key, b.key] })
  assert.equal(await engine.get(a.key), undefined)
}

/** It is refused for that reason, and says nothing of passwords or of what is in files. */
async function assertRefused(opening: Promise<Engine>, reason: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof EngineOpenError, String(error))
    assert.match(error.message, reason)
    assert.doesNotMatch(error.message, /p@ss|p%40ss|PRIVATE|BEGIN/)
    return true
  })
}

interface Certificates {
  readonly authority: Authority
  readonly other: Authority
  readonly client: Certificate
  /** Of a client, by the other authority. */
  readonly stranger: Certificate
  readonly server: Certificate
  readonly elsewhere: Certificate
  readonly expired: Certificate
}

async function certificatesIn(folder: string): Promise<Certificates> {
  const authority = await Authority.make(folder, 'authority')
  const other = await Authority.make(folder, 'other')
  return {
    authority,
    other,
    client: await authority.issue({ name: 'ashlar' }),
    stranger: await other.issue({ name: 'ashlar' }),
    server: await authority.issue({ name: 'server', altNames: SERVER }),
    elsewhere: await authority.issue({ name: 'elsewhere', altNames: ['DNS:elsewhere.example'] }),
    expired: await authority.issue({ name: 'server', altNames: SERVER, expired: true }),
  }
}

describe('PostgreSQL with client certificates', { skip: (await postgresMissing()) || noOpenssl }, () => {
  let folder: string
  let certificates: Certificates
  let inUse: Certificate
  let primary: PostgresServer

  before(async () => {
    folder = await folderFor('postgres')
    certificates = await certificatesIn(folder)
    const { authority, server } = certificates
    inUse = await authority.issue({ name: 'server', altNames: SERVER })
    primary = await startPostgres()
    const data = join(primary.folder, 'data')
    const { uid, gid } = await stat(data)
    await chown(inUse.key, uid, gid)
    // The test's own questions come without TLS.
    const rules = [
      'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full',
      'hostnossl all all 127.0.0.1/32 scram-sha-256',
      'hostnossl replication all 127.0.0.1/32 scram-sha-256',
    ]
    await writeFile(join(data, 'pg_hba.conf'), `${rules.join('\n')}\n`)
    await primary.query(`alter system set ssl_cert_file to '${inUse.cert}'`)
    await primary.query(`alter system set ssl_key_file to '${inUse.key}'`)
    await primary.query(`alter system set ssl_ca_file to '${authority.ca}'`)
    await primary.query('alter system set ssl to on')
    await serve(server)
  })
  after(async () => {
    await primary.dispose()
    await rm(folder, { recursive: true })
  })

  async function serve(certificate: Certificate): Promise<void> {
    await replaceCertificate(inUse, certificate)
    await primary.query('select pg_reload_conf()')
  }

  function open(
    servers: readonly PostgresServer[],
    mode: string,
    { ca = certificates.authority.ca, client }: { ca?: string; client?: Certificate } = {},
  ): Promise<Engine> {
    const own = client === undefined ? '' : `&sslcert=${client.cert}&sslkey=${client.key}`
    const url = urlOf(servers, `sslmode=${mode}&sslrootcert=${ca}${own}`).replaceAll('127.0.0.1', 'localhost')
    return openPostgresEngine(url, { clock: world.clock, log: keptLog([]), readFile })
  }

  it('works with the right certificates', async () => {
    const engine = await open([primary], 'verify-full', { client: certificates.client })
    await assertWorks(engine, 'right')
    const names = await primary.query('select distinct client_dn from pg_stat_ssl where ssl')
    assert.deepEqual(names, [{ client_dn: '/CN=ashlar' }])
    await engine.close()
  })

  it('is refused without a certificate, with one of another authority, and with another name in it', async () => {
    const { client, stranger, authority, other } = certificates
    await assertRefused(open([primary], 'verify-full'), /client certificate/)
    await assertRefused(
      open([primary], 'verify-full', { client: stranger }),
      /unknown ca|client certificate/i,
    )
    // PostgreSQL says no more to the client, and the reason in its own log.
    const somebody = await authority.issue({ name: 'somebody' })
    await assertRefused(
      open([primary], 'verify-full', { client: somebody }),
      /authentication failed for user/,
    )
    const expired = await authority.issue({ name: 'ashlar', expired: true })
    await assertRefused(open([primary], 'verify-full', { client: expired }), /certificate expired/)
    const mixed = { cert: client.cert, key: stranger.key }
    await assertRefused(open([primary], 'verify-full', { client: mixed }), /key values mismatch/)
    await assertRefused(
      open([primary], 'verify-full', { ca: other.ca, client }),
      /self-signed certificate|unable to/,
    )
  })

  it('is refused where the server is another, or its certificate has expired', async () => {
    const { client, elsewhere, expired, server } = certificates
    await serve(elsewhere)
    await assertRefused(open([primary], 'verify-full', { client }), /localhost.*elsewhere\.example/s)
    const trusting = await open([primary], 'verify-ca', { client })
    await trusting.close()
    await serve(expired)
    await assertRefused(open([primary], 'verify-full', { client }), /certificate has expired/)
    await serve(server)
  })

  it('speaks TLS to the next primary, too', async () => {
    const standby: PostgresStandby = await startStandby(primary)
    try {
      const engine = await open([primary, standby], 'verify-full', { client: certificates.client })
      await assertWorks(engine, 'before')
      await primary.kill()
      await standby.promote()
      await assertWorks(engine, 'after')
      const names = await standby.query('select distinct client_dn from pg_stat_ssl where ssl')
      assert.deepEqual(names, [{ client_dn: '/CN=ashlar' }])
      await engine.close()
    } finally {
      await standby.dispose()
    }
  })
})

describe('etcd with client certificates', { skip: (await etcdMissing()) || noOpenssl }, () => {
  let folder: string
  let certificates: Certificates
  let inUse: Certificate
  let servers: EtcdServers

  before(async () => {
    folder = await folderFor('etcd')
    certificates = await certificatesIn(folder)
    const { authority, client } = certificates
    inUse = await authority.issue({ name: 'server', altNames: SERVER })
    servers = await EtcdServers.start({ tls: { ca: authority.ca, ...inUse, client } })
  })
  after(async () => {
    await servers.stop()
    await rm(folder, { recursive: true })
  })

  function open(prefix: string, ca: string, client?: Certificate): Promise<Engine> {
    const own = client === undefined ? '' : `&cert=${client.cert}&key=${client.key}`
    const url = servers.url(`/${prefix}?ca=${ca}${own}`).replaceAll('127.0.0.1', 'localhost')
    return openEtcdEngine(url, { ...world, readFile })
  }

  it('works with the right certificates, and when the member in use has died', async () => {
    const { authority, client } = certificates
    const engine = await open('right', authority.ca, client)
    await assertWorks(engine, 'before')
    for (const index of [0, 1, 2]) {
      await servers.kill(index)
      await assertWorks(engine, `after-${index}`)
      await servers.restart(index)
    }
    await engine.close()
  })

  it('is refused for what is wrong with the certificates of either side', async () => {
    const { authority, other, client, stranger, elsewhere, expired, server } = certificates
    const old = await authority.issue({ name: 'ashlar', expired: true })
    await Promise.all([
      assertRefused(open('none', authority.ca), /certificate, or that there is none: TLS alert/),
      assertRefused(open('stranger', authority.ca, stranger), /refuses our certificate.* TLS alert/),
      assertRefused(open('old', authority.ca, old), /refuses our certificate.* TLS alert/),
      assertRefused(open('other', other.ca, client), /self-signed certificate|unable to/),
      assertRefused(
        open('mixed', authority.ca, { cert: client.cert, key: stranger.key }),
        /certificates for etcd are not what they should be/,
      ),
    ])
    // Members read their files with each connection.
    await replaceCertificate(inUse, elsewhere)
    await assertRefused(open('elsewhere', authority.ca, client), /localhost.*elsewhere\.example/s)
    await replaceCertificate(inUse, expired)
    await assertRefused(open('expired', authority.ca, client), /certificate has expired/)
    await replaceCertificate(inUse, server)
    await (await open('again', authority.ca, client)).close()
  })
})
