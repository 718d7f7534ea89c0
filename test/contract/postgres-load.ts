import assert from 'node:assert/strict'
import { type Engine, FencedError } from '../../metadata/engine/engine.ts'
import { entry, utf8 } from '../servers/postgres-engine.ts'

export const FENCE = utf8('fence')
export const WRITERS = 6

/** Everything that a {@link Load} has written. */
export async function valuesOf(engine: Engine): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (let gte = utf8('w'); ;) {
    const entries = await engine.scan({ gte, lt: utf8('x'), limit: 1000 })
    for (const { key, value } of entries) {
      found.set(Buffer.from(key).toString(), Buffer.from(value).toString())
    }
    const last = entries.at(-1)
    if (last === undefined) return found
    gte = new Uint8Array([...last.key, 0])
  }
}

/** Commits one key after another under the fence, each writer one at a time, and keeps what became of each. */
export class Load {
  readonly acknowledged = new Map<string, string>()
  readonly unknown: string[] = []
  readonly #engine: Engine
  readonly #token: Uint8Array
  readonly #writers: Promise<void>[]
  #waiting: { size: number; reached: () => void }[] = []
  #stopped = false

  constructor(engine: Engine, token: Uint8Array) {
    this.#engine = engine
    this.#token = token
    this.#writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer))
  }

  /** Resolves when so many more are acknowledged. */
  async more(commits: number): Promise<void> {
    const size = this.acknowledged.size + commits
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#waiting.push({ size, reached: () => resolve(undefined) })
    await promise
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting = []
    await Promise.all(this.#writers)
  }

  async #write(writer: number): Promise<void> {
    const fence = { key: FENCE, token: this.#token }
    for (let round = 0; !this.#stopped; round++) {
      const put = entry(`w${writer}-${round}`, `v${round}`)
      const key = Buffer.from(put.key).toString()
      try {
        await this.#engine.commit({ fence, puts: [put], deletes: [] })
        this.acknowledged.set(key, `v${round}`)
      } catch (error) {
        // Nobody else owns it; whether it was written, nobody can tell.
        assert.ok(!(error instanceof FencedError))
        this.unknown.push(key)
      }
      const reached = this.#waiting.filter(({ size }) => size <= this.acknowledged.size)
      this.#waiting = this.#waiting.filter((one) => !reached.includes(one))
      for (const one of reached) one.reached()
    }
  }
}
