import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { CommandError } from '../failure.ts'
import {
  metadataPorts,
  nodeNames,
  nodesByZone,
  parseClusterFile,
  readClusterFile,
  refuseOtherTopology,
  withNode,
  withoutNode,
  writeClusterFile,
  type Topology,
} from './cluster-file.ts'
import { credentialsFromEnvironment, newCredentials } from './credentials.ts'
import { openDataFolder, type OpenDataFolder } from './data-folder.ts'
import { tryLock } from './lock.ts'
import { dataPaths } from './paths.ts'
import { keepFreePorts } from './ports.ts'

const defaults: Topology = { zones: 3, nodesPerZone: 2, code: 'rs-4-2' }

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-folder-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function request(folder: string, more: Partial<OpenDataFolder> = {}): OpenDataFolder {
  return {
    folder,
    wanted: {},
    defaults,
    environment: {},
    freePorts: (count) => Promise.resolve(Array.from({ length: count }, (_port, index) => 20_000 + index)),
    clock: systemClock,
    random: systemRandom,
    ...more,
  }
}

test('a first start makes a cluster, the next finds the same', async (t) => {
  const folder = join(await temporary(t), 'data')
  const first = await openDataFolder(request(folder, { wanted: { zones: 2 } }))
  assert.equal(first.created, true)
  assert.equal(first.credentials.origin, 'made')
  assert.equal(first.cluster.made.zones, 2)
  assert.equal(first.cluster.ports.metadata, 20_000)
  assert.deepEqual(Object.keys(first.cluster.ports.nodes), ['zone-a-1', 'zone-a-2', 'zone-b-1', 'zone-b-2'])
  await first.close()
  const second = await openDataFolder(request(folder))
  await second.close()
  assert.equal(second.created, false)
  assert.deepEqual(second.cluster, first.cluster)
  assert.equal(second.secret, first.secret)
  assert.deepEqual(second.credentials, { ...first.credentials, origin: 'file' })
})

test('nobody else may read the folder, the secret or the credentials', async (t) => {
  const folder = await temporary(t)
  const data = await openDataFolder(request(folder))
  await data.close()
  const mode = async (path: string) => (await stat(path)).mode & 0o777
  assert.equal(await mode(folder), 0o700)
  assert.equal(await mode(data.paths.secret), 0o600)
  assert.equal(await mode(data.paths.credentials), 0o600)
  const left = (await readdir(folder)).filter((name) => name.endsWith('.new'))
  assert.deepEqual(left, [])
})

test('a folder in use is refused, in this process and from another', async (t) => {
  const folder = await temporary(t)
  const data = await openDataFolder(request(folder))
  await assert.rejects(openDataFolder(request(folder)), {
    message: `a cluster is already running in ${folder} (process ${process.pid})`,
  })
  await data.close()
  await (await openDataFolder(request(folder))).close()
})

