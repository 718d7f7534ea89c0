import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3'
import { isAlive, runAshlar } from './processes.ts'
import { freePort, startCluster, temporaryFolder } from './harness.ts'
import { contentOf, get, put } from './load.ts'

test('a first start serves, shows its credentials once, and ends cleanly; the next serves the same data', async (t) => {
  const cluster = await startCluster(t)
  const { accessKeyId, secretAccessKey } = cluster.credentials
  const said = cluster.main().stdout()
  assert.ok(said.includes(`AWS_ACCESS_KEY_ID=${accessKeyId}`))
  assert.ok(said.includes(`AWS_SECRET_ACCESS_KEY=${secretAccessKey}`))
  assert.equal((await stat(cluster.paths.credentials)).mode & 0o777, 0o600)
  const version = { name: 'hello', size: 100_000 }
  await cluster.client().send(new CreateBucketCommand({ Bucket: 'first' }))
  await put(cluster.client(), 'first', 'hello', version)

  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
  assert.equal(cluster.main().stderr(), '')
  await cluster.startAgain()
  assert.ok(!cluster.main().stdout().includes(secretAccessKey), 'shown once')
  assert.equal((await get(cluster.client(), 'first', 'hello'))?.length, version.size)
  const shown = await runAshlar(['credentials', '--json', '--data', cluster.paths.folder])
  assert.deepEqual(JSON.parse(shown.stdout), { accessKeyId, secretAccessKey })
})

test('a second start on the same folder is refused, and the first goes on', async (t) => {
  const cluster = await startCluster(t)
  const port = String(await freePort())
  const second = await runAshlar(['start', '--data', cluster.paths.folder, '--port', port])
  assert.equal(second.code, 1)
  assert.match(
    second.stderr,
    new RegExp(`^ashlar: a cluster is already running in .*\\(process ${cluster.main().pid}\\)`),
  )
  await cluster.client().send(new ListBucketsCommand({}))
})

for (const separate of [false, true]) {
  const kind = separate ? 'services of their own' : 'one process'
  test(`a cluster starts without a node whose disk is gone, and serves what it held: ${kind}`, async (t) => {
    const cluster = await startCluster(t, { separate })
    const versions = [100, 5_000_000].map((size) => ({ name: `of ${size}`, size }))
    await cluster.client().send(new CreateBucketCommand({ Bucket: 'first' }))
    for (const version of versions) await put(cluster.client(), 'first', version.name, version)
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
    const folder = cluster.paths.node('zone-a-1')
    await rm(folder, { recursive: true })
    await writeFile(folder, 'what is left of a disk')

    await cluster.startAgain()
    assert.match(cluster.main().stderr(), /The cluster starts without zone-a-1/)
    for (const version of versions) {
      const back = await get(cluster.client(), 'first', version.name)
      assert.ok(contentOf(version).equals(back ?? new Uint8Array()), version.name)
    }
    await put(cluster.client(), 'first', 'later', { name: 'later', size: 5_000_000 })
    const { health, zones } = await cluster.status()
    assert.equal(health, 'degraded')
    const states = zones.flatMap(({ nodes }) => nodes.map(({ node, state }) => `${node} ${state}`))
    assert.deepEqual(
      states.filter((state) => !state.endsWith(' up')),
      ['zone-a-1 down'],
    )
  })
}

test('status says what the loss of each zone would do, and what is wrong', async (t) => {
  const cluster = await startCluster(t, { separate: true })
  const whole = await cluster.status()
  assert.equal(whole.health, 'healthy')
  assert.deepEqual(
    whole.zones.map(({ zone, nodes }) => [zone, nodes.map(({ state }) => state)]),
    ['zone-a', 'zone-b', 'zone-c'].map((zone) => [zone, ['up', 'up']]),
  )
  for (const { pool, readable, writable, zoneLoss } of whole.pools) {
    assert.ok(readable && writable, pool)
    assert.ok(
      zoneLoss.every((loss) => loss.readable && loss.writable),
      pool,
    )
  }
  await cluster.kill(['storage-node-zone-b-1'], 'SIGKILL')
  await cluster.nodesDown(['zone-b-1'])
  const text = await runAshlar(['status', '--data', cluster.paths.folder])
  assert.equal(text.code, 3)
  assert.match(text.stdout, /is degraded\n.*zone-b-1 +down.*Problem: zone-b-1 is down/s)
  assert.match(
    cluster.main().stderr(),
    /storage-node-zone-b-1 ended \(SIGKILL\)\. To start it again:\n +npx ashlar storage-node --config /,
  )
  await cluster.restart('storage-node-zone-b-1')
  await cluster.nodesDown([])
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})

