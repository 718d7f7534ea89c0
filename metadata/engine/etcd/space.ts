import { create } from '@bufbuild/protobuf'
import {
  ETCD_QUOTA_LAST_SHARE,
  ETCD_QUOTA_PRESSED_SHARE,
  ETCD_QUOTA_STOP_SHARE,
  ETCD_SMALL_BATCH_BYTES,
  ETCD_SPACE_LOOK_MS,
} from '../../../core/limits.ts'
import {
  Maintenance,
  StatusRequestSchema,
  type StatusResponse,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { EngineFullError, type EngineSpace } from '../engine.ts'
import { EtcdError } from './errors.ts'
import type { Members } from './members.ts'
import { methodOf } from './rpc.ts'

const statusMethod = methodOf(Maintenance.method.status)

export interface MemberStatus {
  readonly endpoint: string
  readonly status: StatusResponse
}

/**
 * How full the ensemble is. etcd holds the size of a member's file against its quota, free pages within it included
 * (server/storage/quota.go), so that is what counts; compaction and defragmentation make it smaller.
 */
export class Space {
  readonly #members: Pick<Members, 'endpoints' | 'callAt'>
  readonly #clock: Clock
  readonly #quotaBytes: number
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #space: EngineSpace
  /** Bytes put by this process since the last look began, and between that and the one before: a member's size lags behind. */
  #putBytes = 0
  #putBytesBefore = 0

  constructor(members: Pick<Members, 'endpoints' | 'callAt'>, clock: Clock, quotaBytes: number) {
    this.#members = members
    this.#clock = clock
    this.#quotaBytes = quotaBytes
    this.#space = { usedBytes: 0, quotaBytes }
  }

  /** Whether old revisions are worth less than the space they take. */
  get pressed(): boolean {
    return this.#share() >= ETCD_QUOTA_PRESSED_SHARE
  }

  /** Not older than ETCD_SPACE_LOOK_MS. @throws {EtcdError} no member answers */
  async look(): Promise<EngineSpace> {
    if (this.#clock.monotonicMs() - this.#lookedAt >= ETCD_SPACE_LOOK_MS) {
      await (this.#looking ??= this.#look())
    }
    return this.#space
  }

  /**
   * Whether there is room for `bytes` more, from what was known last and what was put since; looks anew behind that, so that no
   * commit waits. What is small is let through for longer: a process says by such a put that it lives, and takes a partition over by
   * one, and without either nothing could be read or deleted.
   * @throws {EngineFullError}
   */
  requireMore(bytes: number): void {
    if (this.#clock.monotonicMs() - this.#lookedAt >= ETCD_SPACE_LOOK_MS) {
      // A failure is that of whoever asks next.
      void this.look().catch(() => undefined)
    }
    const { usedBytes, quotaBytes = Number.POSITIVE_INFINITY } = this.#space
    const share = bytes <= ETCD_SMALL_BATCH_BYTES ? ETCD_QUOTA_LAST_SHARE : ETCD_QUOTA_STOP_SHARE
    if (usedBytes + this.#putBytesBefore + this.#putBytes + bytes < quotaBytes * share) {
      this.#putBytes += bytes
      return
    }
    throw new EngineFullError(
      `the etcd ensemble uses ${usedBytes} of ${quotaBytes} bytes: only deletes are taken`,
    )
  }

  /** Of the members that answer. */
  async statuses(): Promise<MemberStatus[]> {
    const answers = await Promise.all(
      this.#members.endpoints.map(async (endpoint): Promise<MemberStatus[]> => {
        try {
          const status = await this.#members.callAt(endpoint, statusMethod, create(StatusRequestSchema))
          return [{ endpoint, status }]
        } catch (error) {
          if (error instanceof EtcdError) return []
          throw error
        }
      }),
    )
    return answers.flat()
  }

  async close(): Promise<void> {
    await this.#looking?.catch(() => undefined)
  }

  #share(): number {
    return this.#space.usedBytes / (this.#space.quotaBytes ?? Number.POSITIVE_INFINITY)
  }

  async #look(): Promise<void> {
    try {
      const putBytes = this.#putBytes
      const statuses = await this.statuses()
      if (statuses.length === 0) throw new Error('no etcd member says how full it is')
      const quotas = statuses.map(({ status }) => Number(status.dbSizeQuota)).filter((quota) => quota > 0)
      this.#space = {
        usedBytes: Math.max(...statuses.map(({ status }) => Number(status.dbSize))),
        // What members say of themselves (3.6) counts before what the address says.
        quotaBytes: quotas.length > 0 ? Math.min(...quotas) : this.#quotaBytes,
      }
      this.#putBytesBefore = putBytes
      this.#putBytes -= putBytes
      this.#lookedAt = this.#clock.monotonicMs()
    } finally {
      this.#looking = undefined
    }
  }
}
