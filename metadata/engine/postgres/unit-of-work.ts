import type { Connection, Submittable } from 'pg'
import { isDatabaseError } from './errors.ts'

interface Prepared {
  readonly name: string
  readonly text: string
  readonly values: readonly (Uint8Array | string | number)[]
}

/** The server refused one of the statements, before the commit: nothing took effect. */
export class UnitRefusedError extends Error {
  override readonly name = 'UnitRefusedError'
}

/**
 * Prepared statements that are sent in one message and committed by the one Sync at its end: the implicit transaction of
 * the extended query protocol ("Pipelining" in PostgreSQL's manual). Each statement takes a snapshot of its own, after
 * those before it ran. When one fails, the server skips all that follows up to the Sync, and rolls back: unlike with BEGIN
 * and COMMIT, there is no way that a later statement could run without an earlier one.
 *
 * A statement's own completion says nothing: the commit comes after it. Only the server's being ready again does.
 */
export class UnitOfWork implements Submittable {
  readonly #statements: readonly Prepared[]
  readonly #prepared: Set<string>
  readonly #done = Promise.withResolvers<undefined>()
  #completed = 0
  #failed = false

  /** @param prepared names that the session knows; those that it learns are added */
  constructor(statements: readonly Prepared[], prepared: Set<string>) {
    this.#statements = statements
    this.#prepared = prepared
  }

  /**
   * Resolves when all is committed.
   * @throws {UnitRefusedError} with the server's error as its cause
   * @throws anything else: the outcome is unknown
   */
  get done(): Promise<undefined> {
    return this.#done.promise
  }

  submit = (connection: Connection): void => {
    connection.stream.cork()
    try {
      for (const { name, text, values } of this.#statements) {
        // The types ask for a second argument that the driver has not had for years.
        if (!this.#prepared.has(name)) {
          // One that was prepared and then failed is there, though it never completed.
          connection.close({ type: 'S', name }, true)
          connection.parse({ name, text, types: [] }, true)
        }
        connection.bind({ statement: name, values: values.map(parameterOf) }, true)
        connection.execute(null, true)
      }
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
  }

  handleCommandComplete(): void {
    const statement = this.#statements[this.#completed]
    if (statement !== undefined) this.#prepared.add(statement.name)
    this.#completed++
  }

  /** Of rows, only that they came without an error counts. */
  handleDataRow(): void {}

  handleError(error: unknown): void {
    this.#failed = true
    // A session that ends itself says so with an error, too; it has committed nothing that it has not completed.
    const refused = isDatabaseError(error) && this.#completed < this.#statements.length
    this.#done.reject(
      refused ? new UnitRefusedError(`PostgreSQL refused: ${error.message}`, { cause: error }) : error,
    )
  }

  handleReadyForQuery(): void {
    if (this.#failed) return
    if (this.#completed === this.#statements.length) this.#done.resolve(undefined)
    else this.#done.reject(new Error('PostgreSQL was ready again before it had done all that it was asked'))
  }
}

function parameterOf(value: Uint8Array | string | number): Buffer | string {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return String(value)
}
