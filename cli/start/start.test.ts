import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, resolveConfig } from '../../runtime/config/layers.ts'
import { serviceConfigs } from '../../runtime/config/services.ts'
import type { ClusterFile } from '../folder/cluster-file.ts'
import { dataPaths } from '../folder/paths.ts'
import { banner, endpointOf, type Started } from './banner.ts'
import { startConfig, wantedTopology, type StartConfig } from './config.ts'
import { planCluster, planProcesses } from './plan.ts'
import { childEnvironment } from './separate.ts'

function options(flags: Record<string, string> = {}, environment: Record<string, string> = {}): StartConfig {
  return resolveConfig(startConfig, { flags, environment, workingDirectory: '/srv' })
}

const cluster: ClusterFile = {
  format: 2,
  clusterId: '0'.repeat(32),
  made: { zones: 1, nodesPerZone: 2, code: 'replica-2' },
  zones: { 'zone-a': ['zone-a-1', 'zone-a-2'] },
  ports: { metadata: 20_000, admin: 20_003, nodes: { 'zone-a-1': 20_001, 'zone-a-2': 20_002 } },
}

test('only what was asked for is wanted of an existing cluster', () => {
  assert.deepEqual(wantedTopology(options()), {})
  assert.deepEqual(wantedTopology(options({ zones: '4' }, { ASHLAR_CODE: 'rs-6-2' })), {
    zones: 4,
    code: 'rs-6-2',
  })
  assert.equal(options().data, '/srv/data')
})

test('options that do not go together are refused', () => {
  const bad: [Record<string, string>, RegExp][] = [
    [{ gateways: '2' }, /gateways: more than one gateway needs --separate/],
    [{ gateways: '2', separate: 'true', port: '65535' }, /gateways: the ports from --port up end at 65535/],
    [{ zones: '26', nodesPerZone: '3' }, /nodesPerZone: at most 64 storage nodes/],
    [{ metadataProcesses: '2', engine: 'etcd://h' }, /metadataProcesses: .* needs --separate/],
    [{ metadataProcesses: '2', separate: 'true' }, /metadataProcesses: .* needs --engine/],
    [
      { metadataProcesses: '2', separate: 'true', engine: 'etcd://h level:/folder' },
      /metadataProcesses: .* needs --engine/,
    ],
    [{ zones: '0' }, /zones: expected 1 or more \(from --zones\)/],
    [{ zones: '2.5' }, /zones: expected a whole number/],
    [{ code: 'rs-4' }, /code: .*rs-<data>-<parity>/],
    [{ domain: 'S3.Example' }, /domain: expected a lower-case domain name/],
    [{ logLevel: 'loud' }, /logLevel: expected one of debug/],
    [{ defaultObjectOwnership: 'Mine' }, /defaultObjectOwnership: expected one of BucketOwnerEnforced/],
    [{ bucketsPerAccount: '0' }, /bucketsPerAccount: expected 1 or more/],
  ]
  for (const [flags, message] of bad) {
    assert.throws(
      () => options(flags),
      (error) => error instanceof ConfigError && error.faults.some((fault) => message.test(fault)),
      JSON.stringify(flags),
    )
  }
})

test('every process is configured by a file that its own command accepts', () => {
  const paths = dataPaths('/data')
  const start = options({
    separate: 'true',
    gateways: '2',
    domain: 's3.test',
    defaultObjectOwnership: 'ObjectWriter',
    bucketsPerAccount: '7',
    accounts: 'accounts.json',
    emulateS3Limits: '0.1',
    splitReadsPerSecond: '700',
  })
  const plans = planProcesses(planCluster(cluster, paths, start, true), paths)
  assert.deepEqual(
    plans.map(({ name }) => name),
    ['metadata', 'storage-node-zone-a-1', 'storage-node-zone-a-2', 'worker', 'gateway-1', 'gateway-2'],
  )
  for (const { kind, config, configFile } of plans) {
    const value: unknown = JSON.parse(JSON.stringify(config))
    const read = resolveConfig(serviceConfigs[kind], {
      file: { path: configFile, value },
      environment: {},
      flags: {},
      workingDirectory: '/elsewhere',
    })
    assert.deepEqual(read, config)
  }
  assert.deepEqual(
    plans.map(({ config }) => ('port' in config ? config.port : config.adminPort)),
    [20_000, 20_001, 20_002, 20_003, 9000, 9001],
  )
  assert.ok(plans.every(({ config }) => ('host' in config ? config.host : config.adminHost) === '127.0.0.1'))
  for (const { config } of plans.filter(({ kind }) => kind === 'gateway')) {
    assert.ok('defaultObjectOwnership' in config)
    assert.deepEqual([config.defaultObjectOwnership, config.bucketsPerAccount], ['ObjectWriter', 7])
    assert.equal(config.accounts, '/srv/accounts.json')
  }
})

