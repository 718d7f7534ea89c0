import { NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../core/limits.ts'
import { NodeCondition } from '../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { StorageStatus } from '../proto/shard-transport.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'

/** What membership needs of a storage node. */
export interface Member {
  /** Looks at the disk again. */
  recheck(): Promise<void>
  status(): Promise<StorageStatus>
  learnEpoch(epoch: number): void
}

export interface MembershipOptions {
  readonly member: Member
  /** `host:port` of the shard server; empty when it is in this process. */
  readonly address: string
  /** The cluster the node's folder belongs to; empty while it is not known. */
  readonly clusterId: string
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export interface Membership {
  /** Ends the heartbeats; the lease runs out by itself. */
  close(): Promise<void>
}

/**
 * Keeps the node's lease in metadata: a heartbeat every NODE_HEARTBEAT_MS that says whether it takes writes, and from
 * whose reply it learns the epoch of the cluster map. While metadata is away the node serves on, and heartbeats go on.
 */
export function startMembership(options: MembershipOptions): Membership {
  const ending = new AbortController()
  const running = beat(options, ending.signal)
  return {
    async close() {
      ending.abort()
      await running
    },
  }
}

async function beat(options: MembershipOptions, ending: AbortSignal): Promise<void> {
  const { clock, log } = options
  let away = false
  while (!ending.aborted) {
    try {
      await heartbeat(options, ending)
      if (away) log.info('metadata is back')
      away = false
    } catch (error) {
      // Once, not every second and a half.
      if (!away && !ending.aborted) log.warn('heartbeat failed; trying on', { error: String(error) })
      away = true
    }
    // Rejects only when the node closes, which the loop sees.
    await clock.sleep(NODE_HEARTBEAT_MS, ending).catch(() => undefined)
  }
}

async function heartbeat(options: MembershipOptions, ending: AbortSignal): Promise<void> {
  const { member, address, clusterId, metadata, clock, log } = options
  await member.recheck()
  const { node, zone, writable, reason, usedBytes, freeBytes } = await member.status()
  const late = new AbortController()
  const stop = clock.after(NODE_LEASE_MS, () => {
    late.abort()
  })
  try {
    const reply = await metadata.call(
      'heartbeat',
      {
        zone,
        node: {
          node,
          up: true,
          address,
          condition: writable ? NodeCondition.WRITABLE : NodeCondition.READ_ONLY,
          reason,
          usedBytes: BigInt(usedBytes),
          freeBytes: BigInt(freeBytes),
        },
      },
      AbortSignal.any([ending, late.signal]),
    )
    if (clusterId !== '' && reply.clusterId !== '' && reply.clusterId !== clusterId) {
      log.error("metadata is another cluster's", { expected: clusterId, found: reply.clusterId })
      return
    }
    member.learnEpoch(Number(reply.epoch))
  } finally {
    stop()
  }
}
