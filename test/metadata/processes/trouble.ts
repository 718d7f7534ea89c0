import { BUCKET } from '../../contract/metadata-requests.ts'
import type { Chance } from '../../chaos/seeded.ts'
import { MetadataError } from '../../../proto/metadata-api.ts'
import type { Fault } from './process.ts'
import type { Requests } from './requests.ts'
import type { World } from './world.ts'

/** What is done to processes, and to partitions, as a seed has it. */
export class Trouble {
  readonly log: string[] = []
  readonly #world: World
  readonly #chance: Chance
  readonly #requests: Requests
  /** Work under way: what is about to be undone. */
  readonly #undo = new Set<Promise<unknown>>()
  /** Processes that end by themselves, and come back once: nothing else is done to them meanwhile. */
  readonly #closing = new Set<string>()

  constructor(world: World, chance: Chance, requests: Requests) {
    this.#world = world
    this.#chance = chance
    this.#requests = requests
  }

  /** Only changes of partitions: nothing is to fail. */
  async changes(forMs: number, everyMs: number): Promise<void> {
    await this.#repeat(forMs, everyMs, () => this.#changePartitions())
  }

  async all(forMs: number, everyMs: number): Promise<void> {
    await this.#repeat(forMs, everyMs, () =>
      this.#chance.next() < 0.5 ? this.#changePartitions() : this.#breakSomething(),
    )
  }

  /** All is well again, and whoever died is back. */
  async heal(): Promise<void> {
    await Promise.all(this.#undo)
  }

  async #repeat(forMs: number, everyMs: number, act: () => void): Promise<void> {
    const until = this.#world.clock.monotonicMs() + forMs
    while (this.#world.clock.monotonicMs() < until) {
      await this.#world.clock.sleep(everyMs * (0.3 + 1.4 * this.#chance.next()))
      act()
    }
  }

  #note(what: string): void {
    this.log.push(`${this.#world.clock.monotonicMs().toFixed(0)} ${what}`)
  }

  #changePartitions(): void {
    const { pick, next } = this.#chance
    const up = this.#world.ids.filter((id) => this.#world.isUp(id))
    if (up.length === 0) return
    const map = this.#world.map(pick(up))
    const id = Number(pick(map.partitions).id)
    const what = next()
    const api = this.#world.routed(4000)
    const key = `k${this.#chance.between(0, 9)}`
    const to = pick(this.#world.ids)
    const [name, done] =
      what < 0.35 && map.partitions.length < 8
        ? [`split ${id} at ${key}`, this.#requests.split(api, id, key, pick([BUCKET, BUCKET, 'versioned']))]
        : what < 0.65
          ? [`merge ${id}`, this.#requests.merge(api, id)]
          : what < 0.9
            ? [`move ${id} to ${to}`, this.#requests.move(api, id, to)]
            : [`move the root to ${to}`, this.#requests.move(api, 0, to)]
    this.#note(name)
    const noted = done.then(
      () => {
        this.#note(`${name}: done`)
      },
      (error: unknown) => {
        if (!(error instanceof MetadataError)) throw error
        this.#note(`${name}: ${error.message}`)
      },
    )
    this.#undo.add(noted)
  }

  #breakSomething(): void {
    const { pick, between, next } = this.#chance
    const up = this.#world.ids.filter((id) => this.#world.isUp(id) && !this.#closing.has(id))
    if (up.length === 0) return
    const id = pick(up)
    const process = this.#world.process(id)
    const ms = pick([between(50, 1000), between(1000, 7000)])
    const later = (undo: () => unknown): void => {
      this.#undo.add(this.#world.clock.sleep(ms).then(undo))
    }
    const what = next()
    if (what < 0.25) {
      this.#note(`pause ${id} for ${ms}`)
      process.pause()
      later(() => {
        process.resume()
      })
    } else if (what < 0.4) {
      this.#note(`kill ${id} for ${ms}`)
      this.#world.kill(id)
      later(() => this.#start(id))
    } else if (what < 0.5) {
      this.#note(`close ${id} for ${ms}`)
      this.#closing.add(id)
      const closed = this.#world.close(id).finally(() => this.#closing.delete(id))
      later(() => closed.then(() => this.#start(id)))
    } else if (what < 0.6) {
      this.#note(`cut ${id} off from the engine for ${ms}`)
      process.reachesEngine = false
      later(() => {
        process.reachesEngine = true
      })
    } else if (what < 0.7) {
      this.#note(`${id} hears late of the map for ${ms}`)
      process.watchDelayMs = 1500
      later(() => {
        process.watchDelayMs = 1
      })
    } else if (what < 0.8) {
      this.#note(`the engine is slow for ${id} for ${ms}`)
      process.engineDelay = () => this.#chance.next() * 150
      later(() => {
        process.engineDelay = () => 0
      })
    } else {
      const kind: Fault = pick(['before', 'after', 'late'])
      this.#note(`commits of ${id} fail ${kind} for ${ms}`)
      process.lateMs = between(1, 900)
      process.fault = () => (this.#chance.next() < 0.3 ? kind : 'none')
      later(() => {
        process.fault = () => 'none'
      })
    }
  }

  async #start(id: string): Promise<void> {
    for (;;) {
      try {
        await this.#world.start(id)
        this.#note(`${id} is back`)
        return
      } catch (error) {
        this.#note(`${id} did not start: ${String(error)}`)
        await this.#world.clock.sleep(500)
      }
    }
  }
}
