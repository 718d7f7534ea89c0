import { clusterMapKey } from '../../core/keyspace/keys.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { type Engine, FencedError } from '../engine/engine.ts'
import { freeze } from '../freeze.ts'
import { clusterMapKind, decodeRecord, encodeRecord } from '../records.ts'

interface Kept {
  /** Frozen. */
  readonly map: ClusterMap
  /** What the engine holds. */
  readonly bytes: Uint8Array
}

/**
 * The cluster map in the engine. A map is put in the place of exactly the one that it was made from, so that no change is
 * lost and no epoch is given twice, whoever else writes.
 */
export class MapStore {
  readonly #engine: Engine
  #kept: Kept
  /** A write failed, and may have been made all the same. */
  #unsure = false

  private constructor(engine: Engine, kept: Kept) {
    this.#engine = engine
    this.#kept = kept
  }

  /** Reads the map, or keeps the first one of a new cluster. @throws {NewerFormatError} */
  static async open(engine: Engine, first: () => ClusterMap): Promise<MapStore> {
    return new MapStore(engine, (await readMap(engine)) ?? (await makeMap(engine, first())))
  }

  get map(): ClusterMap {
    return this.#kept.map
  }

  /** Reads it again if it is not certain what the engine holds. */
  async refresh(): Promise<void> {
    if (!this.#unsure) return
    this.#kept = (await readMap(this.#engine)) ?? this.#kept
    this.#unsure = false
  }

  /**
   * Puts `next` in the place of the present map; when it resolves, that is durable.
   * @throws {MetadataError} STALE_EPOCH when somebody else has changed it, UNAVAILABLE when the outcome is unknown
   */
  async replace(next: ClusterMap): Promise<void> {
    const bytes = encodeRecord(clusterMapKind, next)
    try {
      await this.#engine.commit({
        fence: { key: clusterMapKey, token: this.#kept.bytes },
        puts: [{ key: clusterMapKey, value: bytes }],
        deletes: [],
      })
    } catch (error) {
      this.#unsure = true
      if (error instanceof FencedError) {
        await this.refresh()
        throw new MetadataError(
          FailureCode.STALE_EPOCH,
          'another process has changed the cluster map meanwhile',
        )
      }
      const message = 'the cluster map could not be written; whether it changed is not known'
      throw new MetadataError(FailureCode.UNAVAILABLE, message, {}, { cause: error })
    }
    this.#kept = { map: freeze(next), bytes }
  }
}

async function readMap(engine: Engine): Promise<Kept | undefined> {
  const bytes = await engine.get(clusterMapKey)
  return bytes === undefined ? undefined : { map: freeze(decodeRecord(clusterMapKind, bytes)), bytes }
}

async function makeMap(engine: Engine, map: ClusterMap): Promise<Kept> {
  const bytes = encodeRecord(clusterMapKind, map)
  const put = { key: clusterMapKey, value: bytes }
  try {
    await engine.commit({ fence: { key: clusterMapKey, token: undefined }, puts: [put], deletes: [] })
    return { map: freeze(map), bytes }
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    // Another process made it in between: that one counts.
    const made = await readMap(engine)
    if (made === undefined) throw error
    return made
  }
}
