import { fileURLToPath } from 'node:url'
import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import type { Shutdown } from '../../runtime/shutdown/shutdown.ts'
import { writePrivateFile } from '../folder/files.ts'
import type { DataPaths } from '../folder/paths.ts'
import { startChild, type Child } from '../processes/child.ts'
import { ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE } from '../folder/credentials.ts'
import type { ServicePlan } from './plan.ts'
import type { OnMissing, Wait } from './ready.ts'

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url))

/** A child gets this much longer than its own grace before it is killed. */
const KILL_AFTER_MS = SHUTDOWN_GRACE_MS + 2000

export interface StartSeparate extends Wait {
  readonly plans: readonly ServicePlan[]
  readonly paths: DataPaths
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Told of a service that ended while nobody asked it to, with the command that starts it again. */
  readonly onEnded: (plan: ServicePlan, how: string, command: string) => void
  readonly onMissing: OnMissing
  /** Awaited before the worker and the gateways are started, with the ids of the nodes that run. */
  readonly nodesUp: (nodes: ReadonlySet<string>) => Promise<void>
  readonly shutdown: Shutdown
}

/**
 * Starts every service as a process of its own: metadata, then the storage nodes together, then, once they have joined, the
 * worker, then the gateways together. A storage node that cannot start is left out: the cluster is there to lose some.
 * They are stopped in the reverse order by `shutdown`.
 * @returns addresses of the gateways and of the worker's admin interface
 * @throws {CommandError} one did not come up
 */
export async function startSeparate(request: StartSeparate): Promise<{ addresses: string[]; admin: string }> {
  const { plans, shutdown } = request
  let stopping = false
  const addresses: string[] = []
  let admin = ''
  const nodes = new Set<string>()
  for (const kind of ['metadata', 'storage-node', 'worker', 'gateway'] as const) {
    if (kind === 'worker') await request.nodesUp(nodes)
    const children: Child[] = []
    shutdown.add(kind, async () => {
      stopping = true
      await Promise.all(children.map((child) => child.stop(KILL_AFTER_MS)))
    })
    const wave = plans.filter((plan) => plan.kind === kind)
    const coming = new Set(wave)
    const tell = () => {
      request.waitFor([...coming].map(({ name }) => name).join(', '))
    }
    tell()
    const starting = wave.map(async (plan) => {
      const child = await startService(plan, request)
      coming.delete(plan)
      tell()
      children.push(child)
      const node = nodeOf(plan)
      if (node !== undefined) nodes.add(node)
      void child.ended.then((how) => {
        if (node !== undefined) nodes.delete(node)
        if (!stopping) request.onEnded(plan, how, `ashlar ${kind} --config ${plan.configFile}`)
      })
      return child
    })
    // All of them, so that none is left behind by another's failure.
    const results = await Promise.allSettled(starting)
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') {
        if (kind === 'gateway') addresses.push(result.value.address)
        if (kind === 'worker') admin = result.value.address
        continue
      }
      const plan = wave[index]
      const node = plan && nodeOf(plan)
      if (node === undefined || children.length === 0 || request.signal.aborted) throw result.reason
      request.onMissing(node, result.reason)
    }
  }
  return { addresses, admin }
}

/** The id of the storage node that a service is; undefined for other services. */
export function nodeOf({ config }: ServicePlan): string | undefined {
  return 'node' in config ? config.node : undefined
}

async function startService(
  plan: ServicePlan,
  { paths, environment, signal }: StartSeparate,
): Promise<Child> {
  await writePrivateFile(plan.configFile, `${JSON.stringify(plan.config, null, 2)}\n`)
  return await startChild({
    name: plan.name,
    args: [PROGRAM, plan.kind, '--config', plan.configFile],
    environment: childEnvironment(environment, plan.kind === 'gateway'),
    logFile: paths.log(plan.name),
    signal,
  })
}

/**
 * The environment without the options of `start`, which would win over each service's own file; only gateways get root
 * credentials that were given there.
 */
export function childEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  withCredentials: boolean,
): Record<string, string | undefined> {
  const credentials = [ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE]
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) =>
        !name.startsWith('ASHLAR_') ||
        name === 'ASHLAR_DEBUG' ||
        (withCredentials && credentials.includes(name)),
    ),
  )
}
