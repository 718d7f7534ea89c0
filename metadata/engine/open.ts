import type { Engine } from './engine.ts'
import { LevelEngine } from './level.ts'
import { MemoryEngine } from './memory.ts'

/** The text names no engine that this program has. */
export class EngineSpecError extends Error {
  override readonly name = 'EngineSpecError'
}

interface EngineScheme {
  /** What stands before the colon. */
  readonly scheme: string
  /** For people. */
  readonly example: string
  /** @param rest what follows the colon @param spec all of it */
  readonly open: (rest: string, spec: string) => Promise<Engine>
}

/** The engines there are. A driver of another store adds a row. */
const schemes: readonly EngineScheme[] = [
  {
    scheme: 'level',
    example: 'level:/srv/metadata',
    open: (folder) => LevelEngine.open(folder),
  },
  {
    scheme: 'memory',
    example: 'memory:',
    open: async () => new MemoryEngine(),
  },
]

/**
 * Opens the engine that a text such as `level:/srv/metadata` names.
 * @throws {EngineSpecError}
 * @throws {EngineOpenError} and what the driver throws
 */
export async function openEngine(spec: string): Promise<Engine> {
  const [, scheme, rest] = /^([a-z]+):(.*)$/s.exec(spec) ?? []
  const row = schemes.find((one) => one.scheme === scheme)
  if (row === undefined || rest === undefined) {
    const examples = schemes.map(({ example }) => example).join(', ')
    throw new EngineSpecError(`${spec} names no engine; there are ${examples}`)
  }
  if (scheme === 'level' && rest === '') throw new EngineSpecError('level: lacks its folder')
  return await row.open(rest, spec)
}
