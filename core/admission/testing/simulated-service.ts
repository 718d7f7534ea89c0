import { mix32 } from '../../placement/hash.ts'
import { type AdmissionGate, type Ticket } from '../gate.ts'

/** Requests of one bucket that come at random (a Poisson process), so many a second. */
export interface Source {
  readonly tenant: string
  readonly bucket: string
  readonly rate: number
  /** Asks first, and comes so many milliseconds later, give or take half of it; absent: it comes at once, unasked. */
  readonly laterMs?: number
}

export interface Outcome {
  offered: number
  admitted: number
  /** Of those that had asked, and were to come: refused when they came. */
  broken: number
}

/** Says how long it takes to do so many of the requests that wait, and how many it takes up at once. */
export interface Server {
  /** Milliseconds. */
  readonly takesMs: (count: number) => number
  readonly batchMax: number
}

interface Coming {
  readonly source: Source
  readonly reservation: Ticket
  readonly atMs: number
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
  #coming: Coming[] = []
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
      this.#come()
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
    const { tenant, bucket, laterMs } = source
    const outcome = this.#outcomeOf(source)
    outcome.offered++
    const asks = laterMs !== undefined
    const ticket = this.#gate[asks ? 'reserve' : 'enter'](tenant, bucket, this.#nowMs)
    if (ticket === undefined) return
    outcome.admitted++
    if (!asks) this.#queue.push({ ticket, arrivedMs: this.#nowMs })
    else {
      const atMs = this.#nowMs + laterMs * (0.5 + this.#chanceOf())
      this.#coming.push({ source, reservation: ticket, atMs })
    }
  }

  /** Those whose time it is. */
  #come(): void {
    this.#coming = this.#coming.filter(({ source, reservation, atMs }) => {
      if (atMs > this.#nowMs) return true
      const ticket = this.#gate.enter(source.tenant, source.bucket, this.#nowMs, reservation)
      if (ticket === undefined) this.#outcomeOf(source).broken++
      else this.#queue.push({ ticket, arrivedMs: this.#nowMs })
      return false
    })
  }

  #outcomeOf(source: Source): Outcome {
    const outcome = this.outcomes.get(source) ?? { offered: 0, admitted: 0, broken: 0 }
    this.outcomes.set(source, outcome)
    return outcome
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
    return (-Math.log(this.#chanceOf()) * 1000) / rate
  }

  /** Between 0 and 1, neither of them. */
  #chanceOf(): number {
    this.#chance = mix32(this.#chance + 0x9e3779b9)
    return (this.#chance + 0.5) / 2 ** 32
  }
}
