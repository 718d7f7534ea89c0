import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import {
  ETCD_COMPACT_MS,
  ETCD_DEFRAGMENT_BYTES_MIN,
  ETCD_DEFRAGMENT_CALL_MS,
  ETCD_DEFRAGMENT_MS,
  ETCD_DEFRAGMENT_PRESSED_MS,
  ETCD_DEFRAGMENT_PRESSED_SHARE_MIN,
  ETCD_DEFRAGMENT_SHARE_MIN,
  ETCD_RETAIN_MS,
  ETCD_RETAIN_PRESSED_MS,
  ETCD_UPKEEP_MS,
} from '../../../core/limits.ts'
import {
  CompactionRequestSchema,
  DefragmentRequestSchema,
  KV,
  Maintenance,
  RangeRequestSchema,
  TxnRequestSchema,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import type { Random } from '../../../runtime/ports/random.ts'
import { EtcdError } from './errors.ts'
import type { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import type { Reads } from './reads.ts'
import { compareRevision, putOf, rangeMethod, txnMethod } from './requests.ts'
import { methodOf } from './rpc.ts'
import type { MemberStatus, Space } from './space.ts'

const compactMethod = methodOf(KV.method.compact)
const defragmentMethod = methodOf(Maintenance.method.defragment)

interface World {
  readonly members: Members
  readonly keys: EtcdKeys
  readonly reads: Pick<Reads, 'revision'>
  readonly space: Pick<Space, 'pressed' | 'look' | 'statuses'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A turn that was seen: at which revision it was taken, and since when that is so. */
interface Turn {
  readonly revision: bigint
  readonly since: number
}

/**
 * Compaction and defragmentation, by one process at a time though all try: whoever has seen a key unchanged for as long as the pause
 * lasts, by its own clock, puts it anew if it is still unchanged, and then has the turn. So it goes on whoever dies, and nobody
 * has to be chosen.
 *
 * Other clusters in the same ensemble compact it, too. That does no harm as long as none of them keeps less.
 */
export class Upkeep {
  readonly #world: World
  readonly #turns = new Map<string, Turn>()
  /** Revisions as they were at times past, the oldest first. */
  readonly #revisions: { readonly at: number; readonly revision: bigint }[] = []
  #stopTimer: () => void = () => undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false
  /** Compaction and defragmentation are for etcd's root alone, where it asks for users. */
  #forbidden = false

  constructor(world: World) {
    this.#world = world
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopTimer()
    await this.#running
  }

  #schedule(): void {
    if (this.#closed) return
    this.#stopTimer = this.#world.clock.after(ETCD_UPKEEP_MS, () => {
      this.#running = this.#run().finally(() => {
        this.#schedule()
      })
    })
  }

  async #run(): Promise<void> {
    const { space, log } = this.#world
    try {
      await space.look()
      await this.#compact(space.pressed)
      if (!this.#closed) await this.#defragment(space.pressed)
    } catch (error) {
      if (error instanceof EtcdError && error.code === status.PERMISSION_DENIED) {
        if (!this.#forbidden) {
          log.warn('etcd: this user may not compact or defragment; somebody else has to', { error })
        }
        this.#forbidden = true
      } else log.warn('etcd: upkeep failed', { error })
    }
  }

  async #compact(pressed: boolean): Promise<void> {
    const { members, reads, clock, log } = this.#world
    const now = clock.monotonicMs()
    this.#revisions.push({ at: now, revision: await reads.revision() })
    const retainMs = pressed ? ETCD_RETAIN_PRESSED_MS : ETCD_RETAIN_MS
    const old = this.#revisions.findLastIndex(({ at }) => now - at >= retainMs)
    const oldest = this.#revisions[old]
    // Looked at in any case: the pause counts from when the key was first seen.
    const due = await this.#mayTake('compact', pressed ? ETCD_RETAIN_PRESSED_MS : ETCD_COMPACT_MS)
    if (oldest === undefined) return
    this.#revisions.splice(0, old)
    if (!due || !(await this.#take('compact'))) return
    try {
      await members.call(compactMethod, create(CompactionRequestSchema, { revision: oldest.revision }))
      log.debug('etcd: compacted', { revision: Number(oldest.revision) })
    } catch (error) {
      // Another has compacted further.
      if (!(error instanceof EtcdError && error.kind === 'compacted')) throw error
    }
  }

  /** A member at a time, each only while all others answer, and the leader last: a member that is defragmented answers nobody. */
  async #defragment(pressed: boolean): Promise<void> {
    const { members, space, log } = this.#world
    const pauseMs = pressed ? ETCD_DEFRAGMENT_PRESSED_MS : ETCD_DEFRAGMENT_MS
    if (!(await this.#mayTake('defragment', pauseMs))) return
    const wasteful = (await space.statuses()).filter((one) => isWasteful(one, pressed)).sort(leaderLast)
    if (wasteful.length === 0 || !(await this.#take('defragment'))) return
    for (const { endpoint } of wasteful) {
      const answering = (await space.statuses()).length
      if (this.#closed || answering < members.endpoints.length) return
      // Those who call move on to the next member, before this one makes them wait.
      members.leave(endpoint)
      log.info('etcd: defragmenting a member', { endpoint })
      await members.callAt(
        endpoint,
        defragmentMethod,
        create(DefragmentRequestSchema),
        ETCD_DEFRAGMENT_CALL_MS,
      )
    }
  }

  async #mayTake(name: string, pauseMs: number): Promise<boolean> {
    const { members, keys, clock } = this.#world
    const { kvs } = await members.call(rangeMethod, create(RangeRequestSchema, { key: keys.upkeep(name) }))
    const revision = kvs[0]?.modRevision ?? 0n
    const now = clock.monotonicMs()
    const seen = this.#turns.get(name)
    if (seen?.revision === revision) return now - seen.since >= pauseMs
    this.#turns.set(name, { revision, since: now })
    return false
  }

  async #take(name: string): Promise<boolean> {
    const { members, keys, random } = this.#world
    const key = keys.upkeep(name)
    const request = create(TxnRequestSchema, {
      compare: [compareRevision(key, this.#turns.get(name)?.revision ?? 0n)],
      success: [putOf(key, random.bytes(8))],
    })
    return (await members.call(txnMethod, request)).succeeded
  }
}

function isWasteful({ status: { dbSize, dbSizeInUse } }: MemberStatus, pressed: boolean): boolean {
  const unused = Number(dbSize - dbSizeInUse)
  return pressed
    ? unused >= Number(dbSize) * ETCD_DEFRAGMENT_PRESSED_SHARE_MIN
    : unused >= Math.max(ETCD_DEFRAGMENT_BYTES_MIN, Number(dbSize) * ETCD_DEFRAGMENT_SHARE_MIN)
}

function leaderLast(left: MemberStatus, right: MemberStatus): number {
  return Number(isLeader(left)) - Number(isLeader(right))
}

function isLeader({ status: { header, leader } }: MemberStatus): boolean {
  return header?.memberId === leader
}
