import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { MEMBER_TTL_MS } from '../../core/limits.ts'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Members } from '../coordination/members.ts'
import type { OwnMember } from '../coordination/own-member.ts'
import type { MapPlan, PartitionMaps } from '../coordination/partition-maps.ts'
import { withOwners } from '../host/map-plans.ts'

/** It is looked at again with the next look at the members. */
class MapChangedError extends Error {
  override readonly name = 'MapChangedError'

  constructor() {
    super('the partition map has changed meanwhile')
  }
}

export interface FailoverOptions {
  readonly self: string
  readonly member: OwnMember
  readonly members: Members
  readonly maps: PartitionMaps
  /** Whether this process has the root, and serves it. */
  readonly hasRoot: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/**
 * Gives what dead processes owned to the living: the root to whoever lives and comes first, and partitions, by whoever has the root, to
 * those that have the fewest. Called after each look at the members; one call at a time.
 */
export class Failover {
  readonly #options: FailoverOptions
  #running = false
  /** Since when the root has been without an owner that lives, on the monotonic clock. */
  #rootlessMs: number | undefined

  constructor(options: FailoverOptions) {
    this.#options = options
  }

  async look(): Promise<void> {
    const { member, log } = this.#options
    if (this.#running || !member.held) return
    this.#running = true
    try {
      await this.#takeRoot()
      if (this.#options.hasRoot()) await this.#assign()
    } catch (error) {
      log.debug('what a dead metadata process owned could not be given away yet', { error })
    } finally {
      this.#running = false
    }
  }

  async #takeRoot(): Promise<void> {
    const { self, maps, members, clock, log } = this.#options
    const owner = maps.map.rootOwner
    if (owner === self || (owner !== '' && !members.seemsDead(owner))) {
      this.#rootlessMs = undefined
      return
    }
    const now = clock.monotonicMs()
    this.#rootlessMs ??= now
    // The first of the living does it; should it not come to it, any other does.
    const first = members.alive.find(({ leaving }) => !leaving)?.id
    if (first !== self && now - this.#rootlessMs < MEMBER_TTL_MS) return
    const { version } = await maps.refresh()
    if (owner !== '' && !(await members.expel(owner))) return
    const map = await this.#changeOf(version, (before) =>
      before.rootOwner === owner ? { rootOwner: self } : {},
    )
    if (map.rootOwner === self) {
      log.info('this metadata process has the root now', { node: self, before: owner })
    }
  }

  async #assign(): Promise<void> {
    const { maps, members, log } = this.#options
    if (this.#orphans(maps.map).length === 0) return
    const map = await maps.refresh()
    const orphans = this.#orphans(map)
    if (orphans.length === 0) return
    for (const owner of new Set(orphans.map(({ owner: dead }) => dead))) {
      if (owner !== '' && !(await members.expel(owner))) return
    }
    const dead = new Set(orphans.map(({ owner }) => owner))
    await this.#changeOf(map.version, (before) => {
      const left = this.#orphans(before).filter(({ owner }) => dead.has(owner))
      const owners = this.#shareOut(before, left)
      if (owners.size > 0) {
        log.info('partitions are given to others', {
          partitions: [...owners].map(([id, to]) => `${id} to ${to}`).join(', '),
        })
      }
      return withOwners(before, owners)
    })
  }

  /**
   * Changes the map if it is at this version still, by which the dead are known to be gone.
   * @throws {MapChangedError} it is not: one of them may have come back
   */
  #changeOf(version: bigint, plan: MapPlan): Promise<PartitionMap> {
    return this.#options.maps.change((map) => {
      if (map.version !== version) throw new MapChangedError()
      return plan(map)
    })
  }

  #orphans(map: PartitionMap): { id: number; owner: string; engine: string }[] {
    const { members } = this.#options
    return map.partitions
      .filter(({ owner }) => owner === '' || members.seemsDead(owner))
      .map(({ id, owner, engine }) => ({ id: Number(id), owner, engine }))
  }

  /** Each to the one that has the fewest of those that reach its engine. */
  #shareOut(
    map: PartitionMap,
    orphans: readonly { readonly id: number; readonly engine: string }[],
  ): Map<number, string> {
    const able = this.#options.members.alive.filter(({ leaving }) => !leaving)
    const counts = new Map(able.map(({ id }) => [id, 0]))
    for (const { owner } of map.partitions) {
      const count = counts.get(owner)
      if (count !== undefined) counts.set(owner, count + 1)
    }
    const owners = new Map<number, string>()
    for (const { id, engine } of orphans) {
      const [best] = able
        .filter(({ engines }) => engines.includes(engine))
        .sort((one, other) => (counts.get(one.id) ?? 0) - (counts.get(other.id) ?? 0))
      if (best === undefined) continue
      owners.set(id, best.id)
      counts.set(best.id, (counts.get(best.id) ?? 0) + 1)
    }
    return owners
  }
}
