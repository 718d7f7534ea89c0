import {
  ADMISSION_ACCOUNTS_MAX,
  ADMISSION_BASE_FACTOR,
  ADMISSION_BASE_SHARE_PERCENT,
  ADMISSION_DELAY_TARGET_MS,
  ADMISSION_GROWTH_PERCENT,
  ADMISSION_IN_FLIGHT_MAX,
  ADMISSION_IN_FLIGHT_MIN,
  ADMISSION_INTERVAL_MS,
  ADMISSION_INTERVALS_COUNTED,
  ADMISSION_INTERVALS_NEWEST,
} from '../limits.ts'
import { fairLevel } from './fair-share.ts'

/**
 * Admission to something that can do only so much: what cannot be done soon is refused at once, before a queue has grown, and
 * those are refused who ask for more than their fair share.
 *
 * **How much.** At most `bound` requests are worked on. In each interval in which even the quickest request took longer from
 * its arrival to its answer than the target, there was a queue all the time (as CoDel has it, RFC 8289): the bound
 * becomes what gets done in the time of the target (Little's law). While the bound holds requests back and the delay is
 * short, it grows. So what is served is kept busy, with a queue of about the target. Where a request takes long though hardly
 * anything is in work, the target is longer.
 *
 * **Whose.** Below the bound everybody is admitted. From there on only who has less in work than the level that max-min
 * fairness gives (`fairLevel`): over tenants first, then over the buckets of a tenant. From twice the bound on, even of those
 * only so many that the queue still gets shorter.
 *
 * **Beforehand.** A request that has something to do before it comes can ask first, and is then let in past the bound. Its reservation
 * stands in work like a request, for as long as one waits at the bound: so no more are promised in a time than get done in it, and what
 * takes long to come holds nothing up.
 *
 * One gate is for one kind of request, since only equal ones can be compared by their delays. Times are monotonic
 * milliseconds and never go back.
 */
export class AdmissionGate {
  readonly #settings: GateSettings
  readonly #tenants = new Map<string, Tenant>()
  #bound: number
  #inFlight = 0
  #peak = 0
  #quickestMs = Number.POSITIVE_INFINITY
  #answered = 0
  /** Admitted in this interval at most though twice the bound is in work: half of what gets done in one. */
  #room = 0
  /** Requests done a millisecond in each of the last intervals. */
  readonly #done: number[] = []
  /** A request's delay while next to nothing is in work. */
  #baseMs = 0
  /** What each tenant may have in work at the bound; undefined: it was not met. */
  #level: number | undefined
  /** In the order in which they were made, and so in which they end. */
  readonly #reservations = new Set<Ticket>()
  /** For which each of them stands in work: the delay at the bound (Little's law). */
  #holdMs: number
  #intervalStartMs = Number.NEGATIVE_INFINITY
  #intervalEndsMs = Number.NEGATIVE_INFINITY
  #refused = 0

  constructor(settings: Partial<GateSettings> = {}) {
    this.#settings = { ...GATE_SETTINGS_DEFAULT, ...settings }
    this.#bound = this.#settings.inFlightMax
    this.#holdMs = this.#settings.delayTargetMs
  }

  /** Requests in work, reservations among them. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** How many may be. */
  get bound(): number {
    return this.#bound
  }

  /** All that were refused. */
  get refused(): number {
    return this.#refused
  }

  /**
   * A request of a bucket, and of the tenant that owns it, is here.
   * @param reservation of {@link reserve}, if it asked; given once
   * @returns what is given to {@link leave} when it is answered, however; undefined: refused
   */
  enter(tenantName: string, bucketName: string, nowMs: number, reservation?: Ticket): Ticket | undefined {
    if (reservation !== undefined) this.cancel(reservation)
    return this.#take(tenantName, bucketName, nowMs, reservation !== undefined)
  }

  /** A request that will come later would be let in. @returns what {@link enter} is given then; undefined: refused */
  reserve(tenantName: string, bucketName: string, nowMs: number): Ticket | undefined {
    const ticket = this.#take(tenantName, bucketName, nowMs, false)
    if (ticket !== undefined) this.#reservations.add(ticket)
    return ticket
  }

