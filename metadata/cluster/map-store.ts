import { clusterMapKey } from '../../core/keyspace/keys.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { freeze } from '../freeze.ts'
import type { Partition } from '../partition/partition.ts'
import { clusterMapKind, encodeRecord } from '../records.ts'

/** The cluster map in the root, which only its owner changes. */
export class MapStore {
  readonly #root: Partition
  /** Frozen. */
  #map: ClusterMap

  private constructor(root: Partition, map: ClusterMap) {
    this.#root = root
    this.#map = map
  }

  /** Reads the map, or keeps the first one of a new cluster. @throws {NewerFormatError} */
  static async open(root: Partition, first: () => ClusterMap): Promise<MapStore> {
    const found = await root.read(clusterMapKind, clusterMapKey)
    if (found !== undefined) return new MapStore(root, freeze(found))
    const store = new MapStore(root, first())
    await store.replace(store.map)
    return store
  }

  get map(): ClusterMap {
    return this.#map
  }

  /**
   * Puts `next` in the place of the present map; when it resolves, that is durable.
   * @throws {MetadataError} NOT_MINE when another process has the root, UNAVAILABLE when the outcome is unknown: then the root is
   *   opened anew before anything else is changed
   */
  async replace(next: ClusterMap): Promise<void> {
    this.#root.enqueue({ puts: [{ key: clusterMapKey, value: encodeRecord(clusterMapKind, next) }] })
    await this.#root.settled()
    this.#map = freeze(next)
  }
}
