import type { KeyRange } from '../../core/keyspace/bytes.ts'
import type { EngineEntry } from '../engine/engine.ts'

/** All records of a cluster as they were at one moment: a backup's file, or a snapshot of running engines. */
export interface RecordSource {
  /** Ids of the engines, that with the cluster's own records first. */
  readonly engines: readonly string[]
  /**
   * The entries of one space of an engine in a range, in order of key, in pages that are not empty. Several are read side by side.
   * @param range of that space; absent: all of it
   */
  pages(engine: number, space: number, range?: KeyRange): AsyncGenerator<readonly EngineEntry[]>
}
