import { readFile } from 'node:fs/promises'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log, LogFields } from '../../runtime/ports/log.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import type { Engine, EngineEntry } from '../../metadata/engine/engine.ts'
import { openPostgresEngine } from '../../metadata/engine/postgres/open.ts'
import { type PostgresServer, urlOf } from './postgres.ts'

export interface KeptLine {
  readonly level: keyof Omit<Log, 'child'>
  readonly message: string
  readonly fields: LogFields | undefined
}

/** Keeps what is said. */
export function keptLog(lines: KeptLine[]): Log {
  const at =
    (level: KeptLine['level']) =>
    (message: string, fields?: LogFields): void => {
      lines.push({ level, message, fields })
    }
  const log: Log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}

/** An engine on servers of a test. */
export async function openOn(
  servers: readonly Pick<PostgresServer, 'host'>[],
  options = '',
  { lines = [], clock = systemClock }: { lines?: KeptLine[]; clock?: Clock } = {},
): Promise<Engine> {
  return await openPostgresEngine(urlOf(servers, options), { clock, log: keptLog(lines), readFile })
}

export function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

export function entry(key: string, value: string): EngineEntry {
  return { key: utf8(key), value: utf8(value) }
}
