import { isWithin, type KeyRange } from '../../core/keyspace/bytes.ts'
import type { EngineEntry } from '../engine/engine.ts'
import type { RecordSource } from '../structure/source.ts'
import { type BackupSource, type CheckedBackup, readChunks } from './format/reader.ts'

/** The records in a backup's file that was found to be whole. */
export class FileRecords implements RecordSource {
  readonly #source: BackupSource
  readonly #checked: CheckedBackup

  constructor(source: BackupSource, checked: CheckedBackup) {
    this.#source = source
    this.#checked = checked
  }

  get engines(): readonly string[] {
    return this.#checked.header.engines
  }

  async *pages(engine: number, space: number, range?: KeyRange): AsyncGenerator<readonly EngineEntry[]> {
    const start = this.#checked.spaces.find((one) => one.engine === engine && one.space === space)
    if (start === undefined) return
    for await (const chunk of readChunks(this.#source, start.at)) {
      if (chunk.engine !== engine || chunk.space !== space) return
      const { entries } = chunk
      const wanted = range === undefined ? entries : entries.filter(({ key }) => isWithin(range, key))
      if (wanted.length > 0) yield wanted
    }
  }
}
