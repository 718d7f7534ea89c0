import type { Counter, Kind } from './counter.ts'

/** Something that requests can be made of, all of it on one bucket. */
export interface Target {
  /** Requests of a kind that may be unanswered at the same time. */
  readonly atOnce: number
  /** Makes the bucket. */
  prepare(): Promise<void>
  /** Writes an object, however often that is refused. */
  fill(key: string): Promise<void>
  /** One request, with what its client does when it is refused. Counts what comes of it. Never rejects. */
  ask(kind: Kind, key: string, counter: Counter): Promise<void>
  /** How many there are now. */
  partitions(): Promise<number>
  /** Requests that processes of metadata have refused for want of time, so far. */
  overloaded(): Promise<number>
  /** CPU seconds of all that serves so far, without the engine; undefined: it is in this process. */
  cpuSeconds(): Promise<number | undefined>
}
