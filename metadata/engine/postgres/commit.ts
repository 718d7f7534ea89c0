import { POSTGRES_ATTEMPTS } from '../../../core/limits.ts'
import { type EngineBatch, FencedError } from '../engine.ts'
import type { Statement } from './connection.ts'
import { isFenceRefusal, isReadOnly, isRolledBack } from './errors.ts'
import type { SessionPool } from './pool.ts'
import type { Primary } from './primary.ts'
import type { Statements } from './statements.ts'
import { UnitRefusedError } from './unit-of-work.ts'

/** The server has committed without knowing that its standby has the commit: somebody cancelled its wait. */
class UnsureCommitError extends Error {
  override readonly name = 'UnsureCommitError'
}

/**
 * Writes a batch: one transaction of two statements, in one round trip. The first makes sure of the fence and locks it, the
 * second changes everything. Why that is right at READ COMMITTED, where each statement sees what was committed before it
 * began, and a row that somebody else changed meanwhile is waited for and judged anew (EvalPlanQual):
 *
 * - With a token, `check-fence` locks the fence's row FOR UPDATE. Whoever holds the lock, or has changed the row without having
 *   committed, is waited for; then the condition on the value is judged on the row's newest version, not on the one the
 *   statement's snapshot sees. So it finds the row only if the token is the newest that was committed, and from then to the
 *   end of the transaction nobody else can change or delete the row: a take-over comes whole before or whole after.
 * - Without a token, `take-fence` inserts the key, with its value if the batch puts it. The primary key lets one transaction
 *   at a time have an entry for it: a second one waits for the first, and inserts only if that rolled back. So one of many
 *   takers wins. Where the batch does not put the key, what was inserted is deleted again by the same transaction: it only
 *   keeps takers out until the commit.
 * - `change` begins after the lock is held, so its snapshot has everything that earlier holders of the fence committed. As one
 *   statement with the check it would not: its snapshot would be older than its wait, and a delete would pass over rows that
 *   the one waited for had inserted.
 * - The check fails by an error, a division by zero, rather than by an empty result: then the server itself skips the second
 *   statement and rolls back (see {@link UnitOfWork}). There is no path on which the change is made and the check is not.
 *
 * YugabyteDB gets the same two statements between BEGIN and COMMIT, each in a round trip of its own: it retries a statement of a
 * batch by itself without those before it (yugabyte-db issue 21607), which would make the change without the fence's lock.
 *
 * A transaction that the server rolled back before its commit, for a deadlock (40P01) or a conflict (40001, YugabyteDB), is
 * tried again, and so is one that a server which takes no writes any more refused (25006), on the server that does.
 *
 * A cancelled wait for the synchronous standby ends in a commit that is there and may yet be lost with the primary; the server
 * says so by a warning only. Any warning therefore makes the outcome unknown.
 *
 * @throws {FencedError}
 * @throws {NoPrimaryError} nothing was written
 * @throws anything else: the outcome is unknown
 */
export async function commitBatch(
  batch: EngineBatch,
  pool: SessionPool,
  primary: Primary,
  statements: Statements,
): Promise<void> {
  const unit = unitOf(batch, statements)
  for (let attempt = 1; ; attempt++) {
    try {
      const warning = await pool.with(async (session) => {
        try {
          return await session.connection.together(unit, session.transaction)
        } catch (error) {
          if (error instanceof UnitRefusedError && isReadOnly(error.cause)) primary.leave(session)
          throw error
        }
      })
      if (warning !== undefined) {
        throw new UnsureCommitError(`PostgreSQL warned while it committed: ${warning}`)
      }
      return
    } catch (error) {
      if (!(error instanceof UnitRefusedError)) throw error
      if (isFenceRefusal(error.cause)) throw new FencedError()
      const again = isRolledBack(error.cause) || isReadOnly(error.cause)
      if (!again || attempt === POSTGRES_ATTEMPTS) throw error.cause
    }
  }
}

function unitOf({ fence, puts, deletes }: EngineBatch, statements: Statements): Required<Statement>[] {
  if (fence.token !== undefined) {
    const check = statements.checkFence(fence.key, fence.token)
    return puts.length + deletes.length === 0 ? [check] : [check, statements.change({ puts, deletes })]
  }
  const isFence = (key: Uint8Array): boolean => Buffer.compare(key, fence.key) === 0
  const taken = puts.find(({ key }) => isFence(key))
  const rest = puts.filter((put) => put !== taken)
  const gone = taken === undefined && !deletes.some(isFence) ? [...deletes, fence.key] : deletes
  const take = statements.takeFence(fence.key, taken?.value ?? new Uint8Array())
  return rest.length + gone.length === 0 ? [take] : [take, statements.change({ puts: rest, deletes: gone })]
}
