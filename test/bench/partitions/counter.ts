import type { Panel, Series } from '../figure.ts'

export type Kind = 'writes' | 'reads'

/** What came of the requests of each second. */
export interface Second {
  writes: number
  reads: number
  /** For the figures of S3. */
  refused: number
  /** For an overload of the process. */
  overload: number
  failed: number
  partitions: number
}

/** Counts by whole seconds since it was begun. */
export class Counter {
  #startMs = 0
  #endMs = Number.POSITIVE_INFINITY
  readonly #seconds: Second[] = []

  begin(): void {
    this.#startMs = performance.now()
  }

  /** What is counted later is of no second. */
  end(): void {
    this.#endMs = performance.now()
  }

  get elapsedMs(): number {
    return Math.min(this.#endMs, performance.now()) - this.#startMs
  }

  count(what: Exclude<keyof Second, 'partitions'>): void {
    this.#now()[what]++
  }

  partitions(count: number): void {
    this.#now().partitions = count
  }

  /** The seconds that are over; a second in which the partitions were not looked at has as many as the one before. */
  get seconds(): readonly Second[] {
    let partitions = 1
    return this.#seconds.slice(0, Math.floor(this.elapsedMs / 1000)).map((second) => {
      partitions = Math.max(partitions, second.partitions)
      return { ...second, partitions }
    })
  }

  #now(): Second {
    const index = Math.floor(this.elapsedMs / 1000)
    for (let next = this.#seconds.length; next <= index; next++) {
      this.#seconds.push({ writes: 0, reads: 0, refused: 0, overload: 0, failed: 0, partitions: 0 })
    }
    const second = this.#seconds[index]
    if (second === undefined) throw new Error('time went back')
    return second
  }
}

/** Mean of a count over seconds. */
export function meanOf(seconds: readonly Second[], what: keyof Second): number {
  return seconds.reduce((sum, second) => sum + second[what], 0) / Math.max(1, seconds.length)
}

const NAMES = {
  writes: 'writes',
  reads: 'reads',
  refused: 'refused at the figure',
  overload: 'refused for overload',
} as const

export function panelOf(
  title: string,
  seconds: readonly Second[],
  kinds: readonly (keyof typeof NAMES)[],
  marks: Panel['marks'] = [],
): Panel {
  const lines = kinds.map((kind): Series => ({
    name: kind === 'refused' ? 'refused by SLOW_DOWN' : kind,
    tone: kind,
    points: seconds.map((second, index) => [index + 0.5, second[kind]]),
  }))
  const partitions: Series = {
    name: 'partitions (right)',
    tone: 'partitions',
    axis: 'right',
    step: true,
    points: seconds.map((second, index) => [index, second.partitions]),
  }
  return { title, x: 'seconds', left: 'ops/s', right: 'partitions', series: [...lines, partitions], marks }
}
