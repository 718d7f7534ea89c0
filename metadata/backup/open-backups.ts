import { Buffer } from 'node:buffer'
import { BACKUP_IDLE_MS, BACKUPS_OPEN_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { SnapshotLostError } from '../engine/engine.ts'
import { invalidRequest } from '../failure.ts'
import { packEntries } from './format/entries.ts'
import type { BackedUpEngine, Moments } from './moments.ts'
import { EVERYTHING, SnapshotPages } from './snapshot-pages.ts'

export interface OpenBackupsParts {
  readonly moments: Pick<Moments, 'look'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface OpenedBackup {
  readonly id: string
  readonly atMs: number
  readonly engines: readonly string[]
  /** For which commits were held so that all engines show one moment; 0: they were not, for there is but one. */
  readonly heldMs: number
  /** Roughly; 0 where the engines cannot tell. */
  readonly bytes: number
}

/** All engines at one moment. */
interface Shown {
  readonly atMs: number
  readonly engines: readonly BackedUpEngine[]
  readonly snapshots: readonly SnapshotPages[]
}

interface Open {
  readonly snapshots: readonly SnapshotPages[]
  usedAt: number
  reading: number
  cancelTimer: () => void
}

const IDENTIFIER_BYTES = 16

/** The backups that are being read. Each is a snapshot of every engine, all of one moment. */
export class OpenBackups {
  readonly #parts: OpenBackupsParts
  readonly #open = new Map<string, Open>()
  #opening = 0
  #closed = false

  constructor(parts: OpenBackupsParts) {
    this.#parts = parts
  }

  /**
   * @param allRecords with those that are no partition's where they lie
   * @throws {MetadataError} INVALID_REQUEST when too many are open; BACKUP_REFUSED when the engines show no one moment now
   */
  async open(allRecords = false): Promise<OpenedBackup> {
    if (this.#open.size + this.#opening >= BACKUPS_OPEN_MAX) {
      throw invalidRequest(`${BACKUPS_OPEN_MAX} backups are being taken already`)
    }
    const { moments, clock, random } = this.#parts
    this.#opening++
    try {
      const { opened: shown, heldMs } = await moments.look({
        open: (engines) => this.#show(engines, allRecords),
        undo: ({ snapshots }) => closeAll(snapshots),
      })
      const id = Buffer.from(random.bytes(IDENTIFIER_BYTES)).toString('hex')
      const opened = {
        snapshots: shown.snapshots,
        usedAt: clock.monotonicMs(),
        reading: 0,
        cancelTimer: () => undefined,
      }
      this.#open.set(id, opened)
      if (this.#closed) await this.close(id)
      else this.#watchIdle(id, opened)
      const sizes = await Promise.all(shown.engines.map(({ engine }) => engine.estimate(EVERYTHING)))
      const bytes = sizes.reduce((sum, size) => sum + (size.bytes ?? 0), 0)
      return { id, atMs: shown.atMs, engines: shown.engines.map((one) => one.id), heldMs, bytes }
    } finally {
      this.#opening--
    }
  }

  /**
   * A page of one engine's entries after a key, packed as in a chunk of the file; empty at the end.
   * @param before exclusive; empty or absent: to the last key
   * @throws {MetadataError} INVALID_REQUEST for a backup that is not open, or no more
   */
  async read(id: string, engine: number, after: Uint8Array, before?: Uint8Array): Promise<Uint8Array> {
    const opened = this.#open.get(id)
    const snapshot = opened?.snapshots[engine]
    if (opened === undefined || snapshot === undefined) {
      throw invalidRequest(
        'this backup is not open: nobody has read from it for too long, or metadata was started again',
      )
    }
    opened.reading++
    try {
      return packEntries(await snapshot.read(after, before))
    } catch (error) {
      if (!(error instanceof SnapshotLostError)) throw error
      await this.close(id)
      throw invalidRequest(`the engine has let go of this backup: ${error.message}`)
    } finally {
      opened.reading--
      opened.usedAt = this.#parts.clock.monotonicMs()
    }
  }

  /** One that is not open is no error. */
  async close(id: string): Promise<void> {
    const opened = this.#open.get(id)
    this.#open.delete(id)
    opened?.cancelTimer()
    await closeAll(opened?.snapshots ?? [])
  }

  async closeAll(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#open.keys()].map((id) => this.close(id)))
  }

  async #show(engines: readonly BackedUpEngine[], allRecords: boolean): Promise<Shown> {
    // Before the snapshots: what was acknowledged by then is in them.
    const atMs = this.#parts.clock.nowMs()
    const results = await Promise.allSettled(
      engines.map(
        async ({ engine, isForeign }) =>
          new SnapshotPages(await engine.openSnapshot(), allRecords ? undefined : isForeign),
      ),
    )
    const snapshots = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined) return { atMs, engines, snapshots }
    await closeAll(snapshots)
    throw failed.reason
  }

  #watchIdle(id: string, opened: Open): void {
    const { clock, log } = this.#parts
    const left = opened.usedAt + BACKUP_IDLE_MS - clock.monotonicMs()
    if (left <= 0 && opened.reading === 0) {
      log.warn('a backup was closed: nobody has read from it for too long', { idleMs: BACKUP_IDLE_MS })
      void this.close(id).catch((error: unknown) => {
        log.error('a backup could not be closed', { error })
      })
      return
    }
    opened.cancelTimer = clock.after(left > 0 ? left : BACKUP_IDLE_MS, () => {
      this.#watchIdle(id, opened)
    })
  }
}

async function closeAll(snapshots: readonly SnapshotPages[]): Promise<void> {
  await Promise.all(snapshots.map((snapshot) => snapshot.close()))
}
