import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import { parseAddress, splitAddresses } from '../../runtime/config/fields.ts'
import { serviceConfigs, type ServiceKind } from '../../runtime/config/services.ts'
import { temporaryFolder } from '../cluster/harness.ts'
import { missing, run } from '../cluster/tools.ts'
import { understand, type Understood } from './command-line.ts'
import { deployed, readDockerfile, readYaml } from './files.ts'
import { render, selects, type Controller, type Rendered } from './rendered.ts'

const chart = (...path: readonly string[]) => deployed('chart', 'ashlar', ...path)

const skip = await missing('helm', 'version')

/** Values that touch all there is. */
const everything = {
  fullnameOverride: 'tank',
  code: 'rs-2-2',
  credentials: { existingSecret: 'keys' },
  accounts: { existingSecret: 'people' },
  zones: [
    { name: 'east', nodes: 4, topology: 'eu-1a', size: '1Ti' },
    { name: 'west', nodes: 4, storageClassName: 'fast' },
  ],
  storage: { options: { compactionBytesPerSecond: 100_000_000, scrubDays: 0.5 } },
  metadata: {
    engine: { existingSecret: 'database', key: 'uri' },
    options: { emulateS3Limits: true, nodeGraceSeconds: 1_200_000 },
  },
  worker: { options: { repairBytesPerSecond: '200MiB' } },
  gateway: { options: { domain: 's3.example.com' } },
  networkPolicy: { enabled: true, metricsFrom: [{ namespaceSelector: {} }] },
  serviceMonitor: { enabled: true, tokenSecret: { name: 'token' } },
}

/** Three ways to run it, as arguments of `helm`. */
const ways = {
  'an embedded engine': [],
  'an external engine': ['--set', 'metadata.engine.existingSecret=database,metadata.replicas=5'],
  everything: Object.entries(everything).flatMap(([key, value]) => [
    '--set-json',
    `${key}=${JSON.stringify(value)}`,
  ]),
} as const satisfies Readonly<Record<string, readonly string[]>>

type Service = Exclude<Understood, { readonly kind: 'start' }>

/** A pod of a controller, by the program's own parser: what it runs, and which ports of it are open. */
interface Pod {
  readonly name: string
  readonly controller: Controller
  readonly understood: Service
}

/** Stands for what Kubernetes puts in place of a reference to a secret. */
const secretValue: Readonly<Record<string, string>> = {
  'cluster-id': '0123456789abcdef'.repeat(2),
  'root-access-key': 'ASHLEXAMPLE',
  'root-secret-key': 'correct-horse-battery',
  engine: 'postgres://ashlar@db/ashlar',
  uri: 'postgresql://ashlar@db/ashlar',
}

async function podsOf({ controllers }: Rendered): Promise<Pod[]> {
  const image = await readDockerfile()
  const pods: Pod[] = []
  for (const controller of controllers) {
    const [container] = controller.spec.template.spec.containers
    for (let index = 0; index < controller.spec.replicas; index++) {
      const name = `${controller.metadata.name}-${index}`
      const environment: Record<string, string> = {}
      for (const { name: variable, value, valueFrom } of container.env) {
        const key = valueFrom?.secretKeyRef?.key
        environment[variable] =
          value?.replaceAll('$(POD_NAME)', environment['POD_NAME'] ?? '') ??
          (key === undefined ? name : (secretValue[key] ?? assert.fail(`no secret has ${key}`)))
      }
      // Every pod has it, for `ashlar status` in it; not all read it.
      const understood = await understand(
        container.args,
        { ...image.environment, ...common(environment) },
        environment,
      )
      if (understood.kind === 'start') assert.fail('a pod is one service')
      pods.push({ name, controller, understood })
    }
  }
  return pods
}

/** What is given to all services, whether or not they have such an option. */
function common(environment: Record<string, string>): Record<string, string> {
  const host = environment['ASHLAR_HOST'] ?? assert.fail('no address to listen on')
  delete environment['ASHLAR_HOST']
  return { ASHLAR_HOST: host }
}

