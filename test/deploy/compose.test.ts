import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import { parseAddress, splitAddresses } from '../../runtime/config/fields.ts'
import { run } from '../cluster/tools.ts'
import { understand, type Understood } from './command-line.ts'
import type { Compose } from './compose-files.ts'
import { readDockerfile } from './files.ts'
import { isOwn, ownCompose, placed, secretsRead, type OwnCompose } from './own-compose.ts'

/** By what a user starts: the files of `docker compose -f … -f …`. */
const starts = {
  'an embedded engine': ['compose.yaml'],
  PostgreSQL: ['compose.yaml', 'compose.postgres.yaml'],
  etcd: ['compose.yaml', 'compose.etcd.yaml'],
} as const

/** The services of the project's own image, as the program understands them. */
async function understood(own: OwnCompose, compose: Compose): Promise<Map<string, Understood>> {
  const image = await readDockerfile()
  const services = new Map<string, Understood>()
  for (const [name, service] of compose.services) {
    if (!isOwn(service)) continue
    const place = (text: string) =>
      text.replaceAll(/\/run\/secrets\/([a-z-]+)/g, (_all, secret: string) => own.secret(compose, secret))
    const { args, environment } = placed(service, place)
    services.set(name, await understand(args, image.environment, environment))
  }
  return services
}

for (const [engine, files] of Object.entries(starts)) {
  test(`compose, with ${engine}: the program takes every command, and the services mean each other`, async (t) => {
    const own = await ownCompose(t)
    const compose = await own.load(...files)
    const services = await understood(own, compose)
    const of = <K extends Understood['kind']>(kind: K) =>
      [...services].flatMap(([name, one]) =>
        one.kind === kind ? [[name, one as Extract<Understood, { kind: K }>] as const] : [],
      )
    const metadata = of('metadata')
    const nodes = of('storage-node')
    assert.equal(nodes.length, 6)
    assert.equal(of('worker').length, 1)
    assert.equal(of('gateway').length, 2)
    assert.equal(metadata.length, engine === 'an embedded engine' ? 1 : 3)
    assert.equal(new Set(metadata.map(([, { config }]) => config.nodeId)).size, metadata.length)

    for (const [name, { config }] of [...metadata, ...nodes]) {
      assert.deepEqual(parseAddress(config.advertise ?? ''), { host: name, port: config.port }, name)
      assert.equal(config.host, '0.0.0.0', name)
    }
    const all = metadata.map(([name, { config }]) => `${name}:${config.port}`)
    for (const [name, { config }] of [...nodes, ...of('worker'), ...of('gateway')]) {
      assert.deepEqual(splitAddresses(config.metadata), all, name)
    }
    for (const [name, { config }] of metadata) {
      assert.deepEqual(
        Object.entries(config.nodes).flatMap(([zone, ids]) => ids.map((node) => ({ zone, node }))),
        nodes.map(
          ([
            ,
            {
              config: { zone, node },
            },
          ]) => ({ zone, node }),
        ),
        name,
      )
      assert.equal(config.clusterId, own.variables['ASHLAR_CLUSTER_ID'])
      const embedded = config.data !== undefined
      assert.equal(embedded, engine === 'an embedded engine', name)
      if (!embedded) assert.match(config.engine ?? '', engine === 'etcd' ? /^etcd:/ : /^postgres:/)
    }
    const image = await readDockerfile()
    for (const [name, { config }] of of('gateway')) {
      assert.ok(image.ports.includes(String(config.port)))
      for (const port of compose.services.get(name)?.ports ?? []) {
        assert.match(
          port,
          new RegExp(`^127\\.0\\.0\\.1:\\d+:${config.port}$`),
          'published on this machine alone',
        )
      }
    }
  })

  test(`compose, with ${engine}: what a service uses is declared, and its own`, async (t) => {
    const own = await ownCompose(t)
    const compose = await own.load(...files)
    const image = await readDockerfile()
    const services = await understood(own, compose)
    const mounted = new Set<string>()
    for (const [name, service] of compose.services) {
      for (const secret of service.secrets ?? []) {
        assert.ok((await stat(own.secret(compose, secret))).isFile(), secret)
      }
      assert.deepEqual(
        secretsRead(service).toSorted(),
        (service.secrets ?? []).toSorted(),
        `secrets of ${name}`,
      )
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':')
        assert.ok(compose.volumes.includes(source), `${name}: ${volume}`)
        assert.ok(!mounted.has(source), `${source} is mounted twice`)
        mounted.add(source)
      }
      for (const network of service.networks ?? []) assert.ok(compose.networks.includes(network), network)
      for (const dependency of Object.keys(service.depends_on ?? {})) {
        const found = compose.services.get(dependency) ?? assert.fail(`${name} depends on ${dependency}`)
        assert.ok(isOwn(found) ? image.healthcheck.length > 0 : found.healthcheck !== undefined, dependency)
      }
      if (!isOwn(service)) continue
      const config = services.get(name)?.config ?? assert.fail(name)
      const targets = (service.volumes ?? []).map((volume) => volume.split(':')[1])
      if ('data' in config && config.data !== undefined) {
        assert.deepEqual(targets, [dirname(config.data)], name)
      }
      assert.equal(service.read_only, true)
      assert.deepEqual(service.cap_drop, ['ALL'])
      assert.ok(Number.parseInt(service.stop_grace_period ?? '', 10) * 1000 > SHUTDOWN_GRACE_MS)
      assert.equal(service.healthcheck, undefined, 'the image has its own')
    }
    assert.deepEqual([...mounted].toSorted(), compose.volumes.toSorted(), 'every volume is somebody’s')
  })
}

test('secrets are made once, can be read where they are mounted, and only there', async (t) => {
  const own = await ownCompose(t)
  const names = ['cluster-secret', 'root-credentials.json', 'postgres-password', 'postgres-engine.json']
  const contents = () => Promise.all(names.map((name) => readFile(join(own.folder, 'secrets', name), 'utf8')))
  const first = await contents()
  assert.equal((await stat(join(own.folder, 'secrets'))).mode & 0o777, 0o700)
  for (const name of names) assert.equal((await stat(join(own.folder, 'secrets', name))).mode & 0o777, 0o444)
  assert.equal((await stat(join(own.folder, '.env'))).mode & 0o077, 0)
  assert.equal(await run('sh', [join(own.folder, 'secrets.sh')]), '')
  assert.deepEqual(await contents(), first)

  const other = await ownCompose(t)
  const others = await Promise.all(names.map((name) => readFile(join(other.folder, 'secrets', name), 'utf8')))
  for (const [index, text] of others.entries()) assert.notEqual(text, first[index], names[index])
  assert.notEqual(other.variables['ASHLAR_CLUSTER_ID'], own.variables['ASHLAR_CLUSTER_ID'])
})
