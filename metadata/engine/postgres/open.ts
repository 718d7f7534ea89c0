import { EngineOpenError } from '../engine.ts'
import { isDatabaseError, reasonOf } from './errors.ts'
import type { PostgresPorts } from './ports.ts'
import { PostgresEngine } from './postgres.ts'
import { Primary, type PrimarySession } from './primary.ts'
import { Statements } from './statements.ts'
import { tlsOf } from './tls.ts'
import { parsePostgresUrl } from './url.ts'

/** How often the table is looked for while others make it, too. */
const CREATE_ATTEMPTS = 10

/**
 * What a server says to the slower of two that make one table: the table is there, or its name or row type is about to be.
 * `if not exists` does not prevent that: it looks first and makes then.
 */
const MADE_BY_ANOTHER: ReadonlySet<string> = new Set(['42P07', '42710', '23505', '40001', 'XX000'])

/**
 * Opens the metadata in a table of a PostgreSQL server, which is made if it is not there.
 * @param url `postgres://user:password@host:port,host:port/database?option=value`: docs/engines.md
 * @throws {EngineOpenError} the URL is wrong, or no server takes the connection and writes
 */
export async function openPostgresEngine(url: string, ports: PostgresPorts): Promise<PostgresEngine> {
  const target = parsePostgresUrl(url)
  const primary = new Primary(target, await tlsOf(target, ports.readFile), ports)
  const statements = new Statements(target.table)
  try {
    const first = await connectToLatest(primary)
    try {
      await makeTable(first, statements)
    } catch (error) {
      first.connection.destroy('it is of no use')
      throw error
    }
    return new PostgresEngine(primary, statements, target.poolSize, first, ports)
  } catch (error) {
    throw new EngineOpenError(`cannot open the metadata in PostgreSQL: ${reasonOf(error)}`, { cause: error })
  }
}

async function connectToLatest(primary: Primary): Promise<PrimarySession> {
  const first = await primary.connect(false)
  await primary.lookAround()
  if (primary.isCurrent(first)) return first
  first.connection.destroy('another server has taken over')
  return await primary.connect(false)
}

async function makeTable({ connection, isYugabyte }: PrimarySession, statements: Statements): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const [row = []] = await connection.query(statements.exists())
    if (row[0] === true) return
    try {
      await connection.run(statements.create(isYugabyte))
      return
    } catch (error) {
      const made = isDatabaseError(error) && MADE_BY_ANOTHER.has(error.code ?? '')
      if (!made || attempt === CREATE_ATTEMPTS) throw error
    }
  }
}
