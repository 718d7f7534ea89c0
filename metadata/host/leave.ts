import { LEAVE_AT_ONCE, LEAVE_MS_MAX, LEAVE_RETRY_MS } from '../../core/limits.ts'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Members } from '../coordination/members.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { PartitionChanges } from './changes.ts'
import type { Peers } from './peers.ts'

export interface LeaveOptions {
  readonly self: string
  readonly maps: PartitionMaps
  readonly members: Members
  readonly changes: PartitionChanges
  readonly peers: Peers
  readonly clock: Clock
  readonly log: Log
}

/** The root, or a partition. */
interface Holding {
  readonly id: number
  readonly engine: string
}

/**
 * Gives all that this process owns to others that live and reach its engine, a few at a time, so that nobody waits for longer than a
 * move takes. What nobody can take, or not in time, is left to be found when this process is gone. Never rejects.
 */
export async function giveAway(options: LeaveOptions): Promise<void> {
  const { self, maps, members, peers, clock, log } = options
  const untilMs = clock.monotonicMs() + LEAVE_MS_MAX
  // Whoever is to take over may have started just now; one that does not answer may be gone.
  await members.refresh()
  const asked = await Promise.all(
    members.alive
      .filter(({ id, leaving }) => id !== self && !leaving)
      .map(async (member) => {
        const reply = await peers.call(member.id, 'getPartitions', {}).catch(() => undefined)
        return reply === undefined ? [] : [member]
      }),
  )
  const able = asked.flat()
  const given = new Map<string, number>()
  const takerOf = ({ engine }: Holding): string | undefined => {
    const load = (id: string): number => ownedBy(maps.map, id).length + (given.get(id) ?? 0)
    const reaching = able.filter(({ engines }) => engines.includes(engine)).map(({ id }) => id)
    return reaching.toSorted((one, other) => load(one) - load(other))[0]
  }
  const toGive = (): Holding[] => ownedBy(maps.map, self).filter((one) => takerOf(one) !== undefined)
  const work = async (left: Holding[]): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const to = takerOf(one)
      if (to === undefined) continue
      given.set(to, (given.get(to) ?? 0) + 1)
      await give(options, one.id, to, untilMs)
      given.set(to, (given.get(to) ?? 1) - 1)
    }
  }
  // Whoever has not heard yet that this process leaves may give it more meanwhile.
  for (let left = toGive(); left.length > 0 && clock.monotonicMs() < untilMs; left = toGive()) {
    const some = left
    await Promise.all(Array.from({ length: LEAVE_AT_ONCE }, () => work(some)))
  }
  const kept = ownedBy(maps.map, self)
  if (kept.length > 0) {
    log.warn('nobody could take what this metadata process owns', { partitions: kept.length })
  }
}

async function give(
  { changes, peers, maps, self, clock, log }: LeaveOptions,
  id: number,
  to: string,
  untilMs: number,
): Promise<void> {
  while (ownedBy(maps.map, self).some((one) => one.id === id)) {
    try {
      await (id === 0 ? changes.moveRoot(to) : changes.move(id, to))
      // It would find out by itself, a little later.
      await peers.call(to, 'getPartitions', { fresh: true }).catch(() => undefined)
      return
    } catch (error) {
      log.debug('a partition could not be given away yet', { partition: id, to, error })
      if (clock.monotonicMs() >= untilMs) return
      await clock.sleep(LEAVE_RETRY_MS)
    }
  }
}

/** The root first: without it, others wait for whatever is the cluster's. */
function ownedBy(map: PartitionMap, node: string): Holding[] {
  const partitions = map.partitions
    .filter(({ owner }) => owner === node)
    .map(({ id, engine }) => ({ id: Number(id), engine }))
  return map.rootOwner === node ? [{ id: 0, engine: map.coordinationEngine }, ...partitions] : partitions
}
