import { BACKUP_PROGRESS_MS } from '../../core/limits.ts'
import { formatBytes } from '../format.ts'
import type { World } from '../world.ts'

/** Says now and then on stderr how far long work is. Nothing is said of what is short. */
export class Progress {
  readonly #world: World
  #saidAt: number

  constructor(world: World) {
    this.#world = world
    this.#saidAt = world.clock.monotonicMs()
  }

  /** @param line made only when it is time for one */
  say(line: () => string): void {
    const now = this.#world.clock.monotonicMs()
    if (now - this.#saidAt < BACKUP_PROGRESS_MS) return
    this.#saidAt = now
    this.#world.err(`${line()}\n`)
  }

  /** For work over a file. */
  of(what: string): (bytes: number, of: number) => void {
    return (bytes, of) => {
      this.say(() => `${what}: ${formatBytes(bytes)} of ${formatBytes(of)}`)
    }
  }
}
