import type { MetadataApi } from '../../proto/metadata-api.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { splitAddresses } from '../../runtime/config/fields.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import { RoutedMetadata } from '../../runtime/metadata-client/routed.ts'
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

/**
 * Metadata over the network, all processes of it. Connects when it is first asked something.
 * @param addresses `host:port`, or several with commas between; any one of them leads to all processes
 */
export function connectMetadata(
  addresses: string,
  secret: string,
  ports: ConnectionPorts,
): MetadataConnection {
  return routed(splitAddresses(addresses), undefined, secret, ports)
}

/** Metadata of which one process is this one: what others own is asked of them over the network. */
export function routeMetadata(
  local: MetadataApi,
  secret: string,
  ports: ConnectionPorts,
): MetadataConnection {
  return routed([''], local, secret, ports)
}

/** @param local who answers at the empty address */
function routed(
  addresses: readonly string[],
  local: MetadataApi | undefined,
  secret: string,
  { clock, random, log = silentLog }: ConnectionPorts,
): MetadataConnection {
  const client = new RoutedMetadata({
    seeds: addresses.map((address) => ({ id: '', address })),
    connect: ({ address }) =>
      address === '' && local !== undefined
        ? local
        : new GrpcMetadata({ address, secret, clock, random, log, nextTurn }),
    clock,
    random,
  })
  return { api: client, close: () => client.close() }
}
