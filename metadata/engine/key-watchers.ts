import { keyName } from './key-name.ts'
import type { EngineBatch } from './engine.ts'

/** Those who watch keys of an engine, told of the batches that this process commits. */
export class KeyWatchers {
  readonly #watchers = new Map<string, Set<() => void>>()

  add(key: Uint8Array, changed: () => void): () => void {
    const name = keyName(key)
    const watcher = (): void => {
      changed()
    }
    const watchers = this.#watchers.get(name) ?? new Set()
    watchers.add(watcher)
    this.#watchers.set(name, watchers)
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#watchers.get(name) === watchers) this.#watchers.delete(name)
    }
  }

  /** The batch has become durable. */
  committed({ puts, deletes }: Pick<EngineBatch, 'puts' | 'deletes'>): void {
    if (this.#watchers.size === 0) return
    for (const { key } of puts) this.#tell(key)
    for (const key of deletes) this.#tell(key)
  }

  #tell(key: Uint8Array): void {
    for (const watcher of this.#watchers.get(keyName(key)) ?? []) watcher()
  }
}
