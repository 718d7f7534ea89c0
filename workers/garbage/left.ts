/** Tasks that could not be done on all of their nodes: on which they are still to be, and when to try again. */

import { GARBAGE_RETRY_MS_MAX, GARBAGE_RETRY_MS_MIN, GARBAGE_TASKS_LEFT_MAX } from '../../core/limits.ts'

interface LeftTask {
  readonly nodes: ReadonlySet<string>
  /** On the monotonic clock. */
  readonly retryAtMs: number
  readonly pauseMs: number
}

/** Bounded: of a task that it does not know, everything is done again, which does no harm. */
export class LeftTasks {
  readonly #tasks = new Map<bigint, LeftTask>()

  get size(): number {
    return this.#tasks.size
  }

  /** Whether to leave the task alone for now. */
  rests(sequence: bigint, nowMs: number): boolean {
    return nowMs < (this.#tasks.get(sequence)?.retryAtMs ?? 0)
  }

  /** Whether the task is done on a node already. */
  isDone(sequence: bigint, node: string): boolean {
    return this.#tasks.get(sequence)?.nodes.has(node) === false
  }

  /** @param failed whether it was tried in vain, and not only put off */
  keep(sequence: bigint, nodes: ReadonlySet<string>, failed: boolean, nowMs: number): void {
    const before = this.#tasks.get(sequence)
    if (before === undefined && this.#tasks.size >= GARBAGE_TASKS_LEFT_MAX) return
    const pauseMs = before?.pauseMs ?? GARBAGE_RETRY_MS_MIN
    this.#tasks.set(sequence, {
      nodes,
      retryAtMs: nowMs + (failed ? pauseMs : GARBAGE_RETRY_MS_MIN),
      pauseMs: failed ? Math.min(GARBAGE_RETRY_MS_MAX, pauseMs * 2) : pauseMs,
    })
  }

  done(sequence: bigint): void {
    this.#tasks.delete(sequence)
  }
}
