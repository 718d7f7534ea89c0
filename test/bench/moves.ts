/**
 * `npm run bench -- moves [--mib 512] [--seconds 5] [--rate 100MiB]`
 *
 * A whole cluster of separate processes (three zones of two nodes, rs-4-2) with `--mib` MiB of objects of 1 MiB: a node is
 * added, one is drained, and one is lost with its disk after another was put beside it. Each time: the bytes that changed
 * their place beside the fewest that could have, how long it took, what it cost, and what clients felt: latency of GET and PUT of
 * 64 KiB, 4 at once, beside the same in a cluster at rest, in turn. `--rate 0` lets background work have all it can get. Linux only.
 */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { inspect, type Inspector } from '../chaos/inspector.ts'
import { runAshlar } from '../cluster/processes.ts'
import type { LoadJob } from './cluster/job.ts'
import { Run } from '../cluster/lifetime.ts'
import { Generator } from './cluster/run.ts'
import { servicePid, startTarget, type ClusterTarget } from './cluster/targets.ts'
import { positiveInteger, UsageError } from './options.ts'
import { cpuSecondsOf } from './proc.ts'
import { markdownTable } from './table.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 30 * 60_000
const FOREGROUND_BYTES = 64 * 1024
const FOREGROUND_CLIENTS = 4
const FOREGROUND_OBJECTS = 200
/** Number of the first object that the foreground reads and writes. */
const FOREGROUND_FIRST = 1_000_000
const POLL_MS = 200

interface Felt {
  readonly p50Ms: number
  readonly p99Ms: number
}

interface Step {
  readonly what: string
  /** Bytes that lie elsewhere afterwards, and the fewest that could. */
  readonly movedBytes: number
  readonly leastBytes: number
  readonly seconds: number
  readonly workerCpuSeconds: number
  readonly get: Felt
  readonly put: Felt
}

interface Scene {
  readonly target: ClusterTarget
  readonly generator: Generator
  readonly inspector: Inspector
  readonly seconds: number
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mib: { type: 'string', default: '512' },
      seconds: { type: 'string', default: '5' },
      rate: { type: 'string', default: '100MiB' },
    },
  })
  if (process.platform !== 'linux') throw new UsageError('the benchmark of moves needs the /proc of Linux')
  const mebibytes = positiveInteger('--mib', values.mib)
  const seconds = positiveInteger('--seconds', values.seconds)
  const whole = new Run()
  try {
    const target = await startTarget(whole, 'separate', {
      separate: true,
      environment: {
        ASHLAR_REPAIR_BYTES_PER_SECOND: values.rate,
        ASHLAR_NODE_GRACE_SECONDS: '3600',
        ASHLAR_GARBAGE_GRACE_SECONDS: '1',
      },
    })
    const generator = new Generator(whole, AbortSignal.timeout(TIMEOUT_MS))
    const scene = { target, generator, seconds, inspector: await inspect(whole, target.cluster.paths) }
    await fill(scene, mebibytes)
    const rest = await feel(scene)
    const steps = [await addNode(scene), await drainNode(scene), await loseNode(scene)]
    whole.passed = true
    console.log(describe(rest, steps))
  } finally {
    await whole.end()
  }
}

async function fill({ target, generator }: Scene, mebibytes: number): Promise<void> {
  const { endpoint } = target
  await generator.do({ kind: 'create-bucket', endpoint })
  const all = { kind: 'put', endpoint, clients: 4, seconds: Number.MAX_SAFE_INTEGER } as const
  await generator.do({ ...all, size: MIB, firstObject: 0, objects: mebibytes, operations: mebibytes })
  await generator.do({
    ...all,
    size: FOREGROUND_BYTES,
    firstObject: FOREGROUND_FIRST,
    objects: FOREGROUND_OBJECTS,
    operations: FOREGROUND_OBJECTS,
  })
}

/** What clients feel now. */
async function feel({ target, generator, seconds }: Scene): Promise<{ get: Felt; put: Felt }> {
  const job: Omit<LoadJob, 'kind'> = {
    endpoint: target.endpoint,
    size: FOREGROUND_BYTES,
    clients: FOREGROUND_CLIENTS,
    firstObject: FOREGROUND_FIRST,
    objects: FOREGROUND_OBJECTS,
    operations: Number.MAX_SAFE_INTEGER,
    seconds,
  }
  const get = await generator.do({ ...job, kind: 'get' })
  // The same objects again: the bytes of an object follow from its number.
  const put = await generator.do({ ...job, kind: 'put' })
  return { get, put }
}

