import { STATUS_TIMEOUT_MS, STATUS_WATCH_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { ClusterView } from '../status/assess.ts'
import { lookAtCluster } from '../status/look.ts'

/** The cluster as it was last seen. */
export interface Seen {
  /** The last that metadata said; undefined while it has not been heard. */
  readonly view: ClusterView | undefined
  /** It answered when it was last asked. */
  readonly reachable: boolean
}

export interface ClusterWatch {
  seen(): Seen
  close(): Promise<void>
}

/** Looks at the cluster every STATUS_WATCH_MS, and keeps the last that was seen while metadata does not answer. */
export function watchCluster(metadata: MetadataApi, clock: Clock): ClusterWatch {
  const closing = new AbortController()
  let seen: Seen = { view: undefined, reachable: false }

  async function look(): Promise<void> {
    const late = new AbortController()
    const cancel = clock.after(STATUS_TIMEOUT_MS, () => {
      late.abort(new Error('metadata does not answer'))
    })
    try {
      const signal = AbortSignal.any([closing.signal, late.signal])
      seen = { view: await lookAtCluster(metadata, clock, signal), reachable: true }
    } catch {
      seen = { view: seen.view, reachable: false }
    } finally {
      cancel()
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await look()
      await clock.sleep(STATUS_WATCH_MS, closing.signal).catch(() => undefined)
    }
  }

  const running = run()
  return {
    seen: () => seen,
    async close() {
      closing.abort()
      await running
    },
  }
}
