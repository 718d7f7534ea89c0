import type { PostgresConnection } from './connection.ts'
import { isDatabaseError, NotPrimaryError } from './errors.ts'

/** Which server a session is with. */
export interface Place {
  readonly isYugabyte: boolean
  /** Of the database cluster, since initdb; empty where the server does not tell. */
  readonly system: string
  /** Grows with each promotion; 0 where the server does not tell. */
  readonly timeline: number
  /** What its configuration puts at risk, in words for whoever runs it. */
  dangersOf(hasStandbys: boolean): string[]
}

/**
 * Settings of each session. The plans that are wanted are index scans, whatever the statistics say: a table that was empty
 * when a plan was made would be read whole for ever. Compiling such plans costs more than it saves. Warnings have to arrive:
 * one of them says that a commit did not wait for its standby.
 */
const SETTINGS = [
  'set session characteristics as transaction isolation level read committed',
  'set client_min_messages to warning',
  'set bytea_output to hex',
  'set enable_seqscan to off',
  'set enable_bitmapscan to off',
  'set jit to off',
]

/** Values of synchronous_commit that wait for the disk of a synchronous standby. */
const SYNCHRONOUS: ReadonlySet<string> = new Set(['on', 'remote_apply'])

/**
 * Sees whether the server takes writes, and makes the session durable and predictable.
 * @throws {NotPrimaryError} a standby, or a server that was made read-only
 */
export async function prepareSession(connection: PostgresConnection, replyMs: number): Promise<Place> {
  const names = [
    'transaction_read_only',
    'synchronous_commit',
    'fsync',
    'full_page_writes',
    'synchronous_standby_names',
  ]
  const settings = names.map((name) => `current_setting('${name}')`).join(', ')
  const [row = []] = await connection.query({ text: `select version(), ${settings}`, values: [] })
  const [version, readOnly, synchronousCommit, fsync, fullPageWrites, standbys] = row.map(String)
  if (readOnly !== 'off') throw new NotPrimaryError('it takes no writes (a standby, or read-only)')
  const isYugabyte = version?.includes('-YB-') === true
  const own = [...SETTINGS, `set statement_timeout to ${replyMs}`]
  // What is stronger stays as it is configured.
  if (!SYNCHRONOUS.has(synchronousCommit ?? '')) own.push('set synchronous_commit to on')
  await connection.run(own.join('; '))
  return {
    isYugabyte,
    ...(isYugabyte ? { system: '', timeline: 0 } : await positionOf(connection)),
    dangersOf(hasStandbys) {
      if (isYugabyte) return []
      const dangers: string[] = []
      if (fsync === 'off') {
        dangers.push(
          'PostgreSQL runs with fsync=off: a power cut or a crash of its machine loses acknowledged writes',
        )
      }
      if (fullPageWrites === 'off') {
        dangers.push(
          'PostgreSQL runs with full_page_writes=off: a power cut may leave pages that are half written',
        )
      }
      if (hasStandbys && standbys === '') {
        dangers.push('PostgreSQL has no synchronous standby: a failover loses acknowledged writes')
      }
      return dangers
    },
  }
}

/** Some hosted servers refuse these functions: then a primary that was replaced is not recognised. */
async function positionOf(connection: PostgresConnection): Promise<Pick<Place, 'system' | 'timeline'>> {
  try {
    const text =
      'select system_identifier::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from pg_control_system()'
    const [row = []] = await connection.query({ text, values: [] })
    return { system: String(row[0]), timeline: Number.parseInt(String(row[1]), 16) }
  } catch (error) {
    if (!isDatabaseError(error)) throw error
    return { system: '', timeline: 0 }
  }
}
