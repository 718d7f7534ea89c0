import type { Log } from '../../runtime/ports/log.ts'
import type { Shutdown } from '../../runtime/shutdown/shutdown.ts'
import type { World } from '../world.ts'

/** What a service is opened with. What it opens, it adds to `shutdown`. */
export interface ServiceWorld extends World {
  readonly log: Log
  readonly shutdown: Shutdown
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal
}
