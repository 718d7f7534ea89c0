import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { ReportLoadReply } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { poolOfGroup } from '../../core/placement/group.ts'
import type { BlobRules } from '../partition/blob-guard.ts'

/** Into which pools this process commits blobs: by the cluster map itself while it has the root, by what the coordinator told it else. */
export class PoolRules implements BlobRules {
  readonly #own: () => BlobRules | undefined
  #groups: ReadonlySet<number> | undefined
  #epoch = 0n
  #closed: readonly number[] = []

  constructor(own: () => BlobRules | undefined) {
    this.#own = own
  }

  /** Of the cluster map that this process goes by; 0: it has none yet. */
  get epoch(): bigint {
    return this.#epoch
  }

  get closedPools(): readonly number[] {
    return this.#closed
  }

  /** @throws {MetadataError} NOT_MINE while it has not been told */
  admits(group: number): boolean {
    const own = this.#own()
    if (own !== undefined) return own.admits(group)
    if (this.#groups === undefined) {
      throw new MetadataError(FailureCode.NOT_MINE, 'this process has not been told the cluster map yet')
    }
    return this.#groups.has(group) && !this.#closed.includes(poolOfGroup(group))
  }

  /** Told nothing, as at the start: the cluster map may have changed without this process. */
  forget(): void {
    this.#groups = undefined
    this.#epoch = 0n
    this.#closed = []
  }

  told({ map, closedPools }: ReportLoadReply): void {
    if (map !== undefined) this.#take(map)
    this.#closed = closedPools
  }

  #take(map: ClusterMap): void {
    this.#epoch = map.epoch
    this.#groups = new Set(map.pools.flatMap(({ groups }) => groups.map(({ id }) => id)))
  }
}