  /** What was reserved will not come. Changes nothing for what stands in work no more. */
  cancel(reservation: Ticket): void {
    if (this.#reservations.delete(reservation)) this.#lower(reservation)
  }

  /** Reservations that have stood for their time are in work no more: also when no other request comes. */
  letGo(nowMs: number): void {
    for (const reservation of this.#reservations) {
      if (nowMs - reservation.atMs < this.#holdMs) return
      this.cancel(reservation)
    }
  }

  #take(tenantName: string, bucketName: string, nowMs: number, reserved: boolean): Ticket | undefined {
    this.letGo(nowMs)
    if (nowMs >= this.#intervalEndsMs) this.#judge(nowMs)
    const tenant = this.#tenantOf(tenantName)
    const bucket = bucketOf(tenant, bucketName)
    if (this.#inFlight >= this.#bound && !this.#mayExceed(tenant, bucket, reserved)) {
      tenant.wanting = true
      bucket.wanting = true
      this.#refused++
      return undefined
    }
    this.#inFlight++
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight
    raise(tenant)
    raise(bucket)
    return { tenant, bucket, atMs: nowMs }
  }

  /** Exactly once for each ticket. */
  leave(ticket: Ticket, nowMs: number): void {
    this.#lower(ticket)
    this.#answered++
    if (nowMs - ticket.atMs < this.#quickestMs) this.#quickestMs = nowMs - ticket.atMs
    if (nowMs >= this.#intervalEndsMs) this.#judge(nowMs)
  }

  #lower({ tenant, bucket }: Ticket): void {
    this.#inFlight--
    tenant.inFlight--
    bucket.inFlight--
  }

  #mayExceed(tenant: Tenant, bucket: Account, reserved: boolean): boolean {
    const roomLeft = this.#inFlight < 2 * this.#settings.inFlightMax
    if (reserved) return roomLeft
    if (!this.#isUnderShare(tenant, bucket)) return false
    if (this.#inFlight < 2 * this.#bound) return true
    if (!roomLeft || this.#room <= 0) return false
    this.#room--
    return true
  }

  #isUnderShare(tenant: Tenant, bucket: Account): boolean {
    // Less than the mean: while a queue that others have made gets shorter, everybody has more in work than usual.
    if (tenant.inFlight * this.#tenants.size < this.#inFlight) return true
    // In the interval in which the bound is first met, shares are by what is in work now.
    this.#level ??= fairLevel(this.#bound, inWork(this.#tenants))
    if (tenant.inFlight < this.#level) return true
    tenant.level ??= fairLevel(this.#level, inWork(tenant.buckets))
    return bucket.inFlight < tenant.level && tenant.inFlight < 2 * this.#level
  }

  #tenantOf(name: string): Tenant {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    if (this.#tenants.size >= ADMISSION_ACCOUNTS_MAX && name !== OTHERS) return this.#tenantOf(OTHERS)
    const tenant = { ...newAccount(), buckets: new Map<string, Account>(), level: undefined }
    this.#tenants.set(name, tenant)
    return tenant
  }

  /** Ends an interval: a new bound, and new shares of it. */
  #judge(nowMs: number): void {
    const { intervalMs } = this.#settings
    const lengthMs = nowMs - this.#intervalStartMs
    this.#intervalEndsMs = nowMs + intervalMs
    // An engine that answers nothing may be failing over: that is no overload, and who is admitted waits.
    const working = this.#inFlight > this.#reservations.size
    if (this.#answered === 0 && working && lengthMs < Number.POSITIVE_INFINITY) {
      this.#share()
      return
    }
    // After a time without any request nothing is known of what could have been done in it.
    if (this.#answered > 0 && (working || lengthMs < 2 * intervalMs)) this.#adjust(lengthMs)
    else this.#holdMs = this.#settings.delayTargetMs
    this.#share()
    this.#room = Math.max(this.#bound, (this.#answered * intervalMs) / lengthMs) / 2
    this.#intervalStartMs = nowMs
    this.#quickestMs = Number.POSITIVE_INFINITY
    this.#peak = this.#inFlight
    this.#answered = 0
  }

  #adjust(lengthMs: number): void {
    const { delayTargetMs, inFlightMin, inFlightMax } = this.#settings
    this.#done.push(this.#answered / lengthMs)
    if (this.#done.length > ADMISSION_INTERVALS_COUNTED) this.#done.shift()
    if (this.#peak <= inFlightMin) {
      // So little makes no queue: this is how long a request takes.
      this.#baseMs += (ADMISSION_BASE_SHARE_PERCENT / 100) * (this.#quickestMs - this.#baseMs)
    }
    const targetMs = Math.max(delayTargetMs, ADMISSION_BASE_FACTOR * this.#baseMs)
    this.#holdMs = targetMs
    if (this.#quickestMs > targetMs) {
      const donePerMs = Math.max(meanOf(this.#done), meanOf(this.#done.slice(-ADMISSION_INTERVALS_NEWEST)))
      if (this.#peak <= inFlightMin) return
      this.#bound = between(inFlightMin, donePerMs * targetMs, inFlightMax)
      this.#holdMs = Math.max(targetMs, this.#bound / donePerMs)
    } else if (this.#peak >= this.#bound) {
      this.#bound = between(inFlightMin, this.#bound * (1 + ADMISSION_GROWTH_PERCENT / 100), inFlightMax)
    }
  }

  #share(): void {
    const level = fairLevel(this.#bound, usuallyInWork(this.#tenants))
    this.#level = finite(level)
    for (const tenant of this.#tenants.values()) {
      // Who is within the share need not be divided.
      tenant.level = tenant.wanting ? finite(fairLevel(level, usuallyInWork(tenant.buckets))) : undefined
      renew(tenant.buckets)
    }
    renew(this.#tenants)
  }
}

export interface GateSettings {
  readonly inFlightMin: number
  readonly inFlightMax: number
  readonly delayTargetMs: number
  readonly intervalMs: number
}

const GATE_SETTINGS_DEFAULT: GateSettings = {
  inFlightMin: ADMISSION_IN_FLIGHT_MIN,
  inFlightMax: ADMISSION_IN_FLIGHT_MAX,
  delayTargetMs: ADMISSION_DELAY_TARGET_MS,
  intervalMs: ADMISSION_INTERVAL_MS,
}

/** A request in work. */
export interface Ticket {
  readonly tenant: Tenant
  readonly bucket: Account
  readonly atMs: number
}

/** What one tenant, or one bucket of it, has in work. */
interface Account {
  inFlight: number
  /** Arrivals of this interval, and what each found in work, itself included, together: their mean is the usual load. */
  arrivals: number
  found: number
  /** Was refused in this interval: it would take more. */
  wanting: boolean
}

interface Tenant extends Account {
  readonly buckets: Map<string, Account>
  /** What each of its buckets may have in work when the tenant has its share; undefined: it did not. */
  level: number | undefined
}

/** Not a name that a tenant or a bucket can have. */
const OTHERS = '\0others'

function between(min: number, value: number, max: number): number {
  return Math.max(min, Math.min(value, max))
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function newAccount(): Account {
  return { inFlight: 0, arrivals: 0, found: 0, wanting: false }
}

function bucketOf({ buckets }: Tenant, name: string): Account {
  const known = buckets.get(name)
  if (known !== undefined) return known
  const shared = buckets.size >= ADMISSION_ACCOUNTS_MAX
  if (shared && name !== OTHERS) return buckets.get(OTHERS) ?? added(buckets, OTHERS)
  return added(buckets, name)
}

function added(accounts: Map<string, Account>, name: string): Account {
  const account = newAccount()
  accounts.set(name, account)
  return account
}

function raise(account: Account): void {
  account.arrivals++
  account.found += ++account.inFlight
}

function finite(level: number): number | undefined {
  return level === Number.POSITIVE_INFINITY ? undefined : level
}

function inWork(accounts: ReadonlyMap<string, Account>): number[] {
  return [...accounts.values()].map(({ inFlight }) => inFlight)
}

/** In the mean of an interval; infinity for who was refused, and would take more. */
function usuallyInWork(accounts: ReadonlyMap<string, Account>): number[] {
  const demands: number[] = []
  for (const { inFlight, arrivals, found, wanting } of accounts.values()) {
    demands.push(wanting ? Number.POSITIVE_INFINITY : arrivals === 0 ? inFlight : found / arrivals)
  }
  return demands
}

/** Begins an interval; those that were idle in the last are forgotten. */
function renew(accounts: Map<string, Account>): void {
  for (const [name, account] of accounts) {
    if (account.inFlight === 0 && account.arrivals === 0 && !account.wanting) accounts.delete(name)
    account.arrivals = 0
    account.found = 0
    account.wanting = false
  }
}