test('what partitions are held to, and triggers that are given, reach metadata', () => {
  const { metadata } = planCluster(
    cluster,
    dataPaths('/data'),
    options({ emulateS3Limits: '0.1', splitReadsPerSecond: '700' }),
    false,
  )
  const [{ emulateS3Limits, splitWritesPerSecond, splitReadsPerSecond } = {}] = metadata
  assert.deepEqual([emulateS3Limits, splitWritesPerSecond, splitReadsPerSecond], [0.1, undefined, 700])
})

test('several metadata processes share an engine, and the others know all of them', () => {
  const engine = 'postgres://ashlar:secret@db/ashlar etcd://h1,h2'
  const start = options({ separate: 'true', metadataProcesses: '3', engine })
  const { ports } = cluster
  const several = { ...cluster, ports: { ...ports, moreMetadata: [20_004, 20_005] } }
  const { metadata, nodes, worker, gateways } = planCluster(several, dataPaths('/data'), start, false)
  assert.deepEqual(
    metadata.map(({ nodeId, port, data }) => [nodeId, port, data]),
    [
      ['metadata-1', 20_000, undefined],
      ['metadata-2', 20_004, undefined],
      ['metadata-3', 20_005, undefined],
    ],
  )
  assert.ok(metadata.every((config) => config.engine === engine && !config.existing))
  for (const config of [...nodes, worker, ...gateways]) {
    assert.equal(config.metadata, '127.0.0.1:20000,127.0.0.1:20004,127.0.0.1:20005')
    assert.ok(!JSON.stringify(config).includes('secret@'))
  }
})

test('a child gets no option of start, and only gateways the root credentials', () => {
  const environment = {
    PATH: '/bin',
    ASHLAR_PORT: '9',
    ASHLAR_ROOT_SECRET_KEY: 's',
    ASHLAR_ROOT_ACCESS_KEY: 'a',
  }
  assert.deepEqual(childEnvironment(environment, false), { PATH: '/bin' })
  assert.deepEqual(childEnvironment(environment, true), {
    PATH: '/bin',
    ASHLAR_ROOT_SECRET_KEY: 's',
    ASHLAR_ROOT_ACCESS_KEY: 'a',
  })
})

const started: Started = {
  version: '1.2.3',
  endpoints: ['http://127.0.0.1:9000'],
  region: 'us-east-1',
  domain: undefined,
  zones: 3,
  nodes: 6,
  code: 'rs-4-2',
  admin: 'http://127.0.0.1:20003',
  folder: './data',
  separate: false,
  credentials: { accessKeyId: 'ASHLEXAMPLE', secretAccessKey: 'hush', origin: 'made' },
  warnings: [],
}

test('the first start shows the credentials and what to type', () => {
  assert.equal(
    banner(started),
    `Ashlar 1.2.3

  Endpoint  http://127.0.0.1:9000
  Region    us-east-1
  Cluster   6 storage nodes in 3 zones, rs-4-2, metadata, a worker, a gateway; one process
  Admin     http://127.0.0.1:20003/metrics, /v1/status, /v1/risk
  Data      ./data

  The root credentials, shown this once (later: npx ashlar credentials), and the first commands:

    export AWS_ACCESS_KEY_ID=ASHLEXAMPLE
    export AWS_SECRET_ACCESS_KEY=hush
    export AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=http://127.0.0.1:9000
    aws s3 mb s3://first
    echo hello | aws s3 cp - s3://first/hello.txt
    aws s3 cp s3://first/hello.txt -

Ready. Ctrl-C stops it.
`,
  )
})

test('later starts, and those with credentials of their own, show no secret', () => {
  for (const origin of ['file', 'environment'] as const) {
    const text = banner({ ...started, folder: '/srv/x', credentials: { ...started.credentials, origin } })
    assert.ok(!text.includes('hush') && !text.includes('ASHLEXAMPLE'), origin)
  }
  const later = banner({
    ...started,
    folder: '/srv/x',
    credentials: { ...started.credentials, origin: 'file' },
  })
  assert.match(later, /Keys {6}npx ashlar credentials --data \/srv\/x\n/)
})

test('warnings and several gateways are said', () => {
  const text = banner({
    ...started,
    separate: true,
    endpoints: ['http://127.0.0.1:9000', 'http://127.0.0.1:9001'],
    warnings: ['the loss of a zone would hurt'],
  })
  assert.match(text, /Endpoint {2}http:\/\/127\.0\.0\.1:9000 {2}http:\/\/127\.0\.0\.1:9001\n/)
  assert.match(text, /\n {2}Warning: the loss of a zone would hurt\n/)
  assert.match(text, /\nReady\. Ctrl-C stops it and all its processes\.\n$/)
})

test('an endpoint is one that can be called', () => {
  assert.equal(endpointOf('10.0.0.7:9000'), 'http://10.0.0.7:9000')
  assert.equal(endpointOf('0.0.0.0:9000'), 'http://127.0.0.1:9000')
  assert.equal(endpointOf('[::]:9000'), 'http://[::1]:9000')
})