/** Runs the change, feels what clients feel as long as it lasts, and waits for its end. */
async function follow(
  scene: Scene,
  what: string,
  leastOf: (before: ReadonlyMap<string, number>) => number,
  change: () => Promise<void>,
): Promise<Step> {
  const before = await liveBytes(scene)
  const workerPid = await servicePid(scene.target.cluster, 'worker')
  const cpuBefore = await cpuSecondsOf(workerPid)
  const began = performance.now()
  await change()
  let seconds = 0
  const settled = settle(scene).then(() => {
    seconds = (performance.now() - began) / 1000
  })
  const felt = await feel(scene)
  await settled
  const workerCpuSeconds = (await cpuSecondsOf(workerPid)) - cpuBefore
  const after = await liveBytes(scene)
  const gained = [...after].map(([node, bytes]) => Math.max(0, bytes - (before.get(node) ?? 0)))
  const movedBytes = gained.reduce((sum, bytes) => sum + bytes, 0)
  return { what, movedBytes, leastBytes: leastOf(before), seconds, workerCpuSeconds, ...felt }
}

function addNode(scene: Scene): Promise<Step> {
  return follow(
    scene,
    'a third node added to a zone of two',
    (before) => ((before.get('zone-a-1') ?? 0) + (before.get('zone-a-2') ?? 0)) / 3,
    () => ashlar(scene, 'node', 'add', 'zone-a-3', '--zone', 'zone-a', '--start'),
  )
}

function drainNode(scene: Scene): Promise<Step> {
  return follow(
    scene,
    'a node of three drained',
    (before) => before.get('zone-a-1') ?? 0,
    () => ashlar(scene, 'node', 'drain', 'zone-a-1'),
  )
}

async function loseNode(scene: Scene): Promise<Step> {
  const lost = 'zone-b-1'
  return await follow(
    scene,
    'a node lost with its disk, rebuilt on a new one',
    (before) => before.get(lost) ?? 0,
    async () => {
      const { cluster } = scene.target
      await cluster.kill([`storage-node-${lost}`], 'SIGKILL')
      // A node that may be up is not given up: its lease must end first, which counts.
      await cluster.nodesDown([lost])
      await rm(cluster.paths.node(lost), { recursive: true })
      await ashlar(scene, 'node', 'remove', lost, '--lost', '--yes')
      await ashlar(scene, 'node', 'add', 'zone-b-3', '--zone', 'zone-b', '--start')
    },
  )
}

async function ashlar({ target }: Scene, ...line: string[]): Promise<void> {
  const { code, stderr } = await runAshlar([...line, '--data', target.cluster.paths.folder])
  if (code !== 0) throw new Error(`ashlar ${line.join(' ')}: ${stderr}`)
}

/** Resolves when no slot moves any more. */
async function settle({ inspector }: Scene): Promise<void> {
  for (;;) {
    const { map } = await inspector.metadata.call('getCluster', {})
    const slots = map?.pools.flatMap(({ groups }) => groups).flatMap((group) => group.slots) ?? []
    if (slots.every(({ filling, source }) => !filling && source === '')) return
    await delay(POLL_MS)
  }
}

/** Bytes of shards by node, from the nodes themselves; a node that is gone has none. */
async function liveBytes({ inspector }: Scene): Promise<Map<string, number>> {
  const { map } = await inspector.metadata.call('getCluster', {})
  const bytes = new Map<string, number>()
  for (const { id } of map?.nodes ?? []) {
    const status = await inspector.shards
      .node(id)
      .status()
      .catch(() => undefined)
    bytes.set(id, status?.liveBytes ?? 0)
  }
  return bytes
}

function describe(rest: { get: Felt; put: Felt }, steps: readonly Step[]): string {
  const moved = markdownTable(
    ['change', 'MB moved', 'least possible', 'of it', 'seconds', 'MB/s', "worker's CPU s/GB"],
    steps.map(({ what, movedBytes, leastBytes, seconds, workerCpuSeconds }) => [
      what,
      (movedBytes / 1e6).toFixed(0),
      (leastBytes / 1e6).toFixed(0),
      `${(movedBytes / leastBytes).toFixed(2)}×`,
      seconds.toFixed(1),
      (movedBytes / 1e6 / seconds).toFixed(1),
      (workerCpuSeconds / (movedBytes / 1e9)).toFixed(1),
    ]),
  )
  const row = (what: string, { get, put }: { get: Felt; put: Felt }): string[] => [
    what,
    ...[get.p50Ms, get.p99Ms, put.p50Ms, put.p99Ms].map((ms) => ms.toFixed(1)),
    ...[get.p50Ms / rest.get.p50Ms, get.p99Ms / rest.get.p99Ms].map((ratio) => `${ratio.toFixed(2)}×`),
    ...[put.p50Ms / rest.put.p50Ms, put.p99Ms / rest.put.p99Ms].map((ratio) => `${ratio.toFixed(2)}×`),
  ]
  const felt = markdownTable(
    ['meanwhile', 'GET p50 ms', 'p99', 'PUT p50', 'p99', 'GET p50 of rest', 'p99', 'PUT p50', 'p99'],
    [row('at rest', rest), ...steps.map((step) => row(step.what, step))],
  )
  return `${moved}\n\n${felt}`
}
