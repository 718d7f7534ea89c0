import { runProgram, type Actions } from '../../cli/program.ts'
import { startConfig, type StartConfig } from '../../cli/start/config.ts'
import { TARGET_VARIABLES } from '../../cli/target.ts'
import { fieldsOf } from '../../runtime/config/layers.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import {
  serviceConfigs,
  type GatewayConfig,
  type MetadataConfig,
  type ServiceKind,
  type StorageNodeConfig,
  type WorkerConfig,
} from '../../runtime/config/services.ts'

/** What a container's command means to the program. */
export type Understood =
  | { readonly kind: 'start'; readonly config: StartConfig }
  | { readonly kind: 'metadata'; readonly config: MetadataConfig }
  | { readonly kind: 'storage-node'; readonly config: StorageNodeConfig }
  | { readonly kind: 'worker'; readonly config: WorkerConfig }
  | { readonly kind: 'gateway'; readonly config: GatewayConfig }

/** Root credentials, and the place of the cluster for commands that are run beside the service. */
const known = new Set<string>(['ASHLAR_ROOT_ACCESS_KEY', 'ASHLAR_ROOT_SECRET_KEY', ...TARGET_VARIABLES])

/**
 * Reads a command line and an environment as the program itself does, by its own parser and schemas.
 * @param image the environment that the image brings, of which each service reads what it has
 * @param given what is set for this service
 * @throws what the program says of them; an ASHLAR_… variable that was given and is not read
 */
export async function understand(
  args: readonly string[],
  image: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Promise<Understood> {
  const environment = { ...image, ...given }
  const workingDirectory = '/'
  let understood: Understood | undefined
  const layers = (flags: Readonly<Record<string, string | undefined>>) => ({
    environment,
    flags,
    workingDirectory,
  })
  const other = () => Promise.reject(new Error(`ashlar ${args.join(' ')} is not what a container runs`))
  const actions: Actions = {
    async start(flags) {
      understood = { kind: 'start', config: await loadConfig(startConfig, undefined, layers(flags)) }
      return 0
    },
    async service(kind, file, flags) {
      understood = await service(kind, file, layers(flags))
      return 0
    },
    status: other,
    fsck: other,
    topology: other,
    partition: other,
    metadata: other,
    credentials: other,
  }
  await runProgram(args, actions, { out: () => undefined })
  if (understood === undefined) throw new Error(`ashlar ${args.join(' ')} runs nothing`)
  const schema = understood.kind === 'start' ? startConfig : serviceConfigs[understood.kind]
  const read = new Set(fieldsOf(schema).map(({ variable }) => variable))
  for (const name of Object.keys(given)) {
    if (name.startsWith('ASHLAR_') && !read.has(name) && !known.has(name)) {
      throw new Error(`ashlar ${understood.kind} reads no ${name}`)
    }
  }
  return understood
}

async function service(
  kind: ServiceKind,
  file: string | undefined,
  layers: Parameters<typeof loadConfig>[2],
): Promise<Understood> {
  switch (kind) {
    case 'metadata':
      return { kind, config: await loadConfig(serviceConfigs[kind], file, layers) }
    case 'storage-node':
      return { kind, config: await loadConfig(serviceConfigs[kind], file, layers) }
    case 'worker':
      return { kind, config: await loadConfig(serviceConfigs[kind], file, layers) }
    case 'gateway':
      return { kind, config: await loadConfig(serviceConfigs[kind], file, layers) }
  }
}
