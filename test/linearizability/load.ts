import type { S3Client } from '@aws-sdk/client-s3'
import { seeded, type Chance } from '../chaos/seeded.ts'
import { checkKey } from './check.ts'
import { byKey } from './history.ts'
import { type Failure, Recorder, type Sender } from './recorder.ts'
import { watchTries } from './tries.ts'
import { explain } from './window.ts'

/** A bucket that is there already, with versions or without, and what is written into it. */
export interface LoadedBucket {
  readonly name: string
  readonly prefixes: number
  readonly keysOfPrefix: number
  /** Of all requests, compared with the shares of the others. */
  readonly share: number
}

export interface RecordedLoadOptions {
  readonly buckets: readonly LoadedBucket[]
  /** One client of the SDK for each gateway, made anew for each client of the load, which chooses one at random each time. */
  readonly gateways: readonly (() => S3Client)[]
  readonly clients: number
  readonly seed: number
}

/** Small, and a few that have shards in the pool for larger objects. */
const SIZES = [1, 60, 60, 300, 2000, 40_000] as const

/** So many keys on a page, at least: listings go over several pages. */
const PAGE_KEYS = 3

const READERS = 8

/** Clients that read and write the same keys at once, until stopped, and remember all they saw. */
export class RecordedLoad {
  readonly recorders: readonly Recorder[]
  readonly #options: RecordedLoadOptions
  readonly #senders: readonly (readonly Sender[])[]
  readonly #waiting = new Set<() => void>()
  #written = 0
  #done = 0
  #stopping = false
  #running: Promise<unknown> | undefined

  constructor(options: RecordedLoadOptions) {
    this.#options = options
    this.recorders = options.buckets.map(({ name, prefixes, keysOfPrefix }) => {
      const keys = Array.from({ length: prefixes * keysOfPrefix }, (_, n) => {
        const prefix = String(n % prefixes).padStart(2, '0')
        return `p${prefix}/k${Math.floor(n / prefixes)}`
      })
      return new Recorder(name, keys)
    })
    this.#senders = Array.from({ length: options.clients }, (_, index) =>
      options.gateways.map((connect, gateway) => {
        const client = connect()
        watchTries(client)
        return { name: `c${index}/g${gateway}`, client }
      }),
    )
  }

  start(): void {
    this.#stopping = false
    this.#running = Promise.all(
      this.#senders.map((senders, index) => this.#client(senders, seeded(this.#options.seed * 1000 + index))),
    )
    // Whoever waits for progress or the end hears of it.
    this.#running.catch(() => this.#advanced())
  }

  /** Resolves when this many more requests have ended, well or not. Rejects if wrong bytes were seen. */
  async progress(more: number): Promise<void> {
    const wanted = this.#done + more
    await Promise.race([this.#running, this.#until(() => this.#done >= wanted)])
  }

  /** Lets what is in flight end. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  /** Reads and lists everything over every gateway, with the rest of the history to hold it against. */
  async readBack(): Promise<void> {
    const [first = []] = this.#senders
    for (const recorder of this.recorders) {
      for (const { name, client } of first) {
        const from = { name: `end/${name.slice(-2)}`, client }
        const queue = recorder.keys.values()
        const reader = async (): Promise<void> => {
          for (const key of queue) await recorder.get(from, key)
        }
        await Promise.all(Array.from({ length: READERS }, reader))
        await recorder.list(from, '', 10 * PAGE_KEYS)
      }
    }
  }

  /** Holds the whole history against what a store may do. @returns what it was, in one line; throws if it was wrong */
  async verify(): Promise<string> {
    const faults: string[] = []
    let keys = 0
    for (const recorder of this.recorders) {
      for (const history of byKey(recorder.operations).values()) {
        const verdict = checkKey(history)
        if (verdict.linearizable !== true) faults.push(explain(history, verdict))
        keys++
      }
      const client = this.#senders[0]?.[0]?.client
      if (client !== undefined) faults.push(...(await recorder.versionFaults(client)))
    }
    if (faults.length > 0) throw new Error(`${faults.length} faults in ${keys} keys:\n${faults.join('\n\n')}`)
    const operations = this.recorders.flatMap((recorder) => recorder.operations)
    const unknown = operations.filter(({ responded }) => responded === Infinity).length
    const tries = this.recorders.reduce((sum, recorder) => sum + recorder.tries, 0)
    const slowest = Math.max(...this.recorders.map(({ slowestMs }) => slowestMs))
    return `${operations.length} operations on ${keys} keys are linearizable, ${unknown} of unknown outcome; ${tries} tries, the slowest request took ${Math.round(slowest)} ms`
  }

  /** What failed beyond the retries of the SDK, for people. @param excused for what was asked while nobody could have answered */
  failures(excused: (failure: Failure) => boolean = () => false): string[] {
    const failures = this.recorders.flatMap((recorder) => recorder.failures).filter((one) => !excused(one))
    return failures.map(({ what, invoked, responded, tries, error }) => {
      const took = Math.round(responded - invoked)
      return `${what}: ${String(error)} after ${tries} tries in ${took} ms`
    })
  }

  async #client(senders: readonly Sender[], chance: Chance): Promise<void> {
    try {
      while (!this.#stopping) {
        await this.#request(chance.pick(senders), chance)
        this.#done++
        this.#advanced()
      }
    } catch (error) {
      this.#stopping = true
      throw error
    }
  }

  async #request(from: Sender, chance: Chance): Promise<void> {
    const recorder = this.#recorder(chance)
    const key = chance.pick(recorder.keys)
    const seen = recorder.lastSeen.get(key)
    const kind = chance.next()
    if (kind < 0.3) await recorder.get(from, key)
    else if (kind < 0.45) await recorder.head(from, key)
    else if (kind < 0.7) await recorder.put(from, key, this.#content(chance))
    else if (kind < 0.77) await recorder.put(from, key, this.#content(chance), { ifNoneMatch: '*' })
    else if (kind < 0.84) {
      const condition = seen === undefined ? undefined : { ifMatch: seen }
      await recorder.put(from, key, this.#content(chance), condition)
    } else if (kind < 0.91) await recorder.remove(from, key)
    else if (kind < 0.94) await recorder.remove(from, key, seen)
    else if (kind < 0.985) await recorder.list(from, key.slice(0, key.indexOf('/') + 1), PAGE_KEYS)
    else await recorder.list(from, '', 10 * PAGE_KEYS)
  }

  #recorder(chance: Chance): Recorder {
    const { buckets } = this.#options
    const shares = buckets.reduce((sum, { share }) => sum + share, 0)
    let at = chance.next() * shares
    const index = buckets.findIndex(({ share }) => (at -= share) < 0)
    return this.recorders[index] ?? chance.pick(this.recorders)
  }

  /** Nothing that was ever written before. */
  #content(chance: Chance): string {
    const name = `${this.#options.seed}/${++this.#written} `
    return name.repeat(Math.ceil(chance.pick(SIZES) / name.length))
  }

  #advanced(): void {
    for (const check of this.#waiting) check()
  }

  async #until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const check = (): void => {
      if (condition()) resolve(undefined)
    }
    this.#waiting.add(check)
    check()
    await promise
    this.#waiting.delete(check)
  }
}
