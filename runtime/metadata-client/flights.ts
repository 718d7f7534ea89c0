import type { Clock } from '../ports/clock.ts'
import type { Begun } from './connection.ts'
import type { Target } from './map-follower.ts'
import type { PartitionTable } from './partition-table.ts'
import type { MetadataOperation } from '../../proto/metadata-api.ts'

/** A request that a process has, or waits to be sent to it. */
export interface Flight {
  readonly begun: Pick<Begun<MetadataOperation>, 'sent' | 'takeBack'>
  readonly target: Target
  /** Monotonic milliseconds at which it has failed. */
  readonly untilMs: number
  /** Who is to answer it by a map. */
  find(table: PartitionTable): Target | undefined
  /** Looks that it has been through. */
  age: number
  /** Its age when the map was first seen to name another; undefined: it names this one. */
  lostAge: number | undefined
}

/** Looks that a request which was sent may live through after its owner has ceased to be one: a planned move answers it first. */
const LOST_LOOKS = 2

/** Looks after which a request is taken to wait for somebody who may not come back. */
const LONG_LOOKS = 2

/**
 * The requests in flight, looked at together now and then: one timer for all of them, none while there are none. Those whose
 * owner is another by now are taken back, at once if they were not sent.
 */
export class Flights {
  readonly #clock: Clock
  readonly #lookMs: number
  readonly #onLong: () => void
  readonly #flights = new Set<Flight>()
  #cancel: (() => void) | undefined
  #closed = false

  /** @param onLong called at each look at which some request has been waiting for longer than from one look to the next */
  constructor(clock: Clock, lookMs: number, onLong: () => void) {
    this.#clock = clock
    this.#lookMs = lookMs
    this.#onLong = onLong
  }

  add(flight: Flight): void {
    this.#flights.add(flight)
    flight.target.flights++
    if (this.#cancel === undefined) this.#arm()
  }

  remove(flight: Flight): void {
    if (this.#flights.delete(flight)) flight.target.flights--
  }

  /** The map is another. */
  recheck(table: PartitionTable): void {
    for (const flight of this.#flights) {
      if (flight.find(table) === flight.target) flight.lostAge = undefined
      else if (flight.begun.sent) flight.lostAge ??= flight.age
      else flight.begun.takeBack('its owner is another by now')
    }
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #arm(): void {
    if (this.#closed) return
    this.#cancel = this.#clock.after(this.#lookMs, () => {
      this.#cancel = undefined
      this.#look()
      if (this.#flights.size > 0) this.#arm()
    })
  }

  #look(): void {
    const now = this.#clock.monotonicMs()
    let long = false
    for (const flight of this.#flights) {
      flight.age++
      if (now >= flight.untilMs) flight.begun.takeBack('it was not answered within its time')
      else if (flight.lostAge === undefined) long ||= flight.age >= LONG_LOOKS
      else if (flight.age - flight.lostAge >= LOST_LOOKS) {
        flight.begun.takeBack('its owner did not answer and is none any more')
      }
    }
    if (long) this.#onLong()
  }
}
