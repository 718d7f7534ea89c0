import {
  POSTGRES_FAILOVER_MS,
  POSTGRES_RECONNECT_MS,
  POSTGRES_SCOUT_MS,
  POSTGRES_SCOUT_USED_MS,
} from '../../../core/limits.ts'
import { type ConnectionOptions, PostgresConnection } from './connection.ts'
import { ConnectionLostError, isPassing, NotPrimaryError, reasonOf } from './errors.ts'
import type { PostgresPorts } from './ports.ts'
import { type Place, prepareSession } from './session.ts'
import type { Tls } from './tls.ts'
import { Unanswered } from './unanswered.ts'
import { hostName, type PostgresTarget, type TransactionKind } from './url.ts'

/** None of the hosts takes writes. Nothing was asked of any. */
export class NoPrimaryError extends Error {
  override readonly name = 'NoPrimaryError'
}

/** A session with the server that takes writes, and which one that was. */
export interface PrimarySession {
  readonly connection: PostgresConnection
  readonly generation: number
  readonly isYugabyte: boolean
  readonly transaction: TransactionKind
}

/**
 * Finds the one of several hosts that takes writes, the last one that did first.
 *
 * All sessions of a process are with one server: when another has taken its place, those from before are of an older
 * generation and let go, so that no read goes to a server that a later commit did not go to. A server is another when it is
 * another host, or the same name on a later timeline, as behind a proxy. One on an earlier timeline than was seen before is a
 * primary that was replaced and does not know it: it is refused, and so is a server of another database cluster.
 *
 * A server that does not answer may be slow, may wait for its standby, or may have been replaced while it stands still. All hosts
 * are looked at meanwhile, and only a later timeline settles it: then everything that was asked of the old one is given up. A server
 * that is merely slow is left to finish, however long it takes within `statement_timeout`.
 */
export class Primary {
  readonly #target: PostgresTarget
  readonly #tls: Tls
  readonly #ports: PostgresPorts
  readonly #closing = new AbortController()
  readonly #unanswered: Unanswered
  /** Hosts that are being looked at while something is unanswered. */
  readonly #scouted = new Set<number>()
  readonly #visits: Unanswered
  #host = 0
  #generation = 0
  #place: Place | undefined

