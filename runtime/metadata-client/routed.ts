import {
  METADATA_MAP_TIMEOUT_MS,
  METADATA_OWNER_LOOK_MS,
  METADATA_REQUEST_TIMEOUT_MS,
  METADATA_REROUTE_MS_MAX,
  METADATA_REROUTE_MS_MIN,
} from '../../core/limits.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { FailureCode, type GetPartitionsReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type MetadataApi,
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { MemberConnection, MemberPlace } from './connection.ts'
import { type DividedOperation, divided } from './divide.ts'
import { UnreachedError } from './failure.ts'
import { Flights } from './flights.ts'
import { listAcross } from './listing.ts'
import {
  type ListingKind,
  type ListingOperation,
  objectListing,
  uploadListing,
  versionListing,
} from './listing-kinds.ts'
import { isRepeatable, locate, type Route } from './locate.ts'
import { MapFollower, type Target } from './map-follower.ts'
import type { PartitionTable } from './partition-table.ts'
import { orAborted } from './or-aborted.ts'

export interface RoutedMetadataOptions {
  /** Processes to begin with, any of which knows the map and all others. At least one. */
  readonly seeds: readonly MemberPlace[]
  readonly connect: (place: MemberPlace) => MemberConnection
  readonly clock: Clock
  readonly random: Random
  /** Time in which a call is answered or fails, changes of owner included. Default METADATA_REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

/** A call, over all that is asked for it. */
interface Call {
  readonly signal: AbortSignal | undefined
  /** Monotonic milliseconds at which it has failed. */
  readonly untilMs: number
}

type Special = {
  readonly [K in MetadataOperation]?: (
    request: MetadataRequestInit<K>,
    call: Call,
  ) => Promise<MetadataReply<K>>
}

/**
 * Metadata that is divided among processes, as one: each request goes to the owner of what it is about, by a copy of the
 * partition map that is looked at again when an owner turns a request away, or does not answer.
 *
 * What an owner turned away (NOT_MINE), what was never sent, and what may be done twice is asked of the next owner, within
 * the time of the call. A write that was sent to an owner which is none any more, and not answered, fails as UNAVAILABLE: its
 * outcome is unknown. Everything else that an owner answers is passed on.
 */
export class RoutedMetadata implements MetadataApi {
  readonly #options: RoutedMetadataOptions
  readonly #timeoutMs: number
  readonly #follower: MapFollower
  readonly #flights: Flights
  /** Where everything goes while one process of this program has all of it in one partition: the embedded default. */
  #only: MemberConnection | undefined
  #closed = false

