import {
  BACKUP_HOLD_ANSWER_MS,
  BACKUP_HOLD_MS_MAX,
  BACKUP_MOMENT_MS_MAX,
  BACKUP_MOMENT_RETRY_MS,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { Engine } from '../engine/engine.ts'
import type { CommitHolds } from '../host/commit-holds.ts'
import type { Peers } from '../host/peers.ts'
import { NamedLocks } from '../partition/locks.ts'
import { foreignRecords } from './foreign-records.ts'

/** An engine that holds some of the cluster's metadata. */
export interface BackedUpEngine {
  readonly id: string
  readonly engine: Engine
  /** Whether a key of it is none of the cluster's records; absent: all are. */
  readonly isForeign?: (key: Uint8Array) => boolean
}

/** Looks at engines as they are at one moment, and undoes that where it was not one. */
export interface Look<T> {
  readonly open: (engines: readonly BackedUpEngine[]) => Promise<T>
  readonly undo: (opened: T) => Promise<void>
}

export interface Looked<T> {
  readonly opened: T
  /** For which commits were held; 0: they were not. */
  readonly heldMs: number
}

export interface MomentsOptions {
  readonly self: string
  readonly maps: Pick<PartitionMaps, 'map' | 'refresh'>
  /** Those that this process reaches, by their ids. */
  readonly engines: ReadonlyMap<string, { readonly engine: Engine }>
  readonly holds: Pick<CommitHolds, 'hold' | 'release'>
  readonly peers: Pick<Peers, 'call'>
  readonly clock: Clock
  readonly random: Random
}

/** The attempt came to nothing: what was opened may be of several moments. */
class MomentMissedError extends Error {
  override readonly name = 'MomentMissedError'
}

/**
 * One moment of all engines that the partitions lie on. The snapshot of one engine is of one moment by itself. For several, every
 * process that owns something holds its commits while their snapshots are opened. It counts only if each of them says afterwards that it held
 * them throughout, and the partition map is the one it was: then nobody else can have committed either. A process that dies or is slow,
 * or a change of the map, makes the attempt void, and there is another, for a bounded time.
 */
export class Moments {
  readonly #options: MomentsOptions
  /** One hold after another: two at once, each half made, would wait for each other. */
  readonly #turns = new NamedLocks()

  constructor(options: MomentsOptions) {
    this.#options = options
  }

  /** @throws {MetadataError} BACKUP_REFUSED when there is no such moment to be had now; what the look throws */
  async look<T>(look: Look<T>): Promise<Looked<T>> {
    const { engines, maps, clock } = this.#options
    const [only] = engines
    if (engines.size === 1 && only !== undefined && enginesOf(maps.map).every((id) => id === only[0])) {
      return { opened: await look.open([{ id: only[0], engine: only[1].engine }]), heldMs: 0 }
    }
    const untilMs = clock.monotonicMs() + BACKUP_MOMENT_MS_MAX
    for (;;) {
      const end = await this.#turns.exclusive('hold')
      try {
        return await this.#attempt(look)
      } catch (error) {
        if (!(error instanceof MomentMissedError)) throw error
        if (clock.monotonicMs() >= untilMs) {
          const message = `no one moment of all metadata engines could be had, for ${error.message}`
          throw new MetadataError(FailureCode.BACKUP_REFUSED, message, {}, { cause: error })
        }
      } finally {
        end()
      }
      await clock.sleep(BACKUP_MOMENT_RETRY_MS)
    }
  }

  async #attempt<T>(look: Look<T>): Promise<Looked<T>> {
    const { maps } = this.#options
    const table = new PartitionTable(await maps.refresh())
    const engines = this.#enginesOf(table)
    const release = engines.length === 1 ? undefined : await this.#hold(table)
    const [outcome] = await Promise.allSettled([look.open(engines)])
    const heldMs = release === undefined ? 0 : await release()
    if (outcome.status === 'rejected') throw outcome.reason
    const opened = outcome.value
    try {
      if (heldMs === undefined) {
        throw new MomentMissedError('not every metadata process held its commits for long enough')
      }
      // It only ever goes forward: it was this one all the time.
      if ((await maps.refresh()).version === table.version) return { opened, heldMs }
      throw new MomentMissedError('the partition map was being changed')
    } catch (error) {
      await look.undo(opened)
      throw error
    }
  }

  /** Those that the map names, the coordination engine first. @throws {MetadataError} BACKUP_REFUSED */
  #enginesOf(table: PartitionTable): BackedUpEngine[] {
    const { engines, self } = this.#options
    const ids = enginesOf(table.map)
    return ids.map((id) => {
      const found = engines.get(id)
      if (found === undefined) {
        const message = `the metadata process ${self}, which takes the backup, does not reach engine ${id}`
        throw new MetadataError(FailureCode.BACKUP_REFUSED, message)
      }
      return { id, engine: found.engine, isForeign: foreignRecords(table, id) }
    })
  }

  /**
   * Resolves when nobody who owns anything commits.
   * @returns what ends it, and resolves to the time for which commits were held; to undefined if not all were, all the time
   * @throws {MomentMissedError} with nothing held
   */
  async #hold(table: PartitionTable): Promise<() => Promise<number | undefined>> {
    const { self, holds, peers, clock, random } = this.#options
    const { owners, version } = table
    if (table.rootOwner === '' || table.partitions.some(({ owner }) => owner === '')) {
      throw new MomentMissedError('a partition is served by nobody')
    }
    const others = [...owners].filter((owner) => owner !== self)
    // Nobody holds anything while one is waited for that is gone.
    const ask = (owner: string) =>
      peers.call(owner, 'getPartitions', { knownVersion: version }, BACKUP_HOLD_ANSWER_MS)
    await allOf(others.map(ask))
    const request = { id: newIdentifier(clock, random), mapVersion: version, holdMs: BACKUP_HOLD_MS_MAX }
    const sinceMs = clock.monotonicMs()
    const release = async (): Promise<number | undefined> => {
      const { id } = request
      const answers = await Promise.all(
        [...owners].map(async (owner) => {
          if (owner === self) return holds.release({ id }).held
          const answer = peers.call(owner, 'releaseCommits', { id }, BACKUP_HOLD_ANSWER_MS)
          return await answer.then(({ held }) => held).catch(() => false)
        }),
      )
      return answers.every(Boolean) ? clock.monotonicMs() - sinceMs : undefined
    }
    try {
      await allOf(
        [...owners].map((owner) =>
          owner === self
            ? holds.hold(request)
            : peers.call(owner, 'holdCommits', request, BACKUP_HOLD_ANSWER_MS),
        ),
      )
    } catch (error) {
      await release()
      throw error
    }
    return release
  }
}

/** Ids of the engines that hold something, the coordination engine first. */
function enginesOf({ coordinationEngine, partitions }: PartitionMap): string[] {
  return [...new Set([coordinationEngine, ...partitions.map(({ engine }) => engine)])]
}

/** Waits for all, however they end. @throws {MomentMissedError} if any failed */
async function allOf(asked: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(asked)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return
  const reason: unknown = failed.reason
  throw new MomentMissedError(reason instanceof Error ? reason.message : String(reason), { cause: reason })
}
