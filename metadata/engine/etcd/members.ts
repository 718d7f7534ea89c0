import { create } from '@bufbuild/protobuf'
import { type ChannelCredentials, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js'
import { ETCD_ATTEMPT_MS, ETCD_CALL_MS, ETCD_RETRY_MS_MAX, ETCD_RETRY_MS_MIN } from '../../../core/limits.ts'
import { Auth, AuthenticateRequestSchema } from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Random } from '../../../runtime/ports/random.ts'
import { EtcdError } from './errors.ts'
import { Member } from './member.ts'
import { type Method, methodOf } from './rpc.ts'
import type { EtcdConfig } from './url.ts'

const authenticate = methodOf(Auth.method.authenticate)

interface CallOptions {
  /** Called when an attempt may have been carried out, or may be later, and another follows or none does. */
  readonly onUnknown?: () => void
  /** Called before each attempt is sent. */
  readonly onAttempt?: () => void
}

/**
 * The members of one ensemble. One of them is used at a time; whoever fails, is slow or has no leader is left for the next.
 * Every request says `hasleader`, so that a member that is cut off from the others refuses it at once.
 *
 * Everything is tried again at the next member until ETCD_CALL_MS have passed, unless the answer is final. So what is called
 * through here must do no harm when it is carried out twice, and some time after it was sent.
 */
export class Members {
  readonly #members: readonly Member[]
  readonly #clock: Clock
  readonly #credentials: { readonly user: string; readonly password: string } | undefined
  #current: number
  #token: string | undefined
  #authenticating: Promise<void> | undefined

  constructor(config: EtcdConfig, credentials: ChannelCredentials, clock: Clock, random: Random) {
    this.#members = config.endpoints.map((endpoint) => new Member(endpoint, credentials, clock))
    this.#clock = clock
    const { user, password } = config
    this.#credentials = user === undefined || password === undefined ? undefined : { user, password }
    // Several processes begin at different members.
    this.#current = (random.bytes(1)[0] ?? 0) % this.#members.length
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ endpoint }) => endpoint)
  }

  /** @throws {EtcdError} final, or the last one after ETCD_CALL_MS */
  call<I, O>(method: Method<I, O>, request: I, options: CallOptions = {}): Promise<O> {
    return this.#try(
      (member, timeoutMs) =>
        this.#at(member, (metadata) => member.attempt(method, request, metadata, timeoutMs)),
      options,
    )
  }

  /** As {@link call}, for a method that is a stream but is asked once. */
  ask<I, O>(method: Method<I, O>, request: I, options: CallOptions = {}): Promise<O> {
    return this.#try(
      (member, timeoutMs) => this.#at(member, (metadata) => member.ask(method, request, metadata, timeoutMs)),
      options,
    )
  }

  /** One attempt at a certain member. @throws {EtcdError} */
  callAt<I, O>(endpoint: string, method: Method<I, O>, request: I, timeoutMs = ETCD_ATTEMPT_MS): Promise<O> {
    const member = this.#members.find((one) => one.endpoint === endpoint)
    if (member === undefined) throw new RangeError(`no member ${endpoint}`)
    return this.#at(member, (metadata) => member.attempt(method, request, metadata, timeoutMs))
  }

  /** A stream to the member in use; `leave` when it fails. @throws {EtcdError} */
  async stream<I, O>(method: Method<I, O>): Promise<{ stream: ClientDuplexStream<I, O>; leave: () => void }> {
    const member = this.#member()
    const leave = (): void => {
      this.#leave(member)
    }
    try {
      return { stream: await this.#at(member, (metadata) => member.stream(method, metadata)), leave }
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Uses another member from now on, if this one is in use. */
  leave(endpoint: string): void {
    const member = this.#members.find((one) => one.endpoint === endpoint)
    if (member !== undefined) this.#leave(member)
  }

  close(): void {
    for (const member of this.#members) member.close()
  }

  async #try<O>(
    attempt: (member: Member, timeoutMs: number) => Promise<O>,
    { onUnknown, onAttempt }: CallOptions,
  ): Promise<O> {
    const end = this.#clock.monotonicMs() + ETCD_CALL_MS
    for (let attempts = 0, round = 0; ;) {
      const member = this.#member()
      const left = end - this.#clock.monotonicMs()
      onAttempt?.()
      try {
        return await attempt(member, Math.max(1, Math.min(ETCD_ATTEMPT_MS * 2 ** round, left)))
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error
        if (error.kind === 'unknown') onUnknown?.()
        if (error.final) throw error
        this.#leave(member)
        attempts++
        round = Math.floor(attempts / this.#members.length)
        if (attempts % this.#members.length === 0) {
          await this.#clock.sleep(Math.min(ETCD_RETRY_MS_MIN * 2 ** round, ETCD_RETRY_MS_MAX))
        }
        if (this.#clock.monotonicMs() >= end) throw error
      }
    }
  }

  /** With the user's token; a token that is not known any more is got anew for the next attempt. */
  async #at<O>(member: Member, run: (metadata: Metadata) => Promise<O>): Promise<O> {
    const metadata = new Metadata()
    metadata.set('hasleader', 'true')
    if (this.#credentials !== undefined) {
      if (this.#token === undefined) await (this.#authenticating ??= this.#authenticate(member))
      if (this.#token !== undefined && this.#token !== '') metadata.set('token', this.#token)
    }
    try {
      return await run(metadata)
    } catch (error) {
      if (error instanceof EtcdError && error.kind === 'token') {
        if (this.#credentials === undefined) {
          throw new EtcdError(`${error.message} (the address has no user:password@)`, error.code, 'refused')
        }
        this.#token = undefined
      }
      throw error
    }
  }

  async #authenticate(member: Member): Promise<void> {
    try {
      const request = create(AuthenticateRequestSchema, {
        name: this.#credentials?.user ?? '',
        password: this.#credentials?.password ?? '',
      })
      const { token } = await member.attempt(authenticate, request, new Metadata(), ETCD_ATTEMPT_MS)
      this.#token = token
    } catch (error) {
      // As etcd's own clients: an ensemble that asks for nobody's name takes everybody.
      if (error instanceof EtcdError && error.message.includes('authentication is not enabled')) {
        this.#token = ''
        return
      }
      if (error instanceof EtcdError && !error.final) {
        throw new EtcdError(error.message, error.code, 'unsent')
      }
      throw error
    } finally {
      this.#authenticating = undefined
    }
  }

  #member(): Member {
    const member = this.#members[this.#current]
    if (member === undefined) throw new EtcdError('no members', status.INTERNAL, 'refused')
    return member
  }

  /** Many calls fail at a member at once: only the first of them turns to the next. */
  #leave(member: Member): void {
    if (this.#members[this.#current] === member) this.#current = (this.#current + 1) % this.#members.length
  }
}
