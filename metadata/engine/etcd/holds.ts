import { create } from '@bufbuild/protobuf'
import { compareBytes } from '../../../core/keyspace/bytes.ts'
import { ETCD_HOLD_MS_MIN } from '../../../core/limits.ts'
import {
  Lease,
  LeaseGrantRequestSchema,
  LeaseKeepAliveRequestSchema,
  LeaseRevokeRequestSchema,
  TxnRequestSchema,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import type { Random } from '../../../runtime/ports/random.ts'
import type { HeldKey } from '../engine.ts'
import { EtcdError } from './errors.ts'
import type { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import { compareLease, compareValue, getOf, putOf, txnMethod } from './requests.ts'
import { methodOf } from './rpc.ts'

const grantMethod = methodOf(Lease.method.leaseGrant)
const revokeMethod = methodOf(Lease.method.leaseRevoke)
const keepAliveMethod = methodOf(Lease.method.leaseKeepAlive)

interface World {
  readonly members: Members
  readonly keys: EtcdKeys
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Keys bound to a lease of etcd, one each, renewed every third of its time. etcd's leader counts a lease's time from when a renewal
 * comes to it, and a new leader from its election: never from before the renewal was sent, which is where the holder begins.
 */
export class Holds {
  readonly #world: World
  readonly #open = new Set<Hold>()

  constructor(world: World) {
    this.#world = world
  }

  async hold(key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<HeldKey> {
    if (!Number.isSafeInteger(ttlMs) || ttlMs < ETCD_HOLD_MS_MIN) {
      throw new RangeError(`a key in etcd is held for ${ETCD_HOLD_MS_MIN} ms or longer`)
    }
    const hold = await Hold.take(this.#world, key.slice(), value, ttlMs)
    this.#open.add(hold)
    void hold.lost.then(() => this.#open.delete(hold))
    return hold
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((hold) => hold.close()))
  }
}

class Hold implements HeldKey {
  readonly #world: World
  readonly #key: Uint8Array
  readonly #lease: bigint
  readonly #ttlMs: number
  readonly #lost = Promise.withResolvers<undefined>()
  #validUntilMs: number
  #stopTimer: () => void = () => undefined
  #isLost = false
  /** What the key holds; undefined: it was not put yet. */
  #value: Uint8Array | undefined
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(world: World, key: Uint8Array, lease: bigint, ttlMs: number, sentAt: number) {
    this.#world = world
    this.#key = key
    this.#lease = lease
    this.#ttlMs = ttlMs
    this.#validUntilMs = sentAt + ttlMs
    this.#schedule()
  }

  static async take(world: World, key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<Hold> {
    const { members, clock, random } = world
    // Chosen here, so that a grant that is asked for twice is the same lease.
    const lease = BigInt.asUintN(63, new DataView(random.bytes(8).slice().buffer).getBigUint64(0)) | 1n
    const sentAt = clock.monotonicMs()
    try {
      await members.call(
        grantMethod,
        create(LeaseGrantRequestSchema, { id: lease, ttl: BigInt(Math.ceil(ttlMs / 1000)) }),
      )
    } catch (error) {
      if (!(error instanceof EtcdError && error.message.includes('lease already exists'))) throw error
    }
    const hold = new Hold(world, key, lease, ttlMs, sentAt)
    try {
      await hold.update(value)
    } catch (error) {
      await hold.close()
      throw error
    }
    return hold
  }

  get validUntilMs(): number {
    return this.#isLost ? Number.NEGATIVE_INFINITY : this.#validUntilMs
  }

  get lost(): Promise<undefined> {
    return this.#lost.promise
  }

  async update(value: Uint8Array): Promise<void> {
    const done = this.#tail.then(() => this.#put(value.slice()))
    this.#tail = done.catch(() => undefined)
    await done
  }

  async close(): Promise<void> {
    if (this.#isLost) return
    this.#lose()
    const { members, log } = this.#world
    try {
      await members.call(revokeMethod, create(LeaseRevokeRequestSchema, { id: this.#lease }))
    } catch (error) {
      log.info('etcd: a held key is left to vanish by itself', { error })
    }
  }

  /**
   * A put that is sent twice, or comes late, finds another value than the one it is to replace, or no lease, and does nothing.
   * The first replaces whatever an earlier process has left there.
   */
  async #put(value: Uint8Array): Promise<void> {
    if (this.#isLost) throw new Error('the key is not held any more')
    const { members, keys } = this.#world
    const key = keys.data(this.#key)
    const before = this.#value
    const request = create(TxnRequestSchema, {
      compare:
        before === undefined
          ? [compareLease(key, this.#lease, false)]
          : [compareLease(key, this.#lease, true), compareValue(key, before)],
      success: [putOf(key, value, this.#lease)],
      failure: [getOf(key)],
    })
    const { succeeded, responses } = await members.call(txnMethod, request)
    const response = responses[0]?.response
    const found = response?.case === 'responseRange' ? response.value.kvs[0] : undefined
    const there = found?.lease === this.#lease && compareBytes(found.value, value) === 0
    if (!succeeded && !there) throw new Error('another has written the key, or it is gone')
    this.#value = value
  }

  #schedule(): void {
    this.#stopTimer = this.#world.clock.after(Math.floor(this.#ttlMs / 3), () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const { members, clock, log } = this.#world
    try {
      const { sentAt, ttl } = await this.#keepAlive()
      if (this.#isLost) return
      if (ttl <= 0n) {
        this.#lose()
        return
      }
      this.#validUntilMs = Math.max(this.#validUntilMs, sentAt + this.#ttlMs)
    } catch (error) {
      log.warn('etcd: a held key could not be renewed', { error })
      if (clock.monotonicMs() >= this.#validUntilMs + this.#ttlMs && !this.#isLost) {
        // It may be there still. Whoever holds it has served nothing by it for as long as it lasted.
        this.#lose()
        void members
          .call(revokeMethod, create(LeaseRevokeRequestSchema, { id: this.#lease }))
          .catch(() => undefined)
      }
    }
    if (!this.#isLost) this.#schedule()
  }

  /** `sentAt`: before the attempt that was answered. */
  async #keepAlive(): Promise<{ sentAt: number; ttl: bigint }> {
    const { members, clock } = this.#world
    let sentAt = Number.NEGATIVE_INFINITY
    const request = create(LeaseKeepAliveRequestSchema, { id: this.#lease })
    const { ttl } = await members.ask(keepAliveMethod, request, {
      onAttempt: () => {
        sentAt = clock.monotonicMs()
      },
    })
    return { sentAt, ttl }
  }

  #lose(): void {
    this.#isLost = true
    this.#stopTimer()
    this.#lost.resolve(undefined)
  }
}
