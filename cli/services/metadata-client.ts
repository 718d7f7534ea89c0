import type { MetadataApi } from '../../proto/metadata-api.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'

export interface MetadataConnection {
  readonly api: MetadataApi
  readonly close: () => Promise<void>
}

export interface ConnectionPorts {
  readonly clock: Clock
  readonly random: Random
  /** Without it, nothing is said of a connection that comes and goes. */
  readonly log?: Log
}

/** Metadata over the network. Connects when it is first asked something. */
export function connectMetadata(address: string, secret: string, ports: ConnectionPorts): MetadataConnection {
  const { clock, random, log = silentLog } = ports
  const client = new GrpcMetadata({ address, secret, clock, random, log, nextTurn })
  return { api: client, close: () => client.close() }
}