test('status of what does not run is a failure that says what to do', async (t) => {
  const cluster = await startCluster(t)
  await cluster.stop()
  const stopped = await runAshlar(['status', '--data', cluster.paths.folder])
  assert.equal(stopped.code, 1)
  assert.match(stopped.stderr, /^ashlar: metadata at .* cannot be reached: .*\n.*ashlar start/)
  const none = await runAshlar(['status', '--data', await temporaryFolder(t)])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /^ashlar: no cluster in /)
})

test('separate processes: pid files name them, SIGTERM ends all, and a dead parent takes its services with it', async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const names = [
    'metadata',
    ...['zone-a-1', 'zone-a-2', 'zone-b-1', 'zone-b-2', 'zone-c-1', 'zone-c-2'].map(
      (node) => `storage-node-${node}`,
    ),
    'gateway-1',
    'gateway-2',
  ]
  const pids = async () =>
    await Promise.all(names.map(async (name) => Number(await readFile(cluster.paths.pid(name), 'utf8'))))
  const first = await pids()
  assert.ok(first.every(isAlive))
  await Promise.all([0, 1].map((gateway) => cluster.client(gateway).send(new ListBucketsCommand({}))))
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
  assert.ok(!first.some(isAlive))

  await cluster.startAgain()
  const second = await pids()
  cluster.main().child.kill('SIGKILL')
  await cluster.main().ended
  // No waiting for the services: the new ones take over each folder as the old ones let it go.
  await cluster.startAgain()
  assert.ok(!second.some(isAlive))
  await cluster.client().send(new ListBucketsCommand({}))
})

test('credentials of the environment win, and are neither kept nor shown', async (t) => {
  const environment = {
    ASHLAR_ROOT_ACCESS_KEY: 'administrator',
    ASHLAR_ROOT_SECRET_KEY: 'correct-horse-battery',
  }
  for (const separate of [false, true]) {
    const cluster = await startCluster(t, { environment, separate })
    await cluster.client().send(new ListBucketsCommand({}))
    assert.ok(!cluster.main().stdout().includes('correct-horse'))
    await assert.rejects(readFile(cluster.paths.credentials), { code: 'ENOENT' })
    await cluster.stop()
  }
})

test('a port in use is named before anything is made', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  const server = createServer()
  t.after(() => server.close())
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  const { port } = server.address() as AddressInfo
  const refused = await runAshlar(['start', '--data', folder, '--port', String(port)])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, new RegExp(`^ashlar: cannot listen on 127\\.0\\.0\\.1:${port}: it is in use`))
  await assert.rejects(stat(folder), { code: 'ENOENT' })
})

test('a folder of a newer format is refused and left alone', async (t) => {
  const folder = await temporaryFolder(t)
  const text = '{"format": 3, "things": "unknown"}'
  await writeFile(join(folder, 'cluster.json'), text)
  const refused = await runAshlar(['start', '--data', folder, '--port', String(await freePort())])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /is of format 3, written by a newer Ashlar/)
  assert.equal(await readFile(join(folder, 'cluster.json'), 'utf8'), text)
})

test('usage errors end with code 2 and no stack', async () => {
  for (const args of [
    ['start', '--zones', 'many'],
    ['strat'],
    ['gateway', '--config', '/nowhere.json'],
    ['metadata'],
  ]) {
    const { code, stderr, stdout } = await runAshlar(args)
    assert.deepEqual([code, stdout], [2, ''], args.join(' '))
    assert.match(stderr, /^ashlar: /)
    assert.doesNotMatch(stderr, / at .*\.ts:/)
  }
})

test('a cluster of one node says what it could lose', async (t) => {
  const cluster = await startCluster(t, {
    args: ['--zones', '1', '--nodes-per-zone', '1', '--code', 'rs-4-2'],
  })
  assert.match(
    cluster.main().stdout(),
    /Warning: rs-4-2 cuts a stripe into 6 shards for 1 node: some nodes hold several/,
  )
  assert.match(
    cluster.main().stdout(),
    /Warning: the loss of a single node would make objects of pool standard unreadable/,
  )
})
