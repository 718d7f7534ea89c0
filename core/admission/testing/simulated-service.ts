import { mix32 } from '../../placement/hash.ts'
import { type AdmissionGate, type Ticket } from '../gate.ts'

/** Requests of one bucket that come at random (a Poisson process), so many a second. */
export interface Source {
  readonly tenant: string
  readonly bucket: string
  readonly rate: number
}

export interface Outcome {
  offered: number
  admitted: number
}

/** Says how long it takes to do so many of the requests that wait, and how many it takes up at once. */
export interface Server {
  /** Milliseconds. */
  readonly takesMs: (count: number) => number
  readonly batchMax: number
}

interface Waiting {
  readonly ticket: Ticket
  readonly arrivedMs: number
}

const STEP_MS = 0.25

/** A server with one queue behind a gate; time and chance are made here. */
export class SimulatedService {
  readonly outcomes = new Map<Source, Outcome>()
  /** From arrival to answer, of all that were answered since {@link forget}. */
  delaysMs: number[] = []
  readonly #gate: AdmissionGate
  readonly #server: Server
  readonly #queue: Waiting[] = []
  #batch: Waiting[] = []
  #batchEndsMs = 0
  #nowMs = 0
  #chance: number

  constructor(gate: AdmissionGate, server: Server, seed: number) {
    this.#gate = gate
    this.#server = server
    this.#chance = seed
  }

  run(ms: number, sources: readonly Source[]): void {
    const endMs = this.#nowMs + ms
    const next = sources.map(({ rate }) => this.#nowMs + this.#pause(rate))
    while (this.#nowMs < endMs) {
      this.#nowMs += STEP_MS
      this.#serve()
      for (const [index, source] of sources.entries()) {
        while ((next[index] ?? Number.POSITIVE_INFINITY) <= this.#nowMs) {
          next[index] = (next[index] ?? 0) + this.#pause(source.rate)
          this.#arrive(source)
        }
      }
    }
  }

  /** Begins the figures anew. */
  forget(): void {
    this.outcomes.clear()
    this.delaysMs = []
  }

  #arrive(source: Source): void {
    const outcome = this.outcomes.get(source) ?? { offered: 0, admitted: 0 }
    this.outcomes.set(source, outcome)
    outcome.offered++
    const ticket = this.#gate.enter(source.tenant, source.bucket, this.#nowMs)
    if (ticket === undefined) return
    outcome.admitted++
    this.#queue.push({ ticket, arrivedMs: this.#nowMs })
  }

  #serve(): void {
    while (this.#batchEndsMs <= this.#nowMs) {
      for (const { ticket, arrivedMs } of this.#batch) {
        this.#gate.leave(ticket, this.#nowMs)
        this.delaysMs.push(this.#nowMs - arrivedMs)
      }
      this.#batch = this.#queue.splice(0, this.#server.batchMax)
      if (this.#batch.length === 0) {
        this.#batchEndsMs = this.#nowMs + STEP_MS
        return
      }
      // From the end of the last one, so that the steps of time cost the server nothing.
      this.#batchEndsMs += this.#server.takesMs(this.#batch.length)
    }
  }

  /** Exponentially distributed. */
  #pause(rate: number): number {
    this.#chance = mix32(this.#chance + 0x9e3779b9)
    return (-Math.log((this.#chance + 0.5) / 2 ** 32) * 1000) / rate
  }
}
