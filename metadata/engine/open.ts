import type { Engine } from './engine.ts'
import type { EtcdPorts } from './etcd/open.ts'
import { LevelEngine } from './level.ts'
import { MemoryEngine } from './memory.ts'
import type { PostgresPorts } from './postgres/ports.ts'

/** The text names no engine that this program has. */
export class EngineSpecError extends Error {
  override readonly name = 'EngineSpecError'
}

export type EnginePorts = PostgresPorts & EtcdPorts

interface EngineScheme {
  /** What stands before the colon. */
  readonly scheme: RegExp
  /** For people. */
  readonly example: string
  /** @param rest what follows the colon @param spec all of it */
  readonly open: (rest: string, spec: string, ports: EnginePorts) => Promise<Engine>
}

/** The engines there are. A driver of another store adds a row. Drivers are loaded when they are needed: most clusters need none. */
const schemes: readonly EngineScheme[] = [
  {
    scheme: /^level$/,
    example: 'level:/srv/metadata',
    open: (folder) => LevelEngine.open(folder),
  },
  {
    scheme: /^memory$/,
    example: 'memory:',
    open: async () => new MemoryEngine(),
  },
  {
    // Both are libpq's; operators that make servers hand out the longer one.
    scheme: /^postgres(ql)?$/,
    example: 'postgres://user:password@host:5432/database',
    async open(_rest, spec, ports) {
      const { openPostgresEngine } = await import('./postgres/open.ts')
      return openPostgresEngine(spec, ports)
    },
  },
  {
    scheme: /^etcd$/,
    example: 'etcd://h1:2379,h2:2379,h3:2379',
    async open(_rest, spec, ports) {
      const { openEtcdEngine } = await import('./etcd/open.ts')
      return openEtcdEngine(spec, ports)
    },
  },
]

/**
 * Opens the engine that a text such as `level:/srv/metadata` names.
 * @throws {EngineSpecError}
 * @throws {EngineOpenError} and what the driver throws
 */
export async function openEngine(spec: string, ports: EnginePorts): Promise<Engine> {
  const [, scheme = '', rest] = /^([a-z]+):(.*)$/s.exec(spec) ?? []
  const row = schemes.find((one) => one.scheme.test(scheme))
  if (row === undefined || rest === undefined) {
    const examples = schemes.map(({ example }) => example).join(', ')
    // What stands after the colon may hold a password.
    throw new EngineSpecError(`${scheme || 'the address'} names no engine; there are ${examples}`)
  }
  if (scheme === 'level' && rest === '') throw new EngineSpecError('level: lacks its folder')
  return await row.open(rest, spec, ports)
}
