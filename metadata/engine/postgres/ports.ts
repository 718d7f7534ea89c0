import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'

/** What the engine needs of the world besides the sockets that the driver opens. */
export interface PostgresPorts {
  readonly clock: Clock
  readonly log: Log
  /** Content of a PEM file that the URL names. Not called where it names none. */
  readonly readFile: (path: string) => Promise<Uint8Array>
}
