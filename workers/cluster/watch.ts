/** Background work's look at the cluster. */

import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { ClusterWatch } from '../../store/cluster/cluster-watch.ts'
import { WorkView } from './view.ts'

export interface WorkWatchOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export class WorkWatch extends ClusterWatch<WorkView> {
  constructor(options: WorkWatchOptions) {
    super({ ...options, see: (map, nodes, known) => new WorkView(map, nodes, known) })
  }
}
