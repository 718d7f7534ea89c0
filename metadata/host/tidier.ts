import { LEFTOVERS_LOOK_MS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import { forgetEmptyOutboxes } from './empty-outboxes.ts'
import type { Leftovers } from './leftovers.ts'
import type { OwnedPartition } from './owned.ts'

export interface TidierOptions {
  readonly self: string
  readonly leftovers: Leftovers
  readonly maps: PartitionMaps
  readonly served: () => readonly OwnedPartition[]
  readonly clock: Clock
  readonly log: Log
}

/** Removes what moves and merges have left behind, now and then. */
export class Tidier {
  readonly #options: TidierOptions
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: TidierOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(LEFTOVERS_LOOK_MS, () => {
      this.#running = this.tidy().finally(() => {
        this.start()
      })
    })
  }

  /** As far as it can be done now. Never rejects. */
  async tidy(): Promise<void> {
    const { self, leftovers, maps, served, log } = this.#options
    const outboxes = served().map((owned) => forgetEmptyOutboxes(owned, maps, self))
    for (const one of await Promise.allSettled([leftovers.remove(), ...outboxes])) {
      if (one.status === 'fulfilled') continue
      log.debug('something left over stays until the next look', { error: one.reason })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    this.#options.leftovers.close()
    await this.#running
  }
}
