import { POSTGRES_SILENCE_MS } from '../../../core/limits.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'

/** A statement that was sent, or a connection that is being made. */
interface Asked {
  /** Cuts the connection. */
  readonly giveUp: (reason: string) => void
  /** Looks that it has been through. */
  age: number
}

/** Looks from one silence to the next; in the first of them it may just have been asked. */
const LOOKS = 2

/**
 * What servers have been asked and have not answered. A server that stands still says nothing, and its kernel goes on keeping the
 * connections: only the time that an answer takes tells. It is counted in looks, of which a process that stood still itself
 * makes up for no more than one: what arrived meanwhile is heard before the next.
 */
export class Unanswered {
  readonly #clock: Clock
  readonly #onSilence: () => void
  readonly #asked = new Set<Asked>()
  #looking = false

  /** @param onSilence called at each look at which something has been unanswered for POSTGRES_SILENCE_MS */
  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = clock
    this.#onSilence = onSilence
  }

  /** @returns to be called when it is answered, or was given up */
  add(giveUp: (reason: string) => void): () => void {
    const asked: Asked = { giveUp, age: 0 }
    this.#asked.add(asked)
    if (!this.#looking) this.#arm()
    return () => {
      this.#asked.delete(asked)
    }
  }

  get silent(): boolean {
    for (const { age } of this.#asked) if (age >= LOOKS) return true
    return false
  }

  giveUpAll(reason: string): void {
    for (const { giveUp } of this.#asked) giveUp(reason)
  }

  #arm(): void {
    this.#looking = true
    this.#clock.after(POSTGRES_SILENCE_MS / LOOKS, () => {
      for (const asked of this.#asked) asked.age++
      if (this.silent) this.#onSilence()
      if (this.#asked.size > 0) this.#arm()
      else this.#looking = false
    })
  }
}
