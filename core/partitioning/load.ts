import type { Position } from '../keyspace/partitions.ts'
import {
  LOAD_SAMPLE_AGE_MS_MAX,
  LOAD_SAMPLE_HALF_LIFE_MS,
  LOAD_SAMPLES_MAX,
  LOAD_SAMPLES_PER_SECOND,
  LOAD_SECONDS,
} from '../limits.ts'
import { mix32 } from '../placement/hash.ts'

export type LoadKind = 'write' | 'read'

/** What a request weighs in a histogram: the inverse of the rate that is a trigger, so that both kinds can be added. */
export type LoadWeights = Readonly<Record<LoadKind, number>>

/** A position, and the load that it stands for. */
export interface WeightedPosition extends Position {
  readonly weight: number
}

/** Requests of each of the last whole seconds, oldest first; fewer than LOAD_SECONDS while the measure is young. */
export interface LoadRates {
  readonly writes: readonly number[]
  readonly reads: readonly number[]
}

interface Sample extends Position {
  readonly kind: LoadKind
  /** Requests it stands for. */
  readonly count: number
  readonly atMs: number
}

/** In a second that has given twice its samples, so many more double the stride: a storm out of nothing takes some hundred. */
const STORM_SAMPLES = 16

/**
 * The load of one partition: requests of each second, and a sample of where they went.
 *
 * Of every `stride` requests about one is sampled, at distances that a hash of a counter spreads, so that no pattern of the
 * requests hides from it. The stride follows the rate of the second before, and doubles within a second that gets far
 * more. Old samples fade, and are written over first.
 *
 * Times are monotonic milliseconds and never go back.
 */
export class PartitionLoad {
  readonly #seed: number
  readonly #counts: Readonly<Record<LoadKind, Float64Array>>
  readonly #samples: (Sample | undefined)[] = []
  #nextSample = 0
  /** The second that is counted now; the first one counted. */
  #second: number
  readonly #firstSecond: number
  #secondEndsMs: number
  #stride = 1
  #untilSample = 1
  #taken = 0
  #takenThisSecond = 0
  #requestsThisSecond = 0

  /** @param seed any number; partitions with different ones sample differently */
  constructor(nowMs: number, seed: number) {
    this.#seed = seed
    this.#counts = { write: new Float64Array(LOAD_SECONDS + 1), read: new Float64Array(LOAD_SECONDS + 1) }
    this.#second = Math.floor(nowMs / 1000)
    this.#firstSecond = this.#second
    this.#secondEndsMs = (this.#second + 1) * 1000
  }

  /** Counts a request, be it answered or refused: what is asked for is the load. */
  count(kind: LoadKind, bucket: string, key: string, nowMs: number): void {
    if (nowMs >= this.#secondEndsMs) this.#advance(nowMs)
    const counts = this.#counts[kind]
    const slot = this.#second % counts.length
    counts[slot] = (counts[slot] ?? 0) + 1
    this.#requestsThisSecond++
    if (--this.#untilSample <= 0) this.#take(kind, bucket, key, nowMs)
  }

  /** The whole seconds lately; the first one, in part before the measure began, is none. */
  rates(nowMs: number): LoadRates {
    if (nowMs >= this.#secondEndsMs) this.#advance(nowMs)
    const known = Math.min(LOAD_SECONDS, Math.max(0, this.#second - this.#firstSecond - 1))
    const seconds = Array.from({ length: known }, (_, index) => this.#second - known + index)
    const of = (counts: Float64Array): number[] =>
      seconds.map((second) => counts[second % counts.length] ?? 0)
    return { writes: of(this.#counts.write), reads: of(this.#counts.read) }
  }

  /** Where the load has been lately, in no order; a position may be there several times. */
  histogram(nowMs: number, weights: LoadWeights): WeightedPosition[] {
    const positions: WeightedPosition[] = []
    for (const sample of this.#samples) {
      if (sample === undefined) continue
      const ageMs = nowMs - sample.atMs
      if (ageMs > LOAD_SAMPLE_AGE_MS_MAX) continue
      const weight = sample.count * weights[sample.kind] * 2 ** (-ageMs / LOAD_SAMPLE_HALF_LIFE_MS)
      positions.push({ bucket: sample.bucket, key: sample.key, weight })
    }
    return positions
  }

  #take(kind: LoadKind, bucket: string, key: string, atMs: number): void {
    this.#samples[this.#nextSample] = { kind, bucket, key, count: this.#stride, atMs }
    this.#nextSample = (this.#nextSample + 1) % LOAD_SAMPLES_MAX
    const surplus = ++this.#takenThisSecond - 2 * LOAD_SAMPLES_PER_SECOND
    if (surplus >= 0 && surplus % STORM_SAMPLES === 0) this.#stride *= 2
    this.#untilSample = this.#nextDistance()
  }

  /** 1 to twice the stride less one, evenly: the stride in the mean. */
  #nextDistance(): number {
    if (this.#stride === 1) return 1
    return 1 + (mix32(this.#seed + this.#taken++) % (2 * this.#stride - 1))
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    const { write, read } = this.#counts
    const passed = Math.min(second - this.#second, write.length)
    for (let index = 0; index < passed; index++) {
      const slot = (second - index) % write.length
      write[slot] = 0
      read[slot] = 0
    }
    const requests = second === this.#second + 1 ? this.#requestsThisSecond : 0
    const stride = Math.max(1, Math.round(requests / LOAD_SAMPLES_PER_SECOND))
    if (stride !== this.#stride) {
      this.#stride = stride
      this.#untilSample = this.#nextDistance()
    }
    this.#second = second
    this.#secondEndsMs = (second + 1) * 1000
    this.#takenThisSecond = 0
    this.#requestsThisSecond = 0
  }
}
