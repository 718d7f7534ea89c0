import { POSTGRES_FAILOVER_MS, POSTGRES_RECONNECT_MS } from '../../../core/limits.ts'
import { PostgresConnection } from './connection.ts'
import { isPassing, NotPrimaryError, reasonOf } from './errors.ts'
import type { PostgresPorts } from './ports.ts'
import { type Place, prepareSession } from './session.ts'
import type { Tls } from './tls.ts'
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
 */
export class Primary {
  readonly #target: PostgresTarget
  readonly #tls: Tls
  readonly #ports: PostgresPorts
  readonly #closing = new AbortController()
  #host = 0
  #generation = 0
  #place: Place | undefined

  constructor(target: PostgresTarget, tls: Tls, ports: PostgresPorts) {
    this.#target = target
    this.#tls = tls
    this.#ports = ports
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
  }

  /**
   * @param patient waits while all hosts are down or standbys, as during a failover
   * @throws {NoPrimaryError}
   */
  async connect(patient: boolean): Promise<PrimarySession> {
    const { clock } = this.#ports
    const { signal } = this.#closing
    const until = clock.monotonicMs() + (patient ? POSTGRES_FAILOVER_MS : 0)
    for (;;) {
      const failures: { host: string; error: unknown }[] = []
      const first = this.#host
      for (let offset = 0; offset < this.#target.hosts.length; offset++) {
        const index = (first + offset) % this.#target.hosts.length
        try {
          return await this.#connectTo(index)
        } catch (error) {
          failures.push({ host: this.#nameOf(index), error })
        }
      }
      if (!failures.some(({ error }) => isPassing(error)) || clock.monotonicMs() >= until) {
        const reasons = failures.map(({ host, error }) => `${host}: ${reasonOf(error)}`)
        throw new NoPrimaryError(`no PostgreSQL that takes writes: ${reasons.join('; ')}`, {
          cause: failures[0]?.error,
        })
      }
      await clock.sleep(POSTGRES_RECONNECT_MS, signal)
    }
  }

  async #connectTo(index: number): Promise<PrimarySession> {
    const host = this.#target.hosts[index]
    if (host === undefined) throw new RangeError(`no host ${index}`)
    const { clock } = this.#ports
    const connection = await PostgresConnection.open(host, this.#target, this.#tls, clock)
    try {
      const place = await prepareSession(connection, this.#target.replyMs)
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
  }

  #nameOf(index: number): string {
    const host = this.#target.hosts[index]
    return host === undefined ? '' : hostName(host)
  }
}
