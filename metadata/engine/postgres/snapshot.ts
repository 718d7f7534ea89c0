import { ENGINE_SCAN_ENTRIES_MAX } from '../../../core/limits.ts'
import {
  assertScan,
  type EngineEntry,
  type EngineSnapshot,
  type ScanRequest,
  SnapshotLostError,
} from '../engine.ts'
import type { PostgresConnection } from './connection.ts'
import { reasonOf } from './errors.ts'
import { entriesOf } from './rows.ts'
import type { Statements } from './statements.ts'

/** A transaction that only reads, on a connection of its own: what it sees is what was committed when it began. */
export class PostgresSnapshot implements EngineSnapshot {
  readonly #connection: PostgresConnection
  readonly #statements: Statements
  readonly #released: () => void
  /** Calls share the one connection, one after another. */
  #tail: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(connection: PostgresConnection, statements: Statements, released: () => void) {
    this.#connection = connection
    this.#statements = statements
    this.#released = released
  }

  /** @param released called once, when the snapshot is closed */
  static async begin(
    connection: PostgresConnection,
    statements: Statements,
    released: () => void,
  ): Promise<PostgresSnapshot> {
    await connection.run('begin transaction isolation level repeatable read read only')
    await connection.query(statements.touch())
    return new PostgresSnapshot(connection, statements, released)
  }

  scan(request: ScanRequest): Promise<EngineEntry[]> {
    const done = this.#tail.then(() => this.#scan(request))
    this.#tail = done.catch(() => undefined)
    return done
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#tail
    // Ends the transaction with the session.
    await this.#connection.close()
    this.#released()
  }

  async #scan(request: ScanRequest): Promise<EngineEntry[]> {
    assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    try {
      return entriesOf(await this.#connection.query(this.#statements.scan(request)))
    } catch (error) {
      throw new SnapshotLostError(`the snapshot is gone: ${reasonOf(error)}`, { cause: error })
    }
  }
}
