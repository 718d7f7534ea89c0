/** The cluster as the store sees it. */

import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { StoreError, type StoreErrorCode } from '../api.ts'
import { ClusterWatch } from './cluster-watch.ts'
import { ClusterSnapshot } from './snapshot.ts'

export interface ClusterViewOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export class ClusterView extends ClusterWatch<ClusterSnapshot> {
  constructor(options: ClusterViewOptions) {
    super({ ...options, see: (map, nodes, known) => new ClusterSnapshot(map, nodes, known) })
  }

  /** The last look, waiting for the first. @throws {StoreError} of that code when there is none in time */
  async ready(code: StoreErrorCode): Promise<ClusterSnapshot> {
    const look = await this.soon()
    if (look === undefined) {
      throw new StoreError(code, 'the cluster map cannot be had: metadata is out of reach')
    }
    return look
  }
}
