import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import { ShardError, type ShardService, type ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import { FrameError, type FrameType } from '../rpc/frames.ts'
import * as messages from '../rpc/shard-messages.ts'
import { blocksOf, type Call, type Reply } from './client-connection.ts'
import { NodePool } from './node-pool.ts'

export interface NetworkShardTransportOptions {
  /** `host:port` of a node's shard server (IPv6 hosts in brackets); undefined while it is not known. */
  addressOf(node: string): string | undefined
  /** Takes whichever node is at an address: where nobody is left to say who is where. */
  readonly anyNode?: boolean
  readonly secret: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface NetworkShardTransport extends ShardTransport {
  /** Hangs up; calls in flight get `unavailable`. */
  close(): void
}

/** Reaches storage nodes that serve the shard protocol (serveShards). */
export function createNetworkShardTransport(options: NetworkShardTransportOptions): NetworkShardTransport {
  const pools = new Map<string, { readonly address: string; readonly pool: NodePool }>()
  let closed = false

  function poolOf(node: string): NodePool | undefined {
    const address = closed ? undefined : options.addressOf(node)
    const known = pools.get(node)
    if (known?.address === address) return known?.pool
    // It moved: what is in flight to the old address has nobody to answer it.
    known?.pool.close()
    pools.delete(node)
    const match = /^\[?([^[\]]+)\]?:(\d{1,5})$/.exec(address ?? '')
    if (address === undefined || match === null) return undefined
    const pool = new NodePool(
      { ...options, node: options.anyNode === true ? messages.ANY_NODE : node },
      match[1] ?? '',
      Number(match[2]),
    )
    pools.set(node, { address, pool })
    return pool
  }

  return {
    node: (id) => serviceOver(() => poolOf(id), id),
    close() {
      closed = true
      for (const { pool } of pools.values()) pool.close()
      pools.clear()
    },
  }
}

function serviceOver(poolOf: () => NodePool | undefined, node: string): ShardService {
  function call<T>(
    request: Pick<Call, 'bytes' | 'head' | 'data'> & { readonly expect: FrameType },
    signal: AbortSignal | undefined,
    read: (reply: Reply) => T,
  ): Promise<T> {
    if (signal?.aborted === true) return Promise.reject(new ShardError('aborted', 'the caller gave up'))
    const pool = poolOf()
    if (pool === undefined) {
      return Promise.reject(new ShardError('unavailable', `no address of storage node ${node}`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const started: Call = {
      bytes: request.bytes,
      head: (id, known) => request.head(id, known),
      ...(request.data === undefined ? {} : { data: request.data }),
      settle(reply) {
        try {
          if (reply.type === 'error') throw messages.failure.decode(reply.payload)
          if (reply.type !== request.expect) throw new FrameError(`${reply.type} in answer`)
          resolve(read(reply))
        } catch (error) {
          reject(error instanceof ShardError ? error : new ShardError('unavailable', String(error)))
        }
      },
      fail: reject,
    }
    const giveUp = pool.start(started)
    if (signal === undefined) return promise
    const abort = (): void => {
      giveUp(new ShardError('aborted', 'the caller gave up'))
    }
    signal.addEventListener('abort', abort, { once: true })
    return promise.finally(() => {
      signal.removeEventListener('abort', abort)
    })
  }

  return {
    put(request, signal) {
      const { data } = request
      const bytes = data.byteLength
      if (bytes > SHARD_BYTES_MAX) {
        return Promise.reject(
          new ShardError('invalid', `a shard of ${bytes} bytes, at most ${SHARD_BYTES_MAX}`),
        )
      }
      const head = (id: number): Buffer => messages.put.encode(id, request)
      return call({ bytes, head, data, expect: 'done' }, signal, () => undefined)
    },
    get(request, signal) {
      const head: Call['head'] = (id, known) => messages.get.encode(id, request, known)
      return call({ bytes: messages.getBytes(request), head, expect: 'blocks' }, signal, blocksOf)
    },
    deleteBlob(group, blob, signal) {
      const head = (id: number): Buffer => messages.deleteBlob.encode(id, group, blob)
      return call({ bytes: 0, head, expect: 'deleted' }, signal, ({ payload }) =>
        messages.deleted.decode(payload),
      )
    },
    list(request, signal) {
      const head = (id: number): Buffer => messages.list.encode(id, request)
      return call({ bytes: 0, head, expect: 'shards' }, signal, ({ payload }) =>
        messages.shards.decode(payload),
      )
    },
    describe(addresses, signal) {
      const head = (id: number): Buffer => messages.describe.encode(id, addresses)
      return call({ bytes: 0, head, expect: 'descriptions' }, signal, ({ payload }) =>
        messages.descriptions.decode(payload),
      )
    },
    deleteShards(request, signal) {
      const head = (id: number): Buffer => messages.deleteShards.encode(id, request)
      return call({ bytes: 0, head, expect: 'deleted' }, signal, ({ payload }) =>
        messages.deleted.decode(payload),
      )
    },
    damaged(request, signal) {
      const head = (id: number): Buffer => messages.damaged.encode(id, request)
      return call({ bytes: 0, head, expect: 'damagedShards' }, signal, ({ payload }) =>
        messages.damagedShards.decode(payload),
      )
    },
    status(signal) {
      const read = ({ payload }: Reply): ReturnType<typeof messages.statusReply.decode> =>
        messages.statusReply.decode(payload)
      const head = (id: number): Buffer => messages.status.encode(id)
      return call({ bytes: 0, head, expect: 'statusReply' }, signal, read)
    },
  }
}
