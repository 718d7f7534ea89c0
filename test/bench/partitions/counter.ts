export const KINDS = ['writes', 'reads'] as const
export type Kind = (typeof KINDS)[number]

/** What came of requests of one kind in one second. */
export interface Counts {
  done: number
  /** Answers SLOW_DOWN, 503 over HTTP, because a partition is at the rate it is held to. One request may be refused several times. */
  refused: number
  /** The same because a process has more to do than it can; over HTTP they look alike, and are among `refused`. */
  overload: number
  /** Requests that their client gave up after its last attempt; only of clients that make several. */
  givenUp: number
  /** Any other error. */
  failed: number
}

export interface Second {
  readonly writes: Counts
  readonly reads: Counts
  readonly partitions: number
}

export type Outcome = keyof Counts

/** Counts by whole seconds since it was begun. */
export class Counter {
  readonly #nowMs: () => number
  #startMs = 0
  #endMs = Number.POSITIVE_INFINITY
  readonly #seconds: Record<Kind, Counts>[] = []
  /** The most seen in each second; undefined: not looked at. */
  readonly #partitions: (number | undefined)[] = []

  /** @param nowMs monotonic */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  begin(): void {
    this.#startMs = this.#nowMs()
  }

  /** What is counted later is of no second. */
  end(): void {
    this.#endMs = this.#nowMs()
  }

  get elapsedMs(): number {
    return Math.min(this.#endMs, this.#nowMs()) - this.#startMs
  }

  count(kind: Kind, outcome: Outcome): void {
    this.#now()[kind][outcome]++
  }

  partitions(count: number): void {
    const index = Math.floor(this.elapsedMs / 1000)
    this.#partitions[index] = Math.max(count, this.#partitions[index] ?? 0)
  }

  /** The seconds that are over; a second in which the partitions were not looked at has as many as the one before. */
  get seconds(): readonly Second[] {
    let partitions = 1
    const over = Math.floor(this.elapsedMs / 1000)
    if (over > 0) this.#upTo(over - 1)
    return this.#seconds.slice(0, over).map((second, index) => {
      partitions = this.#partitions[index] ?? partitions
      return { ...second, partitions }
    })
  }

  #now(): Record<Kind, Counts> {
    return this.#upTo(Math.floor(this.elapsedMs / 1000))
  }

  #upTo(index: number): Record<Kind, Counts> {
    while (this.#seconds.length <= index) this.#seconds.push({ writes: nothing(), reads: nothing() })
    const second = this.#seconds[index]
    if (second === undefined) throw new Error('time went back')
    return second
  }
}

function nothing(): Counts {
  return { done: 0, refused: 0, overload: 0, givenUp: 0, failed: 0 }
}

/** All of one kind of outcome. */
export function sumOf(seconds: readonly Second[], outcome: Outcome, kinds: readonly Kind[] = KINDS): number {
  return seconds.reduce(
    (sum, second) => sum + kinds.reduce((ofKinds, kind) => ofKinds + second[kind][outcome], 0),
    0,
  )
}

/** Mean of a second; 0 of none. */
export function meanOf(seconds: readonly Second[], outcome: Outcome, kinds: readonly Kind[] = KINDS): number {
  return sumOf(seconds, outcome, kinds) / Math.max(1, seconds.length)
}

/** The seconds with so many partitions, without the first and the last of them, in which the map changed. */
export function settled(seconds: readonly Second[], partitions: number): readonly Second[] {
  const during = seconds.filter((second) => second.partitions === partitions)
  return during.length > 2 ? during.slice(1, -1) : during
}