test('kill -9 leaves no stale lock', async (t) => {
  const path = dataPaths(await temporary(t)).lock
  const lock = new URL('lock.ts', import.meta.url).href
  const script = `const { tryLock } = await import(${JSON.stringify(lock)})
    globalThis.held = tryLock(${JSON.stringify(path)}); console.log(held !== undefined); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(line.toString(), 'true\n')
  assert.equal(tryLock(path), undefined)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const mine = tryLock(path)
  assert.ok(mine !== undefined)
  mine.release()
})

test('a newer, a damaged and a different cluster are refused and left as they are', async (t) => {
  const folder = await temporary(t)
  const data = await openDataFolder(request(folder))
  await data.close()
  const { cluster } = data.paths
  const text = await readFile(cluster, 'utf8')
  await assert.rejects(openDataFolder(request(folder, { wanted: { code: 'rs-8-4', zones: 3 } })), {
    message: `the cluster in ${folder} was made differently: --code was rs-4-2, not rs-8-4`,
  })
  await writeFile(cluster, text.replace('"format": 2', '"format": 3'))
  await assert.rejects(openDataFolder(request(folder)), /is of format 3, written by a newer Ashlar/)
  await writeFile(cluster, text.slice(0, 40))
  await assert.rejects(openDataFolder(request(folder)), /cluster\.json is damaged: no valid JSON/)
  await writeFile(cluster, text.replace('"zones": 3', '"zones": 0'))
  await assert.rejects(openDataFolder(request(folder)), /cluster\.json is damaged: made\.zones: /)
  await writeFile(cluster, text.replace('"zone-b-2": 2', '"zone-x-2": 2'))
  await assert.rejects(openDataFolder(request(folder)), /is damaged: zones: zone-b-2 has no port/)
  await writeFile(cluster, text)
  await (await openDataFolder(request(folder))).close()
})

test('a folder of something else is refused; an unfinished first start is not', async (t) => {
  const foreign = await temporary(t)
  await writeFile(join(foreign, 'thesis.txt'), 'words')
  await assert.rejects(openDataFolder(request(foreign)), /holds something else \(thesis\.txt\)/)
  assert.deepEqual(await readdir(foreign), ['thesis.txt'])

  const unfinished = await temporary(t)
  const failing = request(unfinished, { freePorts: () => Promise.reject(new CommandError('no ports')) })
  await assert.rejects(openDataFolder(failing), /no ports/)
  const data = await openDataFolder(request(unfinished))
  await data.close()
  assert.equal(data.created, true)
})

test('a folder that cannot be made is named with the reason', async (t) => {
  const folder = await temporary(t)
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(openDataFolder(request(join(folder, 'file', 'data'))), {
    name: 'CommandError',
    message: `${join(folder, 'file', 'data')} cannot be opened: a part of the path is a file`,
  })
})

test('credentials of the environment: both or neither, and in the form of keys', () => {
  const secret = 'x'.repeat(8)
  const both = { ASHLAR_ROOT_ACCESS_KEY: 'admin', ASHLAR_ROOT_SECRET_KEY: secret }
  assert.deepEqual(credentialsFromEnvironment(both), { accessKeyId: 'admin', secretAccessKey: secret })
  assert.equal(credentialsFromEnvironment({}), undefined)
  const bad: [Record<string, string>, RegExp][] = [
    [{ ASHLAR_ROOT_ACCESS_KEY: 'admin' }, /^ASHLAR_ROOT_SECRET_KEY is not set/],
    [{ ASHLAR_ROOT_SECRET_KEY: secret }, /^ASHLAR_ROOT_ACCESS_KEY is not set/],
    [{ ...both, ASHLAR_ROOT_ACCESS_KEY: 'a/b' }, /^ASHLAR_ROOT_ACCESS_KEY: expected 3 to 128/],
    [{ ...both, ASHLAR_ROOT_SECRET_KEY: 'short12' }, /^ASHLAR_ROOT_SECRET_KEY: expected 8 to 128/],
  ]
  for (const [environment, message] of bad) {
    assert.throws(
      () => credentialsFromEnvironment(environment),
      (error) =>
        error instanceof CommandError &&
        error.exitCode === 2 &&
        message.test(error.message) &&
        !error.message.includes('short12'),
    )
  }
})

test('made credentials look like those of AWS and pass their own rules', () => {
  const made = newCredentials(systemRandom)
  assert.match(made.accessKeyId, /^[A-Z2-7]{20}$/)
  assert.match(made.secretAccessKey, /^[A-Za-z0-9+/]{40}$/)
  const { accessKeyId, secretAccessKey } = made
  const environment = { ASHLAR_ROOT_ACCESS_KEY: accessKeyId, ASHLAR_ROOT_SECRET_KEY: secretAccessKey }
  assert.deepEqual(credentialsFromEnvironment(environment), made)
})

test('a cluster of format 1 becomes one of format 2, and keeps its names and ports', async (t) => {
  const folder = await temporary(t)
  const data = await openDataFolder(request(folder))
  await data.close()
  const { clusterId, made, ports } = data.cluster
  const { metadata, nodes } = ports
  const old = { format: 1, clusterId, ...made, ports: { metadata, nodes } }
  await writeFile(data.paths.cluster, JSON.stringify(old))
  const again = await openDataFolder(request(folder, { wanted: { zones: 3 } }))
  await again.close()
  assert.deepEqual(again.cluster, { ...data.cluster, ports: { metadata, nodes } })
  const kept = await keepFreePorts(again, '127.0.0.1', systemRandom, 1)
  assert.ok(kept.ports.admin !== undefined, 'the admin interface has got a port')
  assert.deepEqual(await readClusterFile(data.paths.cluster), kept, 'and the file is of the new format')
})

test('each metadata process has a port of its own, and keeps it', async (t) => {
  const data = await openDataFolder(request(await temporary(t)))
  await data.close()
  const ports = async (count: number, cluster = data.cluster) =>
    keepFreePorts({ ...data, cluster }, '127.0.0.1', systemRandom, count)
  const three = await ports(3)
  assert.equal(new Set([...metadataPorts(three), ...Object.values(three.ports.nodes)]).size, 3 + 6)
  assert.deepEqual(await readClusterFile(data.paths.cluster), three)
  assert.deepEqual(await ports(3, three), three)
  const two = await ports(2, three)
  assert.deepEqual(metadataPorts(two), metadataPorts(three).slice(0, 2))
  assert.deepEqual(await ports(1, two), data.cluster)
  const [first = 0] = metadataPorts(data.cluster)
  const beside = await keepFreePorts(data, '127.0.0.1', systemRandom, 1, [first, first + 1])
  assert.ok(
    metadataPorts(beside).every((port) => port !== first),
    'a port that a gateway is to have is not taken',
  )
})

test('a cluster that grew is started by the flags that made it, and by none', async (t) => {
  const folder = await temporary(t)
  const data = await openDataFolder(request(folder, { wanted: { zones: 2 } }))
  await data.close()
  const grown = withNode(data.cluster, 'zone-c', 'zone-c-1', 20_099)
  await writeClusterFile(data.paths.cluster, grown)
  for (const wanted of [{}, { zones: 2, nodesPerZone: 2 }]) {
    const again = await openDataFolder(request(folder, { wanted }))
    await again.close()
    assert.deepEqual(nodeNames(again.cluster), ['zone-a-1', 'zone-a-2', 'zone-b-1', 'zone-b-2', 'zone-c-1'])
  }
  await assert.rejects(openDataFolder(request(folder, { wanted: { zones: 3 } })), /--zones was 2, not 3/)
  assert.deepEqual(withoutNode(grown, 'zone-c-1'), data.cluster, 'its zone goes with its last node')
})

test('names follow from the topology', () => {
  assert.deepEqual(nodesByZone({ zones: 2, nodesPerZone: 1, code: 'replica-2' }), {
    'zone-a': ['zone-a-1'],
    'zone-b': ['zone-b-1'],
  })
  assert.doesNotThrow(() => {
    refuseOtherTopology('/data', defaults, { zones: 3 })
  })
  assert.throws(() => parseClusterFile('[]', 'x'), /x is damaged/)
})