for (const [way, args] of Object.entries(ways)) {
  test(`chart, with ${way}: the program takes every pod’s command and environment`, { skip }, async () => {
    const rendered = await render(...args)
    const pods = await podsOf(rendered)
    const of = <K extends Service['kind']>(kind: K) =>
      pods.flatMap(({ name, controller, understood }) =>
        understood.kind === kind
          ? [{ name, controller, config: understood.config as Extract<Service, { kind: K }>['config'] }]
          : [],
      )
    const metadata = of('metadata')
    const nodes = of('storage-node')
    assert.equal(metadata.length, { 'an embedded engine': 1, 'an external engine': 5, everything: 3 }[way])
    assert.equal(nodes.length, way === 'everything' ? 8 : 6)
    assert.equal(of('gateway').length, 2)
    assert.equal(of('worker').length, 2)

    for (const { name, controller, config } of [...metadata, ...nodes]) {
      const service = controller.spec.serviceName ?? assert.fail(name)
      const host = `${name}.${service}.objects.svc.cluster.local`
      assert.deepEqual(parseAddress(config.advertise ?? ''), { host, port: config.port })
      const headless =
        rendered.services.find((one) => one.metadata.name === service) ?? assert.fail(`no Service ${service}`)
      assert.equal(headless.spec.clusterIP, 'None')
      assert.ok(selects(headless.spec.selector, controller.spec.template.metadata.labels))
    }
    for (const { config } of metadata) {
      const claimed = Object.entries(config.nodes).flatMap(([zone, ids]) =>
        ids.map((node) => ({ zone, node })),
      )
      assert.deepEqual(
        claimed,
        nodes.map(({ config: { zone, node } }) => ({ zone, node })),
      )
    }
    const ids = [...metadata.map(({ config }) => config.nodeId), ...nodes.map(({ config }) => config.node)]
    assert.deepEqual(
      ids,
      [...metadata, ...nodes].map(({ name }) => name),
    )
    for (const { config } of [...nodes, ...of('gateway'), ...of('worker')]) {
      assert.deepEqual(
        splitAddresses(config.metadata),
        metadata.map(({ config: { advertise } }) => advertise),
      )
    }
    if (way === 'everything') {
      assert.equal(nodes[0]?.config.compactionBytesPerSecond, 100_000_000)
      assert.equal(nodes[0]?.config.scrubDays, 0.5)
      assert.equal(metadata[0]?.config.emulateS3Limits, true)
      assert.equal(metadata[0]?.config.nodeGraceSeconds, 1_200_000)
      assert.equal(of('worker')[0]?.config.repairBytesPerSecond, 200 * 1024 ** 2)
      assert.equal(of('gateway')[0]?.config.accounts, '/etc/ashlar/accounts/accounts.json')
    }
  })

  test(`chart, with ${way}: ports, probes, volumes and secrets are there`, { skip }, async () => {
    const rendered = await render(...args)
    for (const { controller, understood } of await podsOf(rendered)) {
      const { spec, metadata } = controller.spec.template
      const [container] = spec.containers
      const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]))
      const { config } = understood
      assert.equal(ports.get('admin'), config.adminPort)
      if ('port' in config) assert.ok([...ports.values()].includes(config.port), controller.metadata.name)
      for (const { httpGet } of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
        assert.deepEqual(httpGet, { path: '/healthz', port: 'admin' })
      }
      for (const service of rendered.services) {
        if (!selects(service.spec.selector, metadata.labels)) continue
        for (const { targetPort } of service.spec.ports) {
          assert.ok(ports.has(targetPort), service.metadata.name)
        }
      }
      const folders = container.volumeMounts.map(({ mountPath }) => mountPath)
      const files = spec.volumes.flatMap(({ name, secret }) => {
        const mount = container.volumeMounts.find((one) => one.name === name) ?? assert.fail(name)
        return (secret?.items ?? []).map(({ path }) => `${mount.mountPath}/${path}`)
      })
      assert.ok(files.includes(config.secretFile))
      if ('accounts' in config && config.accounts !== undefined) assert.ok(files.includes(config.accounts))
      if ('data' in config && config.data !== undefined) {
        // Below the volume's own root, which is not the service's to change the rights of.
        assert.ok(folders.some((folder) => config.data?.startsWith(`${folder}/`)))
        assert.deepEqual(
          controller.spec.volumeClaimTemplates?.map((claim) => claim.metadata.name),
          ['data'],
        )
      }
      const stopSeconds = Number(container.lifecycle?.preStop.exec.command[1] ?? 0)
      assert.ok((spec.terminationGracePeriodSeconds - stopSeconds) * 1000 > SHUTDOWN_GRACE_MS)
      assert.equal(spec.enableServiceLinks, false)
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.equal(spec.securityContext['runAsNonRoot'], true)
      assert.equal(
        `${String(spec.securityContext['runAsUser'])}:${String(spec.securityContext['runAsGroup'])}`,
        (await readDockerfile()).user,
      )
      assert.deepEqual(spec.securityContext['seccompProfile'], { type: 'RuntimeDefault' })
    }
    const [made, ...more] = rendered.secrets
    assert.equal(more.length, 0)
    assert.equal(made === undefined, way === 'everything', 'one of its own unless there is one')
    if (made === undefined) return
    const text = (key: string) => Buffer.from(made.data[key] ?? '', 'base64').toString()
    assert.match(text('cluster-id'), /^[0-9a-f]{32}$/)
    assert.match(text('cluster-secret'), /^[0-9a-f]{64}$/)
    assert.match(text('root-access-key'), /^ASHL[A-Z0-9]{16}$/)
    assert.match(text('root-secret-key'), /^[A-Za-z0-9]{40}$/)
    assert.equal(made.metadata.annotations?.['helm.sh/resource-policy'], 'keep')
    for (const { spec } of rendered.controllers) {
      for (const { valueFrom } of spec.template.spec.containers[0].env) {
        const reference = valueFrom?.secretKeyRef
        if (reference?.name === made.metadata.name) assert.ok(reference.key in made.data, reference.key)
      }
    }
  })

  test(`chart, with ${way}: of the storage nodes one at a time is taken`, { skip }, async () => {
    const { controllers, budgets } = await render(...args)
    const storage = controllers.filter(
      ({ spec }) => spec.template.spec.containers[0].args[0] === 'storage-node',
    )
    assert.ok(storage.length > 1)
    for (const { spec } of storage) assert.deepEqual(spec.updateStrategy, { type: 'OnDelete' })
    const theirs = budgets.filter(({ spec }) =>
      storage.some((one) => selects(spec.selector.matchLabels, one.spec.template.metadata.labels)),
    )
    assert.equal(theirs.length, 1, 'a pod in two budgets cannot be evicted at all')
    const budget = theirs[0] ?? assert.fail()
    assert.equal(budget.spec.maxUnavailable, 1)
    const { matchLabels } = budget.spec.selector
    for (const controller of controllers) {
      assert.equal(
        selects(matchLabels, controller.spec.template.metadata.labels),
        storage.includes(controller),
      )
      const own = (one: Controller) =>
        selects(controller.spec.selector.matchLabels, one.spec.template.metadata.labels)
      assert.deepEqual(controllers.filter(own), [controller], 'a controller takes its own pods only')
    }
  })
}