  constructor(options: RoutedMetadataOptions) {
    const { seeds, connect, clock } = options
    this.#options = options
    this.#timeoutMs = options.timeoutMs ?? METADATA_REQUEST_TIMEOUT_MS
    this.#follower = new MapFollower({
      seeds,
      connect,
      clock,
      onNews: () => {
        this.#news()
      },
    })
    this.#flights = new Flights(clock, METADATA_OWNER_LOOK_MS, () => {
      void this.#follower.refresh(false)
    })
  }

  call<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Promise<MetadataReply<K>> {
    const only = this.#only
    if (only === undefined) return this.#route(operation, request, signal)
    return only.call(operation, request, signal).then(
      // It has been split since: what was listed is the first partition's.
      (reply) =>
        'coveredTo' in reply && reply.coveredTo !== undefined
          ? this.#routeAnew(operation, request, signal)
          : reply,
      (error: unknown) => {
        if (!isNotMine(error)) throw error
        return this.#route(operation, request, signal)
      },
    )
  }

  /** Fails what is in flight and closes the connections. */
  async close(): Promise<void> {
    this.#closed = true
    this.#only = undefined
    this.#flights.close()
    await this.#follower.close()
  }

  #routeAnew<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal: AbortSignal | undefined,
  ): Promise<MetadataReply<K>> {
    void this.#follower.refresh(true)
    return this.#route(operation, request, signal)
  }

  async #route<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal: AbortSignal | undefined,
  ): Promise<MetadataReply<K>> {
    const call = { signal, untilMs: this.#options.clock.monotonicMs() + this.#timeoutMs }
    const special: Special[K] = this.#special[operation]
    return await (special === undefined
      ? this.#send(operation, request, call, this.#finder(locate(operation, request)))
      : special(request, call))
  }

  readonly #special: Special = {
    listObjects: (request, call) => this.#list(objectListing, request, call),
    listVersions: (request, call) => this.#list(versionListing, request, call),
    listUploads: (request, call) => this.#list(uploadListing, request, call),
    resolveBlobs: (request, call) => this.#divide('resolveBlobs', request, call),
    requestRepair: (request, call) => this.#divide('requestRepair', request, call),
    getPartitions: (request, call) => this.#askAnybody(request, call),
  }

  /** Finds who is to answer, by the map as it is then. */
  #finder(route: Route): (table: PartitionTable) => Target | undefined {
    switch (route.to) {
      case 'root':
        return (table) => this.#follower.targetOf(table.rootOwner)
      case 'position':
      case 'listing':
        return (table) => this.#follower.targetOf(table.at(route.position).owner)
      case 'outbox':
        return (table) => this.#follower.targetOf(table.byOutbox(route.outbox)?.owner ?? '')
      case 'places':
      case 'anybody':
      case 'direct':
        throw new MetadataError(FailureCode.INVALID_REQUEST, 'such a request is made of one certain process')
    }
  }

  /** Asks whoever `find` names, and again if need be, until there is an answer. */
  async #send<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    call: Call,
    find: (table: PartitionTable) => Target | undefined,
  ): Promise<MetadataReply<K>> {
    for (let attempt = 0; ; attempt++) {
      const table = await this.#knownTable(call)
      const target = find(table)
      try {
        if (target === undefined) throw nobodyOwnsIt()
        return await this.#ask(operation, request, call, target, find)
      } catch (error) {
        await this.#recover(operation, error, call, attempt, { table, target, find })
      }
    }
  }

  /** One request to one process, watched while it is there. */
  async #ask<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    { signal, untilMs }: Call,
    target: Target,
    find: (table: PartitionTable) => Target | undefined,
  ): Promise<MetadataReply<K>> {
    const { connection } = target
    if (connection.begin === undefined) return await connection.call(operation, request, signal)
    const begun = connection.begin(operation, request, signal)
    const flight = { begun, target, untilMs, find, age: 0, lostAge: undefined }
    this.#flights.add(flight)
    try {
      return await begun.reply
    } finally {
      this.#flights.remove(flight)
    }
  }

  /** Returns when it is worth asking again. @throws the error, if it is not */
  async #recover(
    operation: MetadataOperation,
    error: unknown,
    { signal, untilMs }: Call,
    attempt: number,
    {
      table,
      target,
      find,
    }: {
      readonly table: PartitionTable
      readonly target: Target | undefined
      readonly find: (table: PartitionTable) => Target | undefined
    },
  ): Promise<void> {
    const { clock } = this.#options
    const turnedAway = isNotMine(error)
    if (!turnedAway && !mayAskAgain(operation, error)) throw error
    if (clock.monotonicMs() >= untilMs) throw turnedAway ? nobodyTakesIt(this.#timeoutMs) : error
    // Others may have learnt of another owner meanwhile.
    const known = this.#follower.table
    if (known === table || known === undefined || find(known) === target) {
      await orAborted(this.#follower.refresh(turnedAway), signal)
    }
    const next = this.#follower.table
    const another = next !== undefined && find(next) !== undefined && find(next) !== target
    if (!another || attempt > 0) await this.#pause(attempt, untilMs, signal)
    this.#assertOpen()
  }

  /** @throws {UnreachedError} when nobody tells within the call's time; what they answer, if that is a refusal */
  async #knownTable({ signal, untilMs }: Call): Promise<PartitionTable> {
    for (let attempt = 0; ; attempt++) {
      this.#assertOpen()
      signal?.throwIfAborted()
      const { table } = this.#follower
      if (table !== undefined) return table
      await orAborted(this.#follower.refresh(true), signal)
      if (this.#follower.table !== undefined) continue
      const { failure } = this.#follower
      const passing = failure === undefined || isNotMine(failure) || mayAskAgain('getPartitions', failure)
      if (!passing) throw failure
      if (this.#options.clock.monotonicMs() >= untilMs) {
        const message = `metadata is not reached within ${this.#timeoutMs} ms: ${failure?.message ?? ''}`
        throw new UnreachedError(message, { sent: false })
      }
      await this.#pause(attempt, untilMs, signal)
    }
  }

  /** Half of it is random, so that those who were turned away together do not come back in one instant. */
  async #pause(attempt: number, untilMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, random } = this.#options
    const jitter = (random.bytes(1)[0] ?? 0) / 255
    const pauseMs = Math.min(METADATA_REROUTE_MS_MAX, METADATA_REROUTE_MS_MIN * 2 ** attempt)
    const leftMs = Math.max(1, untilMs - clock.monotonicMs())
    await clock.sleep(Math.min(leftMs, pauseMs * (0.5 + jitter / 2)), signal)
  }

  async #list<K extends ListingOperation, Entry>(
    kind: ListingKind<K, Entry>,
    request: MetadataRequestInit<K>,
    call: Call,
  ): Promise<MetadataReply<K>> {
    return await listAcross(kind, request, {
      ask: (page, signal) =>
        this.#send(kind.operation, page, { ...call, signal }, this.#finder(locate(kind.operation, page))),
      after: (position) => this.#follower.table?.after(position)?.start,
      signal: call.signal,
    })
  }

  async #divide<K extends DividedOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    call: Call,
    attempt = 0,
  ): Promise<MetadataReply<K>> {
    const table = await this.#knownTable(call)
    const whose = (position: Position): Target | undefined =>
      this.#follower.targetOf((this.#follower.table ?? table).at(position).owner)
    return await divided(operation, request, whose, async (target, some) => {
      const positions = locate(operation, some)
      const find = (): Target | undefined => {
        const targets = new Set(positions.to === 'places' ? positions.positions.map(whose) : [])
        return targets.size === 1 ? [...targets][0] : undefined
      }
      try {
        if (target === undefined) throw nobodyOwnsIt()
        return await this.#ask(operation, some, call, target, find)
      } catch (error) {
        await this.#recover(operation, error, call, attempt, { table, target, find })
        // Its keys may be those of several owners by now.
        return await this.#divide(operation, some, call, attempt + 1)
      }
    })
  }

  /** The coordinator, who knows most, and then whoever answers. */
  async #askAnybody(request: MetadataRequestInit<'getPartitions'>, call: Call): Promise<GetPartitionsReply> {
    const { clock } = this.#options
    for (let attempt = 0; ; attempt++) {
      const table = await this.#knownTable(call)
      const root = this.#follower.targetOf(table.rootOwner)
      const all = new Set([...(root === undefined ? [] : [root]), ...this.#follower.candidates])
      let failure: unknown
      for (const target of all) {
        const until = Math.min(call.untilMs, clock.monotonicMs() + METADATA_MAP_TIMEOUT_MS)
        try {
          const find = (): Target => target
          const reply = await this.#ask('getPartitions', request, { ...call, untilMs: until }, target, find)
          if (reply.map !== undefined) this.#follower.learn(reply, target)
          return reply
        } catch (error) {
          if (!isNotMine(error) && !mayAskAgain('getPartitions', error)) throw error
          failure = error
        }
      }
      if (clock.monotonicMs() >= call.untilMs) throw failure
      await this.#pause(attempt, call.untilMs, call.signal)
    }
  }

  /** The map is another, or processes are elsewhere. */
  #news(): void {
    const { table } = this.#follower
    if (table === undefined || this.#closed) return
    const [first] = table.partitions
    const sole = table.partitions.length === 1 && first?.owner === table.rootOwner
    const target = sole ? this.#follower.targetOf(table.rootOwner) : undefined
    this.#only = target?.connection.begin === undefined ? target?.connection : undefined
    this.#flights.recheck(table)
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new UnreachedError('this client of metadata is closed', { sent: false, final: true })
  }
}

function isNotMine(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.NOT_MINE
}

/** Whether a failed request may go to another process, or to the same one again. */
function mayAskAgain(operation: MetadataOperation, error: unknown): boolean {
  if (!(error instanceof MetadataError) || error.code !== FailureCode.UNAVAILABLE) return false
  if (!(error instanceof UnreachedError)) return isRepeatable(operation)
  return !error.final && (!error.sent || isRepeatable(operation))
}

function nobodyOwnsIt(): UnreachedError {
  return new UnreachedError('the map names no owner that could be asked', { sent: false })
}

function nobodyTakesIt(timeoutMs: number): UnreachedError {
  const message = `every metadata process asked says that the range is another's, for ${timeoutMs} ms; nothing was done`
  return new UnreachedError(message, { sent: false })
}
