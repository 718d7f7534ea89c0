import { compareUtf8 } from '../../core/keyspace/utf8.ts'

/** Versions as S3 defines them, the slow and plain way: the oracle of the version tests. */

export type Versioning = 'never' | 'enabled' | 'suspended'

export interface ModelVersion {
  /** As clients see it: `null`, or an id of its own. */
  readonly id: string
  /** Empty for a delete marker. */
  readonly etag: string
  readonly marker: boolean
  readonly blobs: readonly string[]
}

export interface VersionListRequest {
  readonly prefix: string
  readonly delimiter: string
  readonly limit: number
}

/** `key id`, then `*` for the latest and `-` for a delete marker; or `key` of a common prefix alone. */
export type VersionListEntry = string

export class VersionModel {
  versioning: Versioning = 'never'
  /** By key, the newest first. */
  readonly keys = new Map<string, ModelVersion[]>()
  readonly garbage = new Set<string>()

  versions(key: string): readonly ModelVersion[] {
    return this.keys.get(key) ?? []
  }

  current(key: string): ModelVersion | undefined {
    const [newest] = this.versions(key)
    return newest?.marker === false ? newest : undefined
  }

  find(key: string, id: string): ModelVersion | undefined {
    return this.versions(key).find((version) => version.id === id)
  }

  /** A new object or delete marker; in a bucket without versions a delete leaves nothing. */
  add(key: string, version: ModelVersion): void {
    if (version.id === 'null') this.remove(key, 'null')
    if (this.versioning === 'never' && version.marker) return
    this.keys.set(key, [version, ...this.versions(key)])
  }

  remove(key: string, id: string): void {
    const gone = this.find(key, id)
    if (gone === undefined) return
    for (const blob of gone.blobs) this.garbage.add(blob)
    const left = this.versions(key).filter((version) => version !== gone)
    if (left.length === 0) this.keys.delete(key)
    else this.keys.set(key, left)
  }

  objects(): string[] {
    return this.#sortedKeys().filter((key) => this.current(key) !== undefined)
  }

  /** The whole listing. */
  list({ prefix, delimiter }: Pick<VersionListRequest, 'prefix' | 'delimiter'>): VersionListEntry[] {
    const entries: VersionListEntry[] = []
    for (const key of this.#sortedKeys()) {
      if (!key.startsWith(prefix)) continue
      const at = delimiter === '' ? -1 : key.slice(prefix.length).indexOf(delimiter)
      if (at !== -1) {
        const group = key.slice(0, prefix.length + at + delimiter.length)
        if (entries.at(-1) !== group) entries.push(group)
        continue
      }
      for (const [index, { id, marker }] of this.versions(key).entries()) {
        entries.push(`${key} ${id}${index === 0 ? '*' : ''}${marker ? '-' : ''}`)
      }
    }
    return entries
  }

  #sortedKeys(): string[] {
    return [...this.keys.keys()].sort(compareUtf8)
  }
}
