import { create } from '@bufbuild/protobuf'
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  type Metadata,
  status,
} from '@grpc/grpc-js'
import { ETCD_CONNECT_MS } from '../../../core/limits.ts'
import { Maintenance, StatusRequestSchema } from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { connectFailureOf, EtcdError, kindOf } from './errors.ts'
import { channelOptions, type Method, methodOf } from './rpc.ts'

const statusMethod = methodOf(Maintenance.method.status)

/** The connection to one member of the ensemble, which is made when it is first needed. */
export class Member {
  readonly endpoint: string
  readonly #client: Client
  readonly #clock: Clock

  constructor(endpoint: string, credentials: ChannelCredentials, clock: Clock) {
    this.endpoint = endpoint
    this.#client = new Client(endpoint, credentials, channelOptions)
    this.#clock = clock
  }

  /** One request, sent once at most. @throws {EtcdError} */
  async attempt<I, O>(method: Method<I, O>, request: I, metadata: Metadata, timeoutMs: number): Promise<O> {
    await this.#ready()
    const answer = Promise.withResolvers<O>()
    const call = this.#client.makeUnaryRequest<I, O>(
      method.path,
      method.write,
      method.read,
      request,
      metadata,
      (error, value) => {
        if (error === null && value !== undefined) answer.resolve(value)
        else answer.reject(this.#errorOf(error))
      },
    )
    const stop = this.#clock.after(timeoutMs, () => {
      answer.reject(this.#error(`no answer in ${timeoutMs} ms`, status.DEADLINE_EXCEEDED, 'unknown'))
      call.cancel()
    })
    try {
      return await answer.promise
    } finally {
      stop()
    }
  }

  /** @throws {EtcdError} `unsent` */
  async stream<I, O>(method: Method<I, O>, metadata: Metadata): Promise<ClientDuplexStream<I, O>> {
    await this.#ready()
    return this.#client.makeBidiStreamRequest<I, O>(method.path, method.write, method.read, metadata)
  }

  /** The answer to the one request of a stream. @throws {EtcdError} */
  async ask<I, O>(method: Method<I, O>, request: I, metadata: Metadata, timeoutMs: number): Promise<O> {
    const stream = await this.stream(method, metadata)
    const answer = Promise.withResolvers<O>()
    stream.once('data', (value: O) => {
      answer.resolve(value)
    })
    stream.on('error', (error: unknown) => {
      answer.reject(this.#errorOf(error))
    })
    stream.once('end', () => {
      answer.reject(this.#error('the stream ended', status.UNAVAILABLE, 'unknown'))
    })
    const stop = this.#clock.after(timeoutMs, () => {
      answer.reject(this.#error(`no answer in ${timeoutMs} ms`, status.DEADLINE_EXCEEDED, 'unknown'))
    })
    try {
      stream.write(request)
      return await answer.promise
    } finally {
      stop()
      stream.cancel()
    }
  }

  close(): void {
    this.#client.close()
  }

  /** A request that is handed to a channel which is not connected could go out at any time, or never. */
  async #ready(): Promise<void> {
    const channel = this.#client.getChannel()
    if (channel.getConnectivityState(true) === connectivityState.READY) return
    const done = new AbortController()
    let late = false
    // A sleep, since it keeps the process alive: a connection that is being made does not.
    const timeout = this.#clock.sleep(ETCD_CONNECT_MS, done.signal).then(
      () => {
        late = true
      },
      () => undefined,
    )
    try {
      for (;;) {
        const state = channel.getConnectivityState(true)
        if (state === connectivityState.READY) return
        if (late || state === connectivityState.SHUTDOWN) {
          throw this.#error('no connection', status.UNAVAILABLE, 'unsent')
        }
        if (state === connectivityState.TRANSIENT_FAILURE) {
          const why = await this.#whyUnconnected(timeout)
          throw this.#error(`no connection${why === '' ? '' : `: ${why}`}`, status.UNAVAILABLE, 'unsent')
        }
        const changed = Promise.withResolvers<undefined>()
        channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
          changed.resolve(undefined)
        })
        await Promise.race([changed.promise, timeout])
      }
    } finally {
      done.abort()
    }
  }

  /** Why the last attempt to connect failed: told to a request that changes nothing, and that no connection takes. */
  async #whyUnconnected(timeout: Promise<void>): Promise<string> {
    const answer = Promise.withResolvers<string>()
    const { path, write, read } = statusMethod
    const call = this.#client.makeUnaryRequest(path, write, read, create(StatusRequestSchema), (error) => {
      answer.resolve(error === null ? '' : connectFailureOf(error.details))
    })
    const why = await Promise.race([answer.promise, timeout.then(() => '')])
    call.cancel()
    return why
  }

  #errorOf(error: unknown): EtcdError {
    const code = error instanceof Error && 'code' in error ? Number(error.code) : status.UNKNOWN
    const details =
      error instanceof Error && 'details' in error ? String(error.details) : 'an answer without content'
    return this.#error(details, code, kindOf(code, details))
  }

  #error(message: string, code: status, kind: EtcdError['kind']): EtcdError {
    return new EtcdError(`etcd at ${this.endpoint}: ${message}`, code, kind)
  }
}
