import { create } from '@bufbuild/protobuf'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { ENGINE_WATCH_MS, ETCD_RETRY_MS_MAX, ETCD_WATCH_SILENCE_MS } from '../../../core/limits.ts'
import {
  RangeRequestSchema,
  Watch,
  WatchCancelRequestSchema,
  WatchCreateRequestSchema,
  WatchProgressRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import { keyName } from '../key-name.ts'
import type { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import { rangeMethod } from './requests.ts'
import { methodOf } from './rpc.ts'

const watchMethod = methodOf(Watch.method.watch)

interface Watched {
  readonly id: bigint
  readonly key: Uint8Array
  readonly watchers: Set<() => void>
}

type Stream = ClientDuplexStream<WatchRequest, WatchResponse>

/**
 * Keys that others may write, watched over one stream to one member. When the stream ends, is silent or the member has no leader,
 * the next member is asked; once it watches a key, everyone who waits for that key is told, for what happened in between.
 * While a member stands still, news are up to ETCD_WATCH_SILENCE_MS late.
 */
export class Watches {
  readonly #members: Members
  readonly #keys: EtcdKeys
  readonly #clock: Clock
  readonly #log: Log
  readonly #byName = new Map<string, Watched>()
  readonly #byId = new Map<bigint, Watched>()
  readonly #closing = new AbortController()
  #lastId = 0n
  #stream: Stream | undefined
  /** When the stream last said something, or began to be asked. */
  #heardAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(members: Members, keys: EtcdKeys, clock: Clock, log: Log) {
    this.#members = members
    this.#keys = keys
    this.#clock = clock
    this.#log = log
  }

  add(key: Uint8Array, changed: () => void): () => void {
    const name = keyName(key)
    const watcher = (): void => {
      changed()
    }
    const watched = this.#byName.get(name) ?? this.#create(name, key)
    watched.watchers.add(watcher)
    this.#running ??= this.#run()
    return () => {
      watched.watchers.delete(watcher)
      if (watched.watchers.size > 0 || !this.#byId.delete(watched.id)) return
      this.#byName.delete(name)
      this.#stream?.write(cancelOf(watched))
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#stream?.cancel()
    await this.#running
  }

  #create(name: string, key: Uint8Array): Watched {
    const watched = { id: ++this.#lastId, key: key.slice(), watchers: new Set<() => void>() }
    this.#byName.set(name, watched)
    this.#byId.set(watched.id, watched)
    this.#heardAt = this.#clock.monotonicMs()
    this.#stream?.write(this.#createOf(watched))
    return watched
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const from = this.#clock.monotonicMs()
      try {
        // Finds a member that serves, and makes the user's token good: a stream says little of why it ends.
        const nothing = create(RangeRequestSchema, { key: this.#keys.nothing, countOnly: true })
        await this.#members.call(rangeMethod, nothing)
        const { stream, leave } = await this.#members.stream(watchMethod)
        await this.#follow(stream)
        leave()
      } catch (error) {
        this.#log.info('etcd: no stream of watched keys', { error })
      }
      const soon = this.#clock.monotonicMs() - from < ETCD_RETRY_MS_MAX
      if (soon && !this.#closing.signal.aborted) await this.#clock.sleep(ETCD_RETRY_MS_MAX)
    }
  }

  /** Until the stream ends. */
  async #follow(stream: Stream): Promise<void> {
    const ended = Promise.withResolvers<undefined>()
    this.#heardAt = this.#clock.monotonicMs()
    stream.on('data', (response: WatchResponse) => {
      this.#heardAt = this.#clock.monotonicMs()
      this.#took(response, stream)
    })
    stream.on('error', (error: unknown) => {
      if (!this.#closing.signal.aborted) this.#log.info('etcd: the stream of watched keys broke', { error })
      ended.resolve(undefined)
    })
    stream.on('end', () => {
      ended.resolve(undefined)
    })
    let stopAsking = (): void => undefined
    const ask = (): void => {
      const silentMs = this.#clock.monotonicMs() - this.#heardAt
      // Where nothing is watched etcd from 3.5 on has nothing to say.
      if (this.#byId.size > 0 && silentMs >= ETCD_WATCH_SILENCE_MS) {
        stream.cancel()
        ended.resolve(undefined)
        return
      }
      stream.write(progressRequest)
      stopAsking = this.#clock.after(ENGINE_WATCH_MS, ask)
    }
    this.#stream = stream
    for (const watched of this.#byId.values()) stream.write(this.#createOf(watched))
    ask()
    if (this.#closing.signal.aborted) stream.cancel()
    await ended.promise
    stopAsking()
    this.#stream = undefined
  }

  #took({ watchId, created, canceled, events }: WatchResponse, stream: Stream): void {
    const watched = this.#byId.get(watchId)
    if (watched === undefined) return
    if (canceled) stream.cancel()
    if (created || events.length > 0) for (const watcher of watched.watchers) watcher()
  }

  #createOf({ id, key }: Watched): WatchRequest {
    const value = create(WatchCreateRequestSchema, { key: this.#keys.data(key), watchId: id })
    return create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value } })
  }
}

const progressRequest = create(WatchRequestSchema, {
  requestUnion: { case: 'progressRequest', value: create(WatchProgressRequestSchema) },
})

function cancelOf({ id }: Watched): WatchRequest {
  const value = create(WatchCancelRequestSchema, { watchId: id })
  return create(WatchRequestSchema, { requestUnion: { case: 'cancelRequest', value } })
}
