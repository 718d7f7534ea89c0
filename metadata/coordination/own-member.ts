import { create } from '@bufbuild/protobuf'
import { memberKey } from '../../core/keyspace/keys.ts'
import { MEMBER_LOOK_MS, MEMBER_MARGIN_MS, MEMBER_RENEW_MS, MEMBER_TTL_MS } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataMember, MetadataMemberSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { type Engine, FencedError } from '../engine/engine.ts'
import type { ServingLease } from '../partition/partition.ts'
import { decodeRecord, encodeRecord, memberKind } from '../records.ts'

export interface OwnMemberOptions {
  /** The coordination engine. */
  readonly engine: Engine
  readonly id: string
  readonly address: string
  /** Ids of the engines that this process reaches. */
  readonly engines: readonly string[]
  /** No other process can open the engine while this one has it: nobody needs to be waited for, nor ever takes over. */
  readonly exclusive: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called when others have taken this process for dead, before it says again that it lives: what it owned may be theirs. */
  readonly onExpelled: () => void
  /** Called when it has said so. */
  readonly onReturned: () => void
}

/** Another process runs under the same name. */
export class MemberTakenError extends Error {
  override readonly name = 'MemberTakenError'
}

const SESSION_BYTES = 16

/**
 * The record by which this process says that it lives, and the time it may serve for: {@link MEMBER_TTL_MS} from before a renewal
 * was sent that is known to be durable, by the monotonic clock, which goes on while the process is stopped.
 *
 * Others take its partitions when they have seen the record unchanged for longer than that, and have then taken it away, so that a
 * renewal which is still on its way is refused. They cannot have seen a renewal before it was sent, so this process has stopped
 * serving by then, as long as no clock runs a tenth faster than another.
 */
export class OwnMember implements ServingLease {
  readonly session: Uint8Array
  readonly #options: OwnMemberOptions
  /** Unix time. */
  readonly #startedMs: bigint
  #bytes: Uint8Array | undefined
  #renewal = 0n
  #leaving = false
  /** Monotonic milliseconds at which the last renewal was sent, whatever became of it. */
  #sentMs = Number.NEGATIVE_INFINITY
  #validUntilMs = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | undefined
  #renewing: Promise<void> = Promise.resolve()
  #closed = false
  readonly #lost = Promise.withResolvers<undefined>()

  private constructor(options: OwnMemberOptions) {
    this.#options = options
    this.session = options.random.bytes(SESSION_BYTES)
    this.#startedMs = BigInt(options.clock.nowMs())
  }

  /**
   * Writes the record, once whoever ran under this name before can serve no more.
   * @throws {MemberTakenError} it still does
   */
  static async open(options: OwnMemberOptions): Promise<OwnMember> {
    const member = new OwnMember(options)
    await member.#claim()
    member.#schedule()
    return member
  }

  /** Resolves when another process has taken the name. */
  get lost(): Promise<void> {
    return this.#lost.promise
  }

  /** Whether this process may answer reads, and may go by what nobody else changes without it. */
  get held(): boolean {
    return this.#options.exclusive || this.#options.clock.monotonicMs() < this.#validUntilMs
  }

  assertHeld(): void {
    if (this.held) return
    throw new MetadataError(
      FailureCode.NOT_MINE,
      'this metadata process has not reached its engine for so long that others may have taken over',
    )
  }

  /** Says that it is given no more partitions. */
  async leave(): Promise<void> {
    this.#leaving = true
    await this.#renewing
    await this.#renew()
  }

