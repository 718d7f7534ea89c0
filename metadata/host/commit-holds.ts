import { create } from '@bufbuild/protobuf'
import { BACKUP_HOLD_MS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type HoldCommitsReply,
  HoldCommitsReplySchema,
  type HoldCommitsRequest,
  type ReleaseCommitsReply,
  ReleaseCommitsReplySchema,
  type ReleaseCommitsRequest,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Partition } from '../partition/partition.ts'

export interface CommitHoldsOptions {
  readonly self: string
  /** As it goes by now, and the partitions that it serves by it. */
  readonly host: {
    readonly table: PartitionTable
    byId(id: number): { readonly partition: Partition }
    readonly servedRoot: { readonly parts: { readonly partition: Partition } } | undefined
    refresh(): Promise<void>
  }
  readonly clock: Clock
  readonly log: Log
}

interface Hold {
  readonly partitions: readonly Partition[]
  readonly sinceMs: number
  readonly end: () => void
}

/**
 * Keeps all partitions of this process, and the root if it has it, from committing for a short time, so that the snapshots that are
 * opened of several engines meanwhile show one moment. What is decided waits to be written, and reads are answered. No answer tells of what
 * is not durable, so what is not written yet can have led to nothing elsewhere: no request needs to end for it.
 *
 * A hold ends by itself after its time. Whoever ends it learns whether it was held until then.
 */
export class CommitHolds {
  readonly #options: CommitHoldsOptions
  readonly #holds = new Map<string, Hold>()
  /** Since the process started. */
  readonly counts = { holds: 0, heldMs: 0, expired: 0 }

  constructor(options: CommitHoldsOptions) {
    this.#options = options
  }

  /**
   * Resolves when nothing is on its way to an engine.
   * @throws {MetadataError} NOT_MINE when it goes by another map, or does not serve all that it owns by it; UNAVAILABLE when a commit
   *   did not end within the time of the hold
   */
  async hold({ id, mapVersion, holdMs }: Omit<HoldCommitsRequest, '$typeName'>): Promise<HoldCommitsReply> {
    const { clock, host, log } = this.#options
    if (host.table.version !== mapVersion) await host.refresh()
    const partitions = this.#owned(mapVersion)
    const over = Promise.withResolvers<undefined>()
    const ms = Math.min(holdMs, BACKUP_HOLD_MS_MAX)
    const expire = (): void => {
      if (this.#holds.has(id)) {
        this.counts.expired++
        log.warn('commits were held for a backup that did not go on in time', { hold: id, ms })
      }
      this.#end(id)
    }
    const cancel = clock.after(ms, expire)
    this.#holds.set(id, {
      partitions,
      sinceMs: clock.monotonicMs(),
      end() {
        cancel()
        over.resolve(undefined)
      },
    })
    const quiet = partitions.map((partition) => {
      const reached = Promise.withResolvers<undefined>()
      void partition.betweenCommits(async () => {
        reached.resolve(undefined)
        await over.promise
      })
      return reached.promise
    })
    await Promise.race([Promise.all(quiet), over.promise])
    if (this.#isHeld(id) && host.table.version === mapVersion) return create(HoldCommitsReplySchema)
    this.#end(id)
    throw new MetadataError(FailureCode.UNAVAILABLE, 'what is being written cannot be waited for')
  }

  /** Lets commits go on. One that is over already was not held until now. */
  release({ id }: Omit<ReleaseCommitsRequest, '$typeName'>): ReleaseCommitsReply {
    const held = this.#isHeld(id)
    this.#end(id)
    return create(ReleaseCommitsReplySchema, { held })
  }

  /** One that was stopped, or has failed, may have another owner by now, or be opened anew here. */
  #isHeld(id: string): boolean {
    return this.#holds.get(id)?.partitions.every(({ open }) => open) === true
  }

  #end(id: string): void {
    const hold = this.#holds.get(id)
    if (hold === undefined) return
    this.#holds.delete(id)
    this.counts.holds++
    this.counts.heldMs += this.#options.clock.monotonicMs() - hold.sinceMs
    hold.end()
  }

  /** All that this process owns by the map. @throws {MetadataError} NOT_MINE */
  #owned(mapVersion: bigint): Partition[] {
    const { host, self } = this.#options
    const { table } = host
    if (table.version !== mapVersion) {
      throw new MetadataError(FailureCode.NOT_MINE, 'the partition map is another here')
    }
    const partitions = table.partitions
      .filter(({ owner }) => owner === self)
      .map((mapped) => host.byId(mapped.id).partition)
    if (table.rootOwner !== self) return partitions
    const root = host.servedRoot
    if (root === undefined) {
      throw new MetadataError(FailureCode.NOT_MINE, 'this process does not serve the root yet')
    }
    return [root.parts.partition, ...partitions]
  }
}
