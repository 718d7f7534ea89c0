/** The outboxes that there are: every partition has its own, and those of partitions that were merged into it. */

import { OUTBOX_LIST_MS } from '../core/limits.ts'
import type { PartitionMap } from '../proto/gen/ashlar/v1/partitions_pb.js'
import { askMetadata, type WorkContext } from './blob/context.ts'

export class Outboxes {
  readonly #context: Pick<WorkContext, 'metadata' | 'clock'>
  #map: PartitionMap | undefined
  #ids: readonly bigint[] = []
  /** Monotonic milliseconds. */
  #lookAtMs = Number.NEGATIVE_INFINITY

  constructor(context: Pick<WorkContext, 'metadata' | 'clock'>) {
    this.#context = context
  }

  /** Their ids, in the order of the partitions, as they were a moment ago. @throws what metadata throws, or the signal's reason */
  async list(signal: AbortSignal): Promise<readonly bigint[]> {
    const { clock } = this.#context
    if (clock.monotonicMs() < this.#lookAtMs) return this.#ids
    const knownVersion = this.#map?.version ?? 0n
    const { map } = await askMetadata(this.#context, signal, 'getPartitions', { knownVersion })
    if (map !== undefined) {
      this.#map = map
      this.#ids = map.partitions.flatMap(({ outboxes }) => outboxes)
    }
    this.#lookAtMs = clock.monotonicMs() + OUTBOX_LIST_MS
    return this.#ids
  }
}
