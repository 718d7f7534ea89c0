import { PEER_TIMEOUT_MS } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataMember } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import {
  type MetadataApi,
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** A way to one metadata process. */
export interface PeerConnection {
  readonly api: MetadataApi
  close(): Promise<void>
}

export type ConnectPeer = (member: MetadataMember) => PeerConnection

/** The other metadata processes, as this one asks them. */
export class Peers {
  readonly #connect: ConnectPeer
  readonly #find: (id: string) => MetadataMember | undefined
  readonly #clock: Clock
  readonly #connections = new Map<string, { address: string; connection: PeerConnection }>()

  constructor(connect: ConnectPeer, find: (id: string) => MetadataMember | undefined, clock: Clock) {
    this.#connect = connect
    this.#find = find
    this.#clock = clock
  }

  /** @throws {MetadataError} as the other answers, and UNAVAILABLE when it is not there or does not answer in time */
  async call<K extends MetadataOperation>(
    id: string,
    operation: K,
    request: MetadataRequestInit<K>,
    timeoutMs = PEER_TIMEOUT_MS,
  ): Promise<MetadataReply<K>> {
    const api = this.#reach(id)
    const giveUp = new AbortController()
    const cancel = this.#clock.after(timeoutMs, () => {
      giveUp.abort(unavailable(`metadata process ${id} does not answer`))
    })
    try {
      return await api.call(operation, request, giveUp.signal)
    } finally {
      cancel()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map(({ connection }) => connection.close()))
    this.#connections.clear()
  }

  #reach(id: string): MetadataApi {
    const member = this.#find(id)
    if (member === undefined) throw unavailable(`metadata process ${JSON.stringify(id)} is not there`)
    const known = this.#connections.get(id)
    if (known?.address === member.address) return known.connection.api
    if (known !== undefined) void known.connection.close()
    const connection = this.#connect(member)
    this.#connections.set(id, { address: member.address, connection })
    return connection.api
  }
}

function unavailable(message: string): MetadataError {
  return new MetadataError(FailureCode.UNAVAILABLE, message)
}