  constructor(target: PostgresTarget, tls: Tls, ports: PostgresPorts) {
    this.#target = target
    this.#tls = tls
    this.#ports = ports
    this.#unanswered = new Unanswered(ports.clock, () => {
      this.#scout()
    })
    // That a visit is not answered says nothing.
    this.#visits = new Unanswered(ports.clock, () => undefined)
  }

  /** Whether a session is with the server that is the primary now, as far as is known. */
  isCurrent({ connection, generation }: PrimarySession): boolean {
    return connection.usable && generation === this.#generation
  }

  /** The server has said that it takes no writes: no session with it is used again. */
  leave({ generation }: Pick<PrimarySession, 'generation'>): void {
    if (generation === this.#generation) this.#generation++
  }

  /** No longer waits for a host. */
  close(): void {
    this.#closing.abort(new Error('the engine is closed'))
    this.#visits.giveUpAll('the engine is closed')
  }

  /**
   * @param patient waits while all hosts are down or standbys, as during a failover. A host that is there and has not answered in time is
   *   waited for in any case
   * @throws {NoPrimaryError}
   */
  async connect(patient: boolean): Promise<PrimarySession> {
    const { clock } = this.#ports
    const { signal } = this.#closing
    const until = clock.monotonicMs() + POSTGRES_FAILOVER_MS
    for (;;) {
      const failures: { host: string; error: unknown }[] = []
      const tried = new Set<number>()
      for (let index = this.#next(tried); index !== undefined; index = this.#next(tried)) {
        tried.add(index)
        try {
          return await this.#connectTo(index)
        } catch (error) {
          failures.push({ host: this.#nameOf(index), error })
        }
      }
      const wait = failures.some(({ error }) =>
        patient ? isPassing(error) : error instanceof ConnectionLostError,
      )
      if (!wait || clock.monotonicMs() >= until) {
        const reasons = failures.map(({ host, error }) => `${host}: ${reasonOf(error)}`)
        throw new NoPrimaryError(`no PostgreSQL that takes writes: ${reasons.join('; ')}`, {
          cause: failures[0]?.error,
        })
      }
      await clock.sleep(POSTGRES_RECONNECT_MS, signal)
    }
  }

  /**
   * Asks every other host once, in case the one that was found was replaced without knowing it: a process that begins has seen no
   * later timeline yet.
   */
  async lookAround(): Promise<void> {
    const others = this.#target.hosts.keys().filter((index) => index !== this.#host)
    await Promise.all(others.map(async (index) => closed(await this.#visit(index))))
  }

  /** The host that served last, wherever that is by now, and then those behind it. */
  #next(tried: ReadonlySet<number>): number | undefined {
    const { length } = this.#target.hosts
    const order = Array.from({ length }, (_, offset) => (this.#host + offset) % length)
    return order.find((index) => !tried.has(index))
  }

  /** Looks at every host again and again while something is unanswered. Before anything is known, whoever connects goes through them. */
  #scout(): void {
    const { log } = this.#ports
    if (this.#place === undefined) return
    if (this.#scouted.size === 0) {
      const fields = { host: this.#nameOf(this.#host) }
      log.warn('PostgreSQL does not answer; looking whether another has become the primary', fields)
    }
    for (const index of this.#target.hosts.keys()) void this.#scoutAt(index)
  }

  /**
   * By one connection, which a standby keeps when it is promoted. To the host that is used a new one is made each time: behind its
   * name there may be another server by now.
   */
  async #scoutAt(index: number): Promise<void> {
    if (this.#scouted.has(index)) return
    this.#scouted.add(index)
    const { signal } = this.#closing
    let kept: PostgresConnection | undefined
    while (this.#unanswered.silent && !signal.aborted) {
      const isOther = index !== this.#host
      kept = await this.#visit(index, kept)
      if (!isOther) kept = await closed(kept)
      const pauseMs = isOther ? POSTGRES_SCOUT_MS : POSTGRES_SCOUT_USED_MS
      await this.#ports.clock.sleep(pauseMs, signal).catch(() => undefined)
    }
    await closed(kept)
    this.#scouted.delete(index)
  }

  /**
   * Goes over to a host if it is a primary on a later timeline than was seen.
   * @param kept of a visit before
   * @returns what may be kept for the next one
   */
  async #visit(index: number, kept?: PostgresConnection): Promise<PostgresConnection | undefined> {
    const { clock, log } = this.#ports
    let connection = kept
    try {
      connection ??= await this.#dial(index, {
        clock,
        replyMs: this.#target.connectMs,
        unanswered: this.#visits,
      })
      const place = await prepareSession(connection, this.#target.replyMs)
      if (this.#place === undefined || place.timeline > this.#place.timeline) this.#arriveAt(index, place)
    } catch (error) {
      log.debug('a host of PostgreSQL is not the primary', { host: this.#nameOf(index), error })
    }
    return connection?.usable === true ? connection : undefined
  }

  async #dial(index: number, options: ConnectionOptions): Promise<PostgresConnection> {
    const host = this.#target.hosts[index]
    if (host === undefined) throw new RangeError(`no host ${index}`)
    return await PostgresConnection.open(host, this.#target, this.#tls, options)
  }

  async #connectTo(index: number): Promise<PrimarySession> {
    const { clock } = this.#ports
    const { replyMs } = this.#target
    const connection = await this.#dial(index, { clock, replyMs, unanswered: this.#unanswered })
    try {
      const place = await prepareSession(connection, replyMs)
      this.#arriveAt(index, place)
      const { isYugabyte } = place
      const transaction = this.#target.transaction ?? (isYugabyte ? 'explicit' : 'implicit')
      return { connection, generation: this.#generation, isYugabyte, transaction }
    } catch (error) {
      connection.destroy('it is of no use')
      throw error
    }
  }

  /** @throws {NotPrimaryError} */
  #arriveAt(index: number, place: Place): void {
    const before = this.#place
    if (before !== undefined) {
      const isOther = place.system !== '' && before.system !== '' && place.system !== before.system
      if (isOther) throw new NotPrimaryError('a server of another database cluster')
      if (place.timeline !== 0 && place.timeline < before.timeline) {
        throw new NotPrimaryError(
          `on timeline ${place.timeline}, where timeline ${before.timeline} was seen: a primary that was replaced`,
        )
      }
    }
    if (before === undefined || index !== this.#host || place.timeline !== before.timeline) {
      this.#generation++
      const { log } = this.#ports
      const fields = { host: this.#nameOf(index), timeline: place.timeline }
      log.info('PostgreSQL that takes writes', fields)
      const hasStandbys = this.#target.hosts.length > 1
      for (const danger of place.dangersOf(hasStandbys)) log.warn(danger, fields)
    }
    this.#host = index
    this.#place = place
    if (before !== undefined && place.timeline > before.timeline) {
      this.#unanswered.giveUpAll('another server has taken over')
    }
  }

  #nameOf(index: number): string {
    const host = this.#target.hosts[index]
    return host === undefined ? '' : hostName(host)
  }
}

async function closed(connection: PostgresConnection | undefined): Promise<undefined> {
  await connection?.close()
}
