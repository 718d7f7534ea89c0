import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatAddress, parseAddress } from './fields.ts'
import { ConfigError, fieldsOf, resolveConfig, type Layers } from './layers.ts'
import { loadConfig } from './load.ts'
import { gatewayConfig, workerConfig, metadataConfig, serviceConfigs, storageNodeConfig } from './services.ts'

const nothing: Layers = { environment: {}, flags: {}, workingDirectory: '/srv' }

function faultsOf(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.faults
  }
  throw new assert.AssertionError({ message: 'no ConfigError' })
}

test('the command line wins over the environment, that over the file, that over the defaults', () => {
  const file = {
    path: '/etc/ashlar/gateway.json',
    value: { metadata: 'file:1', secretFile: 'secret', region: 'file-1', port: 1 },
  }
  const environment = { ASHLAR_REGION: 'environment-1', ASHLAR_PORT: '2' }
  const config = resolveConfig(gatewayConfig, { ...nothing, file, environment, flags: { port: '3' } })
  assert.deepEqual(config, {
    host: '127.0.0.1',
    port: 3,
    region: 'environment-1',
    defaultObjectOwnership: 'BucketOwnerEnforced',
    bucketsPerAccount: 10_000,
    adminHost: '127.0.0.1',
    metadata: 'file:1',
    secretFile: '/etc/ashlar/secret',
    logLevel: 'info',
  })
})

test('relative paths: in the file from its folder, elsewhere from the working directory', () => {
  const flags = { node: 'n-1', zone: 'z', metadata: 'm:1', secretFile: 'my/secret' }
  const file = { path: '/etc/ashlar/node.json', value: { data: 'shards' } }
  const config = resolveConfig(storageNodeConfig, { ...nothing, file, flags })
  assert.equal(config.secretFile, '/srv/my/secret')
  assert.equal(config.data, '/etc/ashlar/shards')
})

test('who listens on all addresses says by what address it is reached', () => {
  const flags = { node: 'n-1', zone: 'z', data: '/d', metadata: 'm:1', secretFile: 's' }
  for (const host of ['0.0.0.0', '0', '::', '0:0:0:0:0:0:0:0']) {
    assert.deepEqual(
      faultsOf(() => resolveConfig(storageNodeConfig, { ...nothing, flags: { ...flags, host } })),
      [
        'advertise: missing (it listens on all addresses, which are none that others can call); give --advertise, ASHLAR_ADVERTISE or "advertise" in the config file',
      ],
    )
    const given = { ...flags, host, advertise: 'n-1:9102' }
    assert.equal(resolveConfig(storageNodeConfig, { ...nothing, flags: given }).advertise, 'n-1:9102')
  }
  for (const host of ['10.0.0.7', '::1', 'node-0']) {
    assert.equal(resolveConfig(storageNodeConfig, { ...nothing, flags: { ...flags, host } }).host, host)
  }
})

test('every fault is named at once, with its field and where it came from', () => {
  const file = { path: '/etc/g.json', value: { metadata: 'nowhere', prot: 9000, region: 5 } }
  const faults = faultsOf(() =>
    resolveConfig(gatewayConfig, { ...nothing, file, environment: { ASHLAR_PORT: 'http' } }),
  )
  assert.deepEqual([...faults].sort(), [
    'metadata: expected host:port, or several of them with commas between, such as 10.0.0.7:9101,10.0.0.8:9101 (from /etc/g.json)',
    'port: expected number (from ASHLAR_PORT)',
    'prot: no such field (from /etc/g.json); there are host, port, domain, region, metadata, secretFile, credentialsFile, accounts, defaultObjectOwnership, bucketsPerAccount, adminHost, adminPort, pidFile, logLevel',
    'region: expected string (from /etc/g.json)',
    'secretFile: missing; give --secret-file, ASHLAR_SECRET_FILE or "secretFile" in the config file',
  ])
})

test('structured fields are JSON in the environment, and checked inside', () => {
  const environment = {
    ASHLAR_DATA: 'm',
    ASHLAR_SECRET_FILE: 's',
    ASHLAR_CLUSTER_ID: '0'.repeat(32),
    ASHLAR_NODES: '{"zone-a":["a-1"],"zone-b":["b-1"]}',
  }
  const config = resolveConfig(metadataConfig, { ...nothing, environment })
  assert.deepEqual(config.nodes, { 'zone-a': ['a-1'], 'zone-b': ['b-1'] })
  const twice = { ...environment, ASHLAR_NODES: '{"zone-a":["x"],"zone-b":["x"]}' }
  assert.deepEqual(
    faultsOf(() => resolveConfig(metadataConfig, { ...nothing, environment: twice })),
    ['nodes: a node is named twice (from ASHLAR_NODES)'],
  )
  const coded = { ...environment, ASHLAR_CODE: 'rs-40-2' }
  const [fault = ''] = faultsOf(() => resolveConfig(metadataConfig, { ...nothing, environment: coded }))
  assert.match(fault, /^code: .*at most 32 are supported.*\(from ASHLAR_CODE\)$/)
})

test('every field of every service is described', () => {
  for (const schema of Object.values(serviceConfigs)) {
    for (const field of fieldsOf(schema)) assert.notEqual(field.description, '', field.key)
  }
})

test('a file that is missing or no JSON is named', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-config-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'bad.json')
  await writeFile(path, '{"port": }')
  await assert.rejects(loadConfig(gatewayConfig, path, nothing), /bad\.json: no valid JSON/)
  await assert.rejects(
    loadConfig(gatewayConfig, join(folder, 'none.json'), nothing),
    /none\.json: cannot be read/,
  )
})

test('addresses read back as they were written', () => {
  for (const text of ['localhost:1', '10.0.0.7:9101', '[::1]:65535', '[fe80::1]:80']) {
    const parsed = parseAddress(text)
    assert.ok(parsed !== undefined, text)
    assert.equal(formatAddress(parsed), text)
  }
  for (const text of [
    '',
    'host',
    'host:',
    ':1',
    'host:0',
    'host:65536',
    '::1:80',
    '[::1]',
    'a b:1',
    'host:01',
  ]) {
    assert.equal(parseAddress(text), undefined, text)
  }
})

test('bytes are numbers, or have a binary unit', () => {
  const rate = (text: string) =>
    resolveConfig(workerConfig, {
      environment: {},
      flags: { metadata: '10.0.0.7:9101', secretFile: 'secret', repairBytesPerSecond: text },
      workingDirectory: '/',
    }).repairBytesPerSecond
  assert.deepEqual(
    ['0', '1048576', '100MiB', '1.5 GiB', '7B'].map(rate),
    [0, 1_048_576, 104_857_600, 1_610_612_736, 7],
  )
  for (const text of ['100MB', '-1', '1.5', 'much', '', '1e3KiB']) {
    assert.throws(() => rate(text), /repairBytesPerSecond: expected bytes, such as 1048576 or 100MiB/, text)
  }
})
