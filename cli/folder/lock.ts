import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../runtime/ports/clock.ts'
import { systemCode } from '../failure.ts'
import { fileFailure } from './files.ts'

/** A folder held by this process until it is let go of, or the process ends in whatever way. */
export interface FolderLock {
  readonly release: () => void
}

const SQLITE_BUSY = 5
const RETRY_MS = 50

/**
 * Takes a folder for this process, or says that another has it (undefined).
 *
 * The lock is the operating system's record lock (fcntl) on a file, which ends with the process that holds it: `kill -9`
 * leaves nothing stale behind, and no process id is compared that another process may have by now. Node cannot take such
 * locks itself; SQLite's exclusive transaction is one, and also keeps two holders in one process apart. The file stays
 * empty.
 * @throws {CommandError} the file cannot be made
 */
export function tryLock(path: string): FolderLock | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    if (systemCode(error) === 'ERR_SQLITE_ERROR' && resultCode(error) === SQLITE_BUSY) return undefined
    throw fileFailure(error, path, 'be locked')
  }
  const held = database
  return {
    release: () => {
      held.close()
    },
  }
}

/** The same, waiting up to `waitMs` for a process that is just ending. */
export async function lockWithin(
  path: string,
  clock: Clock,
  waitMs: number,
): Promise<FolderLock | undefined> {
  const endMs = clock.monotonicMs() + waitMs
  for (;;) {
    const lock = tryLock(path)
    if (lock !== undefined || clock.monotonicMs() >= endMs) return lock
    await clock.sleep(RETRY_MS)
  }
}

/** SQLite's primary result code is in the low eight bits. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