  /** Renews no more, and takes its record away: it serves nothing any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#renewing
    this.#validUntilMs = Number.NEGATIVE_INFINITY
    const { engine, id, exclusive } = this.#options
    if (exclusive || this.#bytes === undefined) return
    const key = memberKey(id)
    try {
      await engine.commit({ fence: { key, token: this.#bytes }, puts: [], deletes: [key] })
    } catch {
      // Others find out by and by.
    }
  }

  async #claim(): Promise<void> {
    const { engine, id, clock, exclusive } = this.#options
    const key = memberKey(id)
    let found = await engine.get(key)
    if (found !== undefined && !exclusive) {
      const before = decodeRecord(memberKind, found)
      let since = clock.monotonicMs()
      const begun = since
      // One that is leaving serves until its record is gone, too.
      while (clock.monotonicMs() - since <= before.ttlMs + MEMBER_MARGIN_MS) {
        await clock.sleep(MEMBER_LOOK_MS)
        const now = await engine.get(key)
        if (now !== undefined && compareBytes(now, found ?? new Uint8Array()) === 0) continue
        found = now
        since = clock.monotonicMs()
        if (now === undefined) break
        if (since - begun > 3 * MEMBER_TTL_MS) {
          throw new MemberTakenError(
            `another process runs as metadata node ${id}; give this one another --node-id`,
          )
        }
      }
    }
    const sentMs = clock.monotonicMs()
    const bytes = this.#record()
    try {
      await engine.commit({ fence: { key, token: found }, puts: [{ key, value: bytes }], deletes: [] })
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
      throw new MemberTakenError(`another process has just started as metadata node ${id}`, { cause: error })
    }
    this.#bytes = bytes
    this.#sentMs = sentMs
    this.#validUntilMs = sentMs + MEMBER_TTL_MS
  }

  #record(): Uint8Array {
    const { id, address, engines } = this.#options
    this.#renewal++
    return encodeRecord(
      memberKind,
      create(MetadataMemberSchema, {
        id,
        address,
        session: this.session,
        renewal: this.#renewal,
        ttlMs: MEMBER_TTL_MS,
        engines: [...engines],
        leaving: this.#leaving,
        startedMs: this.#startedMs,
      }),
    )
  }

  /**
   * The next renewal is due a time after the last was sent, not after it was answered: on a busy event loop both the answer and the
   * timer are seen late, and the time to serve runs from the sending. One that is due by then waits for no timer.
   */
  #schedule(): void {
    if (this.#closed || this.#options.exclusive) return
    const { clock } = this.#options
    const waitMs = this.#sentMs + MEMBER_RENEW_MS - clock.monotonicMs()
    const renew = (): void => {
      this.#renewing = this.#renew().finally(() => {
        this.#schedule()
      })
    }
    if (waitMs > 0) this.#cancel = clock.after(waitMs, renew)
    else renew()
  }

  async #renew(): Promise<void> {
    const { engine, id, clock, log } = this.#options
    const key = memberKey(id)
    const sentMs = clock.monotonicMs()
    this.#sentMs = sentMs
    const bytes = this.#record()
    try {
      await engine.commit({
        fence: { key, token: this.#bytes },
        puts: [{ key, value: bytes }],
        deletes: [],
      })
      this.#bytes = bytes
      this.#validUntilMs = sentMs + MEMBER_TTL_MS
    } catch (error) {
      log.warn('this metadata process could not renew its record', { node: id, error })
      await this.#find(key)
    }
  }

  /** After a renewal that failed, and may have been made: goes on from what is there, if it is this process's own. */
  async #find(key: Uint8Array): Promise<void> {
    const { engine, id, log, clock, onExpelled, onReturned } = this.#options
    try {
      const found = await engine.get(key)
      if (found !== undefined && isOf(decodeRecord(memberKind, found), this.session)) {
        this.#bytes = found
        return
      }
      this.#validUntilMs = Number.NEGATIVE_INFINITY
      onExpelled()
      if (found !== undefined) {
        this.#closed = true
        log.error('another process runs under the name of this one, which serves no more', { node: id })
        this.#lost.resolve(undefined)
        return
      }
      const sentMs = clock.monotonicMs()
      const bytes = this.#record()
      await engine.commit({ fence: { key, token: undefined }, puts: [{ key, value: bytes }], deletes: [] })
      this.#bytes = bytes
      this.#validUntilMs = sentMs + MEMBER_TTL_MS
      log.warn('this metadata process was taken for dead, and is back', { node: id })
      onReturned()
    } catch {
      // The next renewal looks again.
    }
  }
}

function isOf({ session }: MetadataMember, wanted: Uint8Array): boolean {
  return compareBytes(session, wanted) === 0
}
