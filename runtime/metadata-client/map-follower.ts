import { METADATA_MAP_ASKED, METADATA_MAP_PAUSE_MS, METADATA_MAP_TIMEOUT_MS } from '../../core/limits.ts'
import { FailureCode, type GetPartitionsReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataMember } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../ports/clock.ts'
import type { MemberConnection, MemberPlace } from './connection.ts'
import { UnreachedError } from './failure.ts'
import { PartitionTable } from './partition-table.ts'

export interface MapFollowerOptions {
  /** Processes to begin with, any of which knows the map and all others. */
  readonly seeds: readonly MemberPlace[]
  readonly connect: (place: MemberPlace) => MemberConnection
  readonly clock: Clock
  /** Called when another map, or another place of a process, has become known. */
  readonly onNews: () => void
}

/** A process that requests go to. There is one object for each address, or id in this process, as long as it is in use. */
export interface Target {
  readonly connection: MemberConnection
  /** It is in this process. */
  readonly local: boolean
  /** Requests that it has. */
  flights: number
}

/**
 * Knows the partition map and where its owners are, as far as somebody told. It learns when it is asked to {@link refresh},
 * and never goes back to an older map.
 */
export class MapFollower {
  readonly #options: MapFollowerOptions
  readonly #seeds: readonly Target[]
  /** By address, or id within this process. */
  readonly #connected = new Map<string, Target>()
  /** By id: the latest that was heard of each owner and of all that are alive. */
  #members = new Map<string, MetadataMember>()
  /** By id. */
  #targets = new Map<string, Target>()
  #table: PartitionTable | undefined
  #refreshing: { readonly fresh: boolean; readonly done: Promise<void> } | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  #turn = 0
  #failure: Error | undefined

  constructor(options: MapFollowerOptions) {
    this.#options = options
    this.#seeds = options.seeds.map((place) => this.#targetAt(place))
  }

  /** The newest map that is known; undefined before the first answer. */
  get table(): PartitionTable | undefined {
    return this.#table
  }

  /** Why the last question about the map was not answered. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Where a metadata node is; undefined while that is not known, or for the empty id. */
  targetOf(id: string): Target | undefined {
    return this.#targets.get(id)
  }

  /** All processes that may answer about the map, those first that are known to be alive. */
  get candidates(): readonly Target[] {
    return [...new Set([...this.#targets.values(), ...this.#seeds])]
  }

  /**
   * Asks some processes for the map; resolves when one has answered, or none will. Never rejects. Callers at the same time
   * share one question, and so do callers in quick succession.
   * @param fresh asks for what the engine has, not for what they have followed: for when the known map just failed
   */
  refresh(fresh: boolean): Promise<void> {
    const running = this.#refreshing
    if (running !== undefined && (running.fresh || !fresh)) return running.done
    const done = this.#ask(fresh).finally(() => {
      if (this.#refreshing?.done === done) this.#refreshing = undefined
    })
    this.#refreshing = { fresh, done }
    return done
  }

  /** Takes what a process told of the map. */
  learn(reply: GetPartitionsReply, from: Target): void {
    const known = this.#table
    const { map } = reply
    // It lags behind, in all that it says.
    if (map !== undefined && known !== undefined && map.version < known.version) return
    if (map === undefined && known === undefined) {
      throw new MetadataError(FailureCode.INTERNAL, 'metadata told no partition map')
    }
    const newer = map !== undefined && map.version !== known?.version
    const table = newer ? new PartitionTable(map) : known
    if (table === undefined) return
    const members = this.#mergedMembers(reply.members, table)
    const targets = this.#targetsOf(members, table, reply.self, from)
    const moved =
      targets.size !== this.#targets.size || [...targets].some(([id, t]) => this.#targets.get(id) !== t)
    this.#table = table
    this.#members = members
    this.#targets = targets
    this.#prune()
    if (newer || moved) this.#options.onNews()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connected.values()].map(async ({ connection }) => connection.close?.()))
  }

  async #ask(fresh: boolean): Promise<void> {
    const { clock } = this.#options
    const waitMs = this.#askedAtMs + METADATA_MAP_PAUSE_MS - clock.monotonicMs()
    if (waitMs > 0) await clock.sleep(waitMs)
    this.#askedAtMs = clock.monotonicMs()
    const all = this.candidates
    const asked = Array.from({ length: Math.min(METADATA_MAP_ASKED, all.length) }, () => {
      this.#turn = (this.#turn + 1) % all.length
      return all[this.#turn]
    }).filter((target) => target !== undefined)
    const { promise: settled, resolve } = Promise.withResolvers<undefined>()
    let left = asked.length
    for (const target of asked) {
      void this.#askOne(target, fresh).then((answered) => {
        left--
        if (answered || left === 0) resolve(undefined)
      })
    }
    await settled
  }

  /** Whether it answered. What comes after others have answered is taken all the same. */
  async #askOne(target: Target, fresh: boolean): Promise<boolean> {
    const giveUp = new AbortController()
    const cancel = this.#options.clock.after(METADATA_MAP_TIMEOUT_MS, () => {
      const message = `no answer about the partition map within ${METADATA_MAP_TIMEOUT_MS} ms`
      giveUp.abort(new UnreachedError(message, { sent: false }))
    })
    try {
      const knownVersion = this.#table?.version ?? 0n
      const request = { knownVersion, fresh }
      this.learn(await target.connection.call('getPartitions', request, giveUp.signal), target)
      return true
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      return false
    } finally {
      cancel()
    }
  }

  /** Those that are alive, and owners of which it was known where they are: who does not hear of them may be who is cut off. */
  #mergedMembers(told: readonly MetadataMember[], table: PartitionTable): Map<string, MetadataMember> {
    const members = new Map<string, MetadataMember>()
    for (const id of table.owners) {
      const before = this.#members.get(id)
      if (before !== undefined) members.set(id, before)
    }
    for (const member of told) {
      const before = this.#members.get(member.id)
      const older = before !== undefined && before.startedMs > member.startedMs
      members.set(member.id, older ? before : member)
    }
    return members
  }

  #targetsOf(
    members: ReadonlyMap<string, MetadataMember>,
    table: PartitionTable,
    self: string,
    from: Target,
  ): Map<string, Target> {
    const targets = new Map<string, Target>()
    for (const id of new Set([...members.keys(), ...table.owners])) {
      const member = members.get(id)
      // A process of this program, or one that is alone, is where it answered from, whatever it says of its address: behind a
      // forwarded port, too.
      const here = id === self && (from.local || members.size <= 1)
      const target = here ? from : member === undefined ? undefined : this.#targetAt(member)
      const known = target ?? this.#targets.get(id)
      if (known !== undefined) targets.set(id, known)
    }
    return targets
  }

  #targetAt({ id, address }: MemberPlace): Target {
    const name = address === '' ? id : address
    let target = this.#connected.get(name)
    if (target === undefined) {
      target = { connection: this.#options.connect({ id, address }), local: address === '', flights: 0 }
      this.#connected.set(name, target)
    }
    return target
  }

  /** Lets go of processes that nobody speaks of any more. */
  #prune(): void {
    const used = new Set([...this.#seeds, ...this.#targets.values()])
    for (const [name, target] of this.#connected) {
      if (used.has(target) || target.flights > 0) continue
      this.#connected.delete(name)
      void target.connection.close?.()
    }
  }
}
