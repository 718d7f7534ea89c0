import { dirname, join } from 'node:path'
import { z } from 'zod'
import { readYaml } from './files.ts'

/** Compose files, put together as Docker Compose does it: the part of its rules that ours use. */

const strings = z.record(z.string(), z.string())

const service = z.strictObject({
  extends: z.strictObject({ file: z.string().optional(), service: z.string() }).optional(),
  image: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z
    .record(z.string(), z.union([z.string(), z.boolean(), z.number()]).transform(String))
    .optional(),
  restart: z.string().optional(),
  stop_grace_period: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  networks: z.array(z.string()).optional(),
  secrets: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  shm_size: z.string().optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.string() })).optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string(),
      retries: z.int(),
    })
    .optional(),
})

const composeFile = z.looseObject({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.looseObject({})).default({}),
  volumes: z.record(z.string(), z.looseObject({})).default({}),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })).default({}),
})

type Service = z.output<typeof service>
type ComposeFile = z.output<typeof composeFile>

export type ComposeService = Omit<Service, 'extends'>

export interface Compose {
  readonly services: ReadonlyMap<string, ComposeService>
  readonly networks: readonly string[]
  readonly volumes: readonly string[]
  /** Paths of the files, by name. */
  readonly secrets: ReadonlyMap<string, string>
}

/**
 * @param paths the files of `docker compose -f … -f …`, in this order
 * @param variables what `${NAME}` stands for: the environment and `.env`
 */
export async function loadCompose(
  paths: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Compose> {
  const services = new Map<string, ComposeService>()
  const whole = {
    networks: new Set<string>(),
    volumes: new Set<string>(),
    secrets: new Map<string, string>(),
  }
  for (const path of paths) {
    const file = await load(path, variables)
    for (const [name, one] of Object.entries(file.services)) {
      const own = await extended(one, path, file, variables)
      const before = services.get(name)
      services.set(name, before === undefined ? own : merged(before, own))
    }
    for (const name of Object.keys(file.networks)) whole.networks.add(name)
    for (const name of Object.keys(file.volumes)) whole.volumes.add(name)
    for (const [name, secret] of Object.entries(file.secrets)) whole.secrets.set(name, secret.file)
  }
  return { ...whole, services, networks: [...whole.networks], volumes: [...whole.volumes] }
}

async function load(path: string, variables: Readonly<Record<string, string>>): Promise<ComposeFile> {
  return composeFile.parse(interpolated(await readYaml(path), variables))
}

async function extended(
  { extends: from, ...own }: Service,
  path: string,
  file: ComposeFile,
  variables: Readonly<Record<string, string>>,
): Promise<ComposeService> {
  if (from === undefined) return own
  const basePath = from.file === undefined ? path : join(dirname(path), from.file)
  const baseFile = from.file === undefined ? file : await load(basePath, variables)
  const base = baseFile.services[from.service]
  if (base === undefined) throw new Error(`${basePath} has no service ${from.service}`)
  return merged(await extended(base, basePath, baseFile, variables), own)
}

/** Maps are merged and lists put one behind the other, but for a command and a health check, which are replaced. */
function merged(base: ComposeService, over: ComposeService): ComposeService {
  const lists = (key: 'networks' | 'secrets' | 'volumes' | 'ports' | 'cap_drop' | 'security_opt') =>
    base[key] === undefined && over[key] === undefined
      ? {}
      : { [key]: [...new Set([...(base[key] ?? []), ...(over[key] ?? [])])] }
  return {
    ...base,
    ...over,
    environment: { ...base.environment, ...over.environment },
    depends_on: { ...base.depends_on, ...over.depends_on },
    ...lists('networks'),
    ...lists('secrets'),
    ...lists('volumes'),
    ...lists('ports'),
    ...lists('cap_drop'),
    ...lists('security_opt'),
  }
}

function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(
      /\$\{([A-Z_0-9]+)(?::([-?])([^}]*))?\}/g,
      (_all, name: string, kind?: string, rest: string = '') => {
        const found = variables[name]
        if (found !== undefined && found !== '') return found
        if (kind !== '-') throw new Error(`${name} is not set: ${rest}`)
        return rest
      },
    )
  }
  if (Array.isArray(value)) return value.map((one) => interpolated(one, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, interpolated(one, variables)]))
}

/** `NAME=value` lines, as of `.env`. */
export function parseVariables(text: string): Record<string, string> {
  return strings.parse(
    Object.fromEntries(
      text
        .split('\n')
        .filter((line) => /^[A-Z]/.test(line))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
  )
}
