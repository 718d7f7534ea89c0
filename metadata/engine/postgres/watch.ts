import { ENGINE_WATCH_MS } from '../../../core/limits.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { keyName } from '../key-name.ts'
import type { EngineBatch } from '../engine.ts'
import { KeyWatchers } from '../key-watchers.ts'

interface Watched {
  readonly key: Uint8Array
  watchers: number
  /** What was found last; undefined: not asked yet, null: there was no such key. */
  digest: string | null | undefined
}

/** Asks for all watched keys at once, by their names, and answers those that are there. */
type Ask = (keys: readonly Uint8Array[]) => Promise<ReadonlyMap<string, string>>

/**
 * Watches keys by asking for them every ENGINE_WATCH_MS, all in one query, and only while any are watched. A key's first
 * answer is always told of: it may have been written between the watcher's first look and that answer.
 */
export class WatchPoller {
  readonly #ask: Ask
  readonly #clock: Clock
  readonly #watchers = new KeyWatchers()
  readonly #watched = new Map<string, Watched>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(ask: Ask, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    const name = keyName(key)
    const watched = this.#watched.get(name) ?? { key: key.slice(), watchers: 0, digest: undefined }
    watched.watchers++
    watched.digest = undefined
    this.#watched.set(name, watched)
    const remove = this.#watchers.add(key, changed)
    if (this.#cancel === undefined) this.#schedule()
    let ended = false
    return () => {
      if (ended) return
      ended = true
      remove()
      if (--watched.watchers === 0) this.#watched.delete(name)
    }
  }

  /** This process has committed a batch. */
  committed(batch: Pick<EngineBatch, 'puts' | 'deletes'>): void {
    this.#watchers.committed(batch)
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#clock.after(ENGINE_WATCH_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const asked = [...this.#watched.entries()]
    if (asked.length === 0) {
      this.#cancel = undefined
      return
    }
    try {
      const before = asked.map(([, { digest }]) => digest)
      const found = await this.#ask(asked.map(([, { key }]) => key))
      for (const [index, [name, watched]] of asked.entries()) {
        const digest = found.get(name) ?? null
        // Somebody who began to watch meanwhile is told next time.
        if (watched.digest !== before[index]) continue
        watched.digest = digest
        if (digest !== before[index]) this.#watchers.committed({ puts: [], deletes: [watched.key] })
      }
    } catch {
      // The engine's own calls tell of a server that does not answer; what changed meanwhile is seen when it does.
    }
    this.#schedule()
  }
}
