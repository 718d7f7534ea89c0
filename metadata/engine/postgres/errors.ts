import { DatabaseError } from 'pg'

/** What PostgreSQL and the network say, by what may be done about it. Codes: appendix A of PostgreSQL's manual. */

/** The server rolled the transaction back because of others; the same again may succeed. */
const ROLLED_BACK: ReadonlySet<string> = new Set(['40001', '40P01'])

/** The server, or the transaction, takes no writes. */
const READ_ONLY = '25006'

/** Raised by the check of the fence: see statements.ts. */
const DIVISION_BY_ZERO = '22012'

/** The server is starting, stopping, recovering or full; or a proxy before it has none. */
const PASSING_STATES: ReadonlySet<string> = new Set(['53300', '57P01', '57P02', '57P03'])

/** Nobody listens, the host is gone, or its name is not known yet. */
const PASSING_ERRNOS: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** A connection ended, or was ended, before its answer came: what was asked of it may have been done. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError'
}

/** A host that answers but may not be used: a standby, or a primary that another has replaced. */
export class NotPrimaryError extends Error {
  override readonly name = 'NotPrimaryError'
}

export function isFenceRefusal(error: unknown): boolean {
  return stateOf(error) === DIVISION_BY_ZERO
}

export function isRolledBack(error: unknown): boolean {
  return ROLLED_BACK.has(stateOf(error) ?? '')
}

export function isReadOnly(error: unknown): boolean {
  return stateOf(error) === READ_ONLY
}

/** Whether a host that does not let a connection in may do so soon. A wrong password stays wrong. */
export function isPassing(error: unknown): boolean {
  if (error instanceof NotPrimaryError || error instanceof ConnectionLostError) return true
  const state = stateOf(error)
  if (state !== undefined) return PASSING_STATES.has(state) || state.startsWith('08')
  // A name with several addresses, none of which answers.
  if (error instanceof AggregateError) return error.errors.some(isPassing)
  return error instanceof Error && 'code' in error && PASSING_ERRNOS.has(String(error.code))
}

/** Whether the server closes the session after this error. */
export function endsSession({ severity, code }: DatabaseError): boolean {
  return severity === 'FATAL' || severity === 'PANIC' || code?.startsWith('57P') === true
}

export function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError
}

function stateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}

/** One line about what a server or the network said; neither repeats a password. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
