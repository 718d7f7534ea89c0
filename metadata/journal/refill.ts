import { JOURNAL_RETRY_MS, JOURNAL_REFILL_MS } from '../../core/limits.ts'
import { BackupDamagedError } from '../backup/format/frame.ts'
import { baseBefore } from './base-before.ts'
import { needlessAmong } from './clean-up.ts'
import type { Copies, JournalNode } from './copies.ts'
import type { JournalPosition } from './tail.ts'

/**
 * Sees to it that everything put has its copies, whatever nodes came and went since: what was put while few nodes were up is copied to
 * others when they are, and what a lost node had is copied from those that are left.
 */
export class Refill {
  readonly #copies: Copies
  readonly #nodes: () => readonly JournalNode[]
  /** Of the last look; undefined: there was none. */
  #members: string | undefined
  /** Of the last look, or the start. */
  #lastMs: number

  /** @param nowMs monotonic, as everywhere here */
  constructor(copies: Copies, nodes: () => readonly JournalNode[], nowMs: number) {
    this.#copies = copies
    this.#nodes = nodes
    this.#lastMs = nowMs
  }

  due(nowMs: number): boolean {
    const sinceMs = nowMs - this.#lastMs
    if (sinceMs < JOURNAL_RETRY_MS) return false
    if (this.#copies.canSpread) return true
    // A node that is away may come back with what it has.
    const changed =
      this.#members !== this.#staying() && this.#nodes().every(({ stays, usable }) => !stays || usable)
    return changed || sinceMs > JOURNAL_REFILL_MS
  }

  /**
   * @param position the last segment that was shipped
   * @returns false: something that leads up to there cannot be had any more, and a new base is needed
   */
  async run(nowMs: number, position: JournalPosition, signal: AbortSignal): Promise<boolean> {
    this.#lastMs = nowMs
    this.#members = this.#staying()
    const { answered, holdings } = await this.#copies.holdings()
    const needless = needlessAmong(holdings.names)
    const needed = holdings.pieces().filter(({ name }) => {
      signal.throwIfAborted()
      return !needless(name)
    })
    let readable = true
    await this.#copies.spread(
      needed,
      (piece) => holdings.readPiece(piece),
      (error) => {
        if (!(error instanceof BackupDamagedError)) throw error
        readable = false
      },
    )
    const all = this.#nodes().every(({ id, stays }) => !stays || answered.has(id))
    // What is not there may be on a node that did not answer.
    return !all || (readable && (await baseBefore(holdings, position)) !== undefined)
  }

  #staying(): string {
    const ids = this.#nodes().flatMap(({ id, stays }) => (stays ? [id] : []))
    return ids.toSorted().join()
  }
}
