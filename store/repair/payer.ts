import type { Scope } from '../scope.ts'
import type { ByteBudget } from './api.ts'

/** One repair's account with the budget of many. */
export class Payer {
  readonly #budget: ByteBudget | undefined
  #credit = 0

  constructor(budget: ByteBudget | undefined) {
    this.#budget = budget
  }

  /** Takes so much more than is paid for already, to be used by {@link pay}. */
  async prepay(bytes: number, scope: Scope): Promise<void> {
    const short = bytes - this.#credit
    this.#credit = Math.max(this.#credit, bytes)
    if (short > 0) await this.#take(short, scope)
  }

  /** Resolves at once while it is paid for. */
  async pay(bytes: number, scope: Scope): Promise<void> {
    const short = bytes - this.#credit
    this.#credit = Math.max(0, -short)
    if (short > 0) await this.#take(short, scope)
  }

  async #take(bytes: number, scope: Scope): Promise<void> {
    if (this.#budget === undefined) return
    const controller = new AbortController()
    const cancel = scope.onAbort(() => {
      controller.abort(scope.reason)
    })
    try {
      await this.#budget.take(bytes, controller.signal)
    } finally {
      cancel()
    }
    scope.throwIfAborted()
  }
}