test('helm lint has nothing to say', { skip }, async () => {
  for (const args of Object.values(ways)) {
    const said = await run('helm', [
      'lint',
      '--strict',
      '--quiet',
      chart(),
      '--kube-version',
      '1.29.0',
      ...args,
    ])
    assert.equal(said.trim(), '')
  }
})

// What a value has against it is said in the words of Helm's validator, which are others from Helm 3.18 on.
test('values that mean nothing are refused', { skip }, async () => {
  const zone = { name: 'zone-a', nodes: 2 }
  for (const [key, value, said] of [
    ['code', 'raid-5', /code/],
    ['storage.options', { speed: 9 }, /'?speed'? (?:is )?not allowed/],
    ['zones', [{ ...zone, name: 'Zone_A' }], /zones[./]0[./]name/],
    ['zones', [zone, zone], /zone-a is named twice/],
    ['fullnameOverride', 'a.b', /fullnameOverride/],
    ['serviceMonitor.enabled', true, /tokenSecret/],
  ] as const) {
    await assert.rejects(render('--set-json', `${key}=${JSON.stringify(value)}`), said, key)
  }
})

test('an upgrade refuses to begin a cluster anew, unless it is told otherwise', { skip }, async () => {
  const existing = async (...args: readonly string[]) =>
    (await podsOf(await render(...args))).flatMap(({ understood }) =>
      understood.kind === 'metadata' ? [understood.config.existing] : [],
    )
  assert.deepEqual(await existing(), [false])
  assert.deepEqual(await existing('--is-upgrade'), [true])
  assert.deepEqual(await existing('--is-upgrade', '--set', 'metadata.existing=false'), [false])
  assert.deepEqual(await existing('--set', 'metadata.existing=true'), [true])
})

