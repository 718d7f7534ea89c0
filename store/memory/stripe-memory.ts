/**
 * Who uses which part of the shared memory. First come, first served, with a bound on the waiting: memory is what a
 * gateway runs out of first, and a client that is told "come again" fares better than one whose gateway was killed. While
 * somebody waits, holders that fill their part too slowly are told so, one after another; see fills.ts.
 */

import {
  SHARD_ALIGN,
  STRIPE_FILL_LOOK_MS,
  STRIPE_MEMORY_WAIT_MS,
  STRIPE_MEMORY_WAITERS_MAX,
} from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { StoreError } from '../api.ts'
import type { Scope } from '../scope.ts'
import { Fills } from './fills.ts'

/** Part of the memory, the holder's own until it lets go. */
export interface MemoryLease {
  /** Offset in the memory, a multiple of SHARD_ALIGN. */
  readonly at: number
  /** To be called once. */
  release(): void
}

interface Extent {
  at: number
  bytes: number
}

interface Waiter {
  readonly bytes: number
  readonly grant: (lease: MemoryLease) => void
}

export class StripeMemory {
  /** Holders whose part is being filled. */
  readonly fills: Fills
  readonly #clock: Clock
  readonly #bytes: number
  /** Free runs by offset, no two adjacent. */
  readonly #free: Extent[]
  /** In order of arrival. The first waits until it fits; none overtakes it, so that big requests are not starved. */
  readonly #waiters = new Set<Waiter>()
  #used = 0
  /** Ends the looks for slow fills; set while somebody waits. */
  #endLooks: (() => void) | undefined

  /** Hands out `[at, at + bytes)`, both multiples of SHARD_ALIGN. */
  constructor(clock: Clock, at: number, bytes: number) {
    this.fills = new Fills(clock)
    this.#clock = clock
    this.#bytes = bytes
    this.#free = [{ at, bytes }]
  }

  get bytes(): number {
    return this.#bytes
  }

  get usedBytes(): number {
    return this.#used
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * @throws {StoreError} `overloaded` when none came free in time, too many wait, or so much will never be free
   * @throws the scope's reason when it ends first
   */
  async acquire(wanted: number, scope: Scope): Promise<MemoryLease> {
    scope.throwIfAborted()
    const bytes = Math.ceil(wanted / SHARD_ALIGN) * SHARD_ALIGN
    if (bytes > this.#bytes) {
      throw new StoreError(
        'overloaded',
        `a stripe of ${bytes} bytes does not fit the ${this.#bytes} set aside`,
      )
    }
    const lease = this.#waiters.size === 0 ? this.#take(bytes) : undefined
    if (lease !== undefined) return lease
    if (this.#waiters.size >= STRIPE_MEMORY_WAITERS_MAX) {
      throw new StoreError('overloaded', `${this.#waiters.size} requests already wait for stripe memory`)
    }
    return this.#wait(bytes, scope)
  }

  /** Part of what nobody needs at the moment: undefined when half of all is taken, or would be. */
  acquireSpare(wanted: number): MemoryLease | undefined {
    const bytes = Math.ceil(wanted / SHARD_ALIGN) * SHARD_ALIGN
    if (this.#waiters.size > 0 || (this.#used + bytes) * 2 > this.#bytes) return undefined
    return this.#take(bytes)
  }

  #wait(bytes: number, scope: Scope): Promise<MemoryLease> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter)
        cancelTimer()
        cancelAbort()
        if (this.#waiters.size > 0) return
        this.#endLooks?.()
        this.#endLooks = undefined
      }
      const refuse = (error: Error): void => {
        settle()
        reject(error)
        // Whoever stood behind may fit.
        this.#grant()
      }
      const waiter: Waiter = {
        bytes,
        grant: (lease) => {
          settle()
          resolve(lease)
        },
      }
      this.#waiters.add(waiter)
      if (this.#endLooks === undefined) this.#lookLater()
      const cancelTimer = this.#clock.after(STRIPE_MEMORY_WAIT_MS, () => {
        refuse(new StoreError('overloaded', `no stripe memory came free in ${STRIPE_MEMORY_WAIT_MS} ms`))
      })
      const cancelAbort = scope.onAbort(() => {
        refuse(scope.reason ?? new Error('aborted'))
      })
    })
  }

  #lookLater(): void {
    this.#endLooks = this.#clock.after(STRIPE_FILL_LOOK_MS, () => {
      this.#lookLater()
      this.fills.giveUpSlowest()
    })
  }

  #grant(): void {
    for (const waiter of this.#waiters) {
      const lease = this.#take(waiter.bytes)
      if (lease === undefined) return
      waiter.grant(lease)
    }
  }

  /** The lowest free run that fits: the pages at the top stay untouched, and thus untaken from the system. */
  #take(bytes: number): MemoryLease | undefined {
    const index = this.#free.findIndex((extent) => extent.bytes >= bytes)
    const extent = this.#free[index]
    if (extent === undefined) return undefined
    const at = extent.at
    extent.at += bytes
    extent.bytes -= bytes
    if (extent.bytes === 0) this.#free.splice(index, 1)
    this.#used += bytes
    let held = true
    return {
      at,
      release: () => {
        if (!held) throw new Error(`stripe memory at ${at} was let go of twice`)
        held = false
        this.#give({ at, bytes })
        this.#grant()
      },
    }
  }

  #give(freed: Extent): void {
    this.#used -= freed.bytes
    const found = this.#free.findIndex((extent) => extent.at > freed.at)
    const index = found < 0 ? this.#free.length : found
    const before = this.#free[index - 1]
    const after = this.#free[index]
    const joinsBefore = before !== undefined && before.at + before.bytes === freed.at
    const joinsAfter = after !== undefined && freed.at + freed.bytes === after.at
    if (joinsBefore) {
      before.bytes += freed.bytes + (joinsAfter ? after.bytes : 0)
      if (joinsAfter) this.#free.splice(index, 1)
    } else if (joinsAfter) {
      after.at = freed.at
      after.bytes += freed.bytes
    } else {
      this.#free.splice(index, 0, freed)
    }
  }
}
