import { INVENTORY_REPORT_MS, NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../core/limits.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type InventorySchema,
  NodeCondition,
  type NodeLivenessSchema,
} from '../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { StorageStatus } from '../proto/shard-transport.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { InventoryCount } from './index/shard-index.ts'

/** What membership needs of a storage node. */
export interface Member {
  /** Looks at the disk again. */
  recheck(): Promise<void>
  status(): Promise<StorageStatus>
  learnEpoch(epoch: number): void
  /** Undefined while it cannot say. */
  inventory(): NodeInventory | undefined
}

/** The blobs of which a shard is on a node. */
export interface NodeInventory {
  /** Another one whenever the counts changed, and after each start. */
  readonly version: number
  readonly counts: readonly InventoryCount[]
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
 * Keeps the node's lease in metadata: a heartbeat every NODE_HEARTBEAT_MS that says how its disk is and, when that
 * changed, what blobs it holds, and from whose reply it learns the epoch of the cluster map. While metadata is away the node serves on, and heartbeats go on.
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
  const reported: Reported = { startedMs: BigInt(clock.nowMs()), version: 0n, atMs: -Infinity }
  let away = false
  while (!ending.aborted) {
    try {
      await heartbeat(options, reported, ending)
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

/** What heartbeats say again and again, and what they need not. */
interface Reported {
  readonly startedMs: bigint
  /** Of the inventory that metadata has. */
  version: bigint
  /** When one was sent last, monotonic. */
  atMs: number
}

async function heartbeat(options: MembershipOptions, reported: Reported, ending: AbortSignal): Promise<void> {
  const { member, clusterId, metadata, clock, log } = options
  await member.recheck()
  const status = await member.status()
  const inventory = inventoryToSend(member, reported, clock.monotonicMs())
  const late = new AbortController()
  const stop = clock.after(NODE_LEASE_MS, () => {
    late.abort()
  })
  try {
    const reply = await metadata.call(
      'heartbeat',
      {
        zone: status.zone,
        clusterId,
        node: { ...livenessOf(status, options.address), startedMs: reported.startedMs },
        ...(inventory === undefined ? {} : { inventory }),
      },
      AbortSignal.any([ending, late.signal]),
    )
    if (clusterId !== '' && reply.clusterId !== '' && reply.clusterId !== clusterId) {
      log.error("metadata is another cluster's", { expected: clusterId, found: reply.clusterId })
      return
    }
    reported.version = reply.inventoryVersion
    member.learnEpoch(Number(reply.epoch))
  } finally {
    stop()
  }
}

/** The node's inventory, where metadata has another and was not sent one just now. */
function inventoryToSend(
  member: Member,
  reported: Reported,
  nowMs: number,
): MessageInitShape<typeof InventorySchema> | undefined {
  const inventory = member.inventory()
  if (inventory === undefined) return undefined
  const { version, counts } = inventory
  if (BigInt(version) === reported.version || nowMs - reported.atMs < INVENTORY_REPORT_MS) return undefined
  reported.atMs = nowMs
  return {
    version: BigInt(version),
    lines: counts.map(({ group, shard, blobs }) => ({ group, shard, blobs: BigInt(blobs) })),
  }
}

function livenessOf(status: StorageStatus, address: string): MessageInitShape<typeof NodeLivenessSchema> {
  const { node, writable, suspect, reason, scrub } = status
  return {
    node,
    up: true,
    address,
    condition: !writable ? NodeCondition.READ_ONLY : suspect ? NodeCondition.SUSPECT : NodeCondition.WRITABLE,
    reason,
    usedBytes: BigInt(status.usedBytes),
    freeBytes: BigInt(status.freeBytes),
    totalBytes: BigInt(status.totalBytes),
    liveBytes: BigInt(status.liveBytes),
    shards: BigInt(status.shards),
    damagedShards: BigInt(status.damagedShards),
    scrub: {
      cycle: BigInt(scrub.cycle),
      cycleStartedMs: BigInt(scrub.cycleStartedMs),
      bytesDone: BigInt(scrub.bytesDone),
      bytesTotal: BigInt(scrub.bytesTotal),
      lastCompletedMs: BigInt(scrub.lastCompletedMs),
      found: BigInt(scrub.found),
    },
  }
}