/** The oldest that the chart takes, and one of today. */
const kubernetesVersions = ['1.27', '1.36']

test(
  'the objects are what the schemas of Kubernetes say',
  { skip: skip || (await missing('kubernetes-validate', '--version')) },
  async (t) => {
    const file = join(await temporaryFolder(t), 'all.yaml')
    for (const args of Object.values(ways)) {
      // Of what is not Kubernetes' own it has no schemas.
      const documents = (await render(...args)).text.split(/^---$/m)
      await writeFile(file, documents.filter((text) => !/^kind: ServiceMonitor$/m.test(text)).join('---'))
      for (const version of kubernetesVersions) {
        await run('kubernetes-validate', ['-k', version, '--strict', '--quiet', file])
      }
    }
  },
)

/** Options that the chart sets by itself, or that have no place in it. */
const placed: Readonly<Record<ServiceKind, readonly string[]>> = {
  metadata: [
    'data',
    'engine',
    'nodeId',
    'host',
    'port',
    'advertise',
    'secretFile',
    'clusterId',
    'nodes',
    'existing',
    'code',
  ],
  'storage-node': [
    'node',
    'zone',
    'clusterId',
    'data',
    'host',
    'port',
    'advertise',
    'metadata',
    'secretFile',
  ],
  gateway: ['host', 'port', 'metadata', 'secretFile', 'credentialsFile', 'accounts'],
  worker: ['metadata', 'secretFile'],
}
const everywhere = ['adminHost', 'adminPort', 'pidFile', 'logLevel']

test('the options of the chart are all those of the program, and no others', async () => {
  const properties = z.record(
    z.string(),
    z.looseObject({ properties: z.record(z.string(), z.unknown()).optional() }),
  )
  const schema = z
    .looseObject({ properties: z.record(z.string(), z.looseObject({ properties: properties.optional() })) })
    .parse(await readYaml(chart('values.schema.json')))
  for (const [section, kind] of [
    ['metadata', 'metadata'],
    ['storage', 'storage-node'],
    ['gateway', 'gateway'],
    ['worker', 'worker'],
  ] as const) {
    const options = schema.properties[section]?.properties?.['options']?.properties ?? {}
    const fields = Object.keys(serviceConfigs[kind].shape)
    const left = fields.filter((field) => !placed[kind].includes(field) && !everywhere.includes(field))
    assert.deepEqual(Object.keys(options).toSorted(), left.toSorted(), section)
  }
})

test('every default is a value of the schema, and every value of the schema has a default', async () => {
  const values = z.looseObject({}).parse(await readYaml(chart('values.yaml')))
  const schema = z
    .looseObject({ properties: z.record(z.string(), z.unknown()) })
    .parse(await readYaml(chart('values.schema.json')))
  const known = Object.keys(schema.properties).filter((name) => name !== 'global')
  assert.deepEqual(Object.keys(values).toSorted(), known.toSorted())
})
