import { restoredKey } from '../../core/keyspace/keys.ts'
import { BLOB_AHEAD_MS_MAX, BLOB_COMMIT_AGE_MS_MAX } from '../../core/limits.ts'
import { blobTimeMs } from '../../core/records/blob-age.ts'
import type { RestoreSpan } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Log } from '../../runtime/ports/log.ts'
import type { Engine } from '../engine/engine.ts'
import { decodeRecord, restoreKind } from '../records.ts'

/**
 * Keeps blobs that may have been acknowledged in time that a restore has lost. No record names them, so a sweep would take them
 * for what failed writes left, and remove the only copy of what could still be brought back. While the record of restores is
 * there they are young, however old they are.
 */
export class RestoreBrake {
  readonly #engine: Engine
  readonly #log: Log
  readonly #unwatch: () => void
  #spans: readonly RestoreSpan[] = []

  private constructor(engine: Engine, log: Log) {
    this.#engine = engine
    this.#log = log
    // Another process may accept the restore.
    this.#unwatch = engine.watch(restoredKey, () => {
      this.#read().catch((error: unknown) => {
        // What was known stays: too much is kept, at worst.
        this.#log.warn('the record of restores could not be read', { error })
      })
    })
  }

  /** @param engine the one that holds the cluster's own records @throws {NewerFormatError} */
  static async open(engine: Engine, log: Log): Promise<RestoreBrake> {
    const brake = new RestoreBrake(engine, log)
    await brake.#read()
    return brake
  }

  /** Restores that nobody has accepted yet. */
  get spans(): readonly RestoreSpan[] {
    return this.#spans
  }

  /**
   * Whether a blob may have been committed in a time that was lost. One that was begun 12 hours before the backup's moment may
   * have been committed after it, and the clocks of writers may be ahead.
   */
  keeps(id: string): boolean {
    const begun = blobTimeMs(id)
    return this.#spans.some(
      ({ backupMs, restoredMs }) =>
        begun >= Number(backupMs) - BLOB_COMMIT_AGE_MS_MAX && begun <= Number(restoredMs) + BLOB_AHEAD_MS_MAX,
    )
  }

  close(): void {
    this.#unwatch()
  }

  async #read(): Promise<void> {
    const value = await this.#engine.get(restoredKey)
    this.#spans = value === undefined ? [] : decodeRecord(restoreKind, value).spans
  }
}
