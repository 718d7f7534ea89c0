import {
  SHARD_BACKOFF_MS_MAX,
  SHARD_BACKOFF_MS_MIN,
  SHARD_CONNECTIONS_PER_NODE,
  SHARD_WAITING_REQUESTS_MAX,
} from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Log } from '../ports/log.ts'
import { createClusterToken } from '../rpc/cluster-token.ts'
import { type Call, ClientConnection } from './client-connection.ts'

export interface PoolOptions {
  readonly node: string
  readonly secret: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A call that waits for a connection with room. */
interface Waiting {
  readonly call: Call
  giveUp: (error: ShardError) => void
}

/** Bytes on one connection at which another is opened. */
const BUSY_BYTES = 1024 * 1024

/** The connections to one node at one address: opened on demand, calls put where the least is in flight. */
export class NodePool {
  readonly #options: PoolOptions
  readonly #host: string
  readonly #port: number
  readonly #connections = new Set<ClientConnection>()
  readonly #waiting: Waiting[] = []
  #backoffMs = 0
  #retryAtMs = -Infinity
  #lastError = new ShardError('unavailable', 'not tried yet')
  #closed = false

  constructor(options: PoolOptions, host: string, port: number) {
    this.#options = options
    this.#host = host
    this.#port = port
  }

  /** Sends the call, at once or when there is room. The result gives it up. */
  start(call: Call): (error: ShardError) => void {
    const waiting: Waiting = {
      call,
      giveUp: (error) => {
        const at = this.#waiting.indexOf(waiting)
        if (at === -1) return
        this.#waiting.splice(at, 1)
        call.fail(error)
      },
    }
    if (this.#closed) call.fail(new ShardError('unavailable', 'closing'))
    else if (this.#waiting.length >= SHARD_WAITING_REQUESTS_MAX) {
      call.fail(
        new ShardError(
          'unavailable',
          `${this.#waiting.length} requests wait for ${this.#options.node} already`,
        ),
      )
    } else {
      this.#waiting.push(waiting)
      this.#dispatch()
    }
    return (error) => {
      waiting.giveUp(error)
    }
  }

  close(): void {
    this.#closed = true
    this.#refuseWaiting(new ShardError('unavailable', 'closing'))
    for (const connection of this.#connections) connection.close()
  }

  #dispatch(): void {
    // In order of arrival: a large call at the head is not overtaken until it starves.
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const connection = this.#leastBusy(first.call.bytes)
      if (connection === undefined) break
      this.#waiting.shift()
      try {
        first.giveUp = connection.start(first.call)
      } catch (error) {
        // What does not fit its field in the message.
        first.call.fail(error instanceof ShardError ? error : new ShardError('invalid', String(error)))
      }
    }
    this.#openIfNeeded()
  }

  #leastBusy(bytes: number): ClientConnection | undefined {
    let best: ClientConnection | undefined
    for (const connection of this.#connections) {
      if (!connection.hasRoom(bytes)) continue
      if (best === undefined || connection.bytes < best.bytes) best = connection
    }
    return best
  }

  #openIfNeeded(): void {
    const connections = [...this.#connections]
    const opening = connections.some((connection) => !connection.open)
    const busy = connections.every((connection) => connection.bytes >= BUSY_BYTES)
    const wanted = connections.length === 0 ? this.#waiting.length > 0 : busy
    if (this.#closed || opening || !wanted || connections.length >= SHARD_CONNECTIONS_PER_NODE) return
    const { clock, secret, random, node } = this.#options
    if (clock.monotonicMs() < this.#retryAtMs) {
      if (connections.length === 0) this.#refuseWaiting(this.#lastError)
      return
    }
    const connection: ClientConnection = new ClientConnection({
      host: this.#host,
      port: this.#port,
      node,
      token: createClusterToken(secret, clock, random),
      clock,
      changed: () => {
        this.#backoffMs = 0
        this.#dispatch()
      },
      closed: (error) => {
        this.#lost(connection, error)
      },
    })
    this.#connections.add(connection)
  }

  #lost(connection: ClientConnection, error: ShardError): void {
    const wasOpen = connection.wasOpen
    this.#connections.delete(connection)
    if (!this.#closed) this.#options.log.debug('lost a shard connection', { error: error.message })
    this.#lastError = error
    if (!wasOpen) {
      const doubled = Math.max(SHARD_BACKOFF_MS_MIN, 2 * this.#backoffMs)
      this.#backoffMs = Math.min(SHARD_BACKOFF_MS_MAX, doubled)
      // Spread over the second half, so that all gateways of a cluster do not come back together.
      const share = 0.5 + (this.#options.random.bytes(1)[0] ?? 0) / 512
      this.#retryAtMs = this.#options.clock.monotonicMs() + share * this.#backoffMs
    }
    if (this.#connections.size === 0 && !wasOpen) this.#refuseWaiting(error)
    else this.#dispatch()
  }

  #refuseWaiting(error: ShardError): void {
    for (const { call } of this.#waiting.splice(0)) call.fail(error)
  }
}
