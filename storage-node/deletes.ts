/** How a storage node removes shards: by tombstones, and only where there is something to bury. */
import type { DeleteShards, ShardAddress } from '../proto/shard-transport.ts'
import type { BlobGate } from './compaction/blob-gate.ts'
import type { LiveIndex } from './index/live-index.ts'
import { blobName, shardName } from './index/plan.ts'
import type { ShardIndex } from './index/shard-index.ts'
import type { SegmentLog } from './segment/log.ts'

export interface DeletePorts {
  readonly log: SegmentLog
  readonly live: LiveIndex
  readonly index: ShardIndex
  /** Puts that are not in the log yet, by the {@link blobName}. */
  readonly pendingPuts: ReadonlyMap<string, number>
  readonly gate: BlobGate
}

/** What a tombstone has of a shard. */
const EMPTY = { owner: new Uint8Array(0), checksums: new Uint32Array(0), data: new Uint8Array(0) }

/** Buries every shard of a blob; resolves, once that is durable, to how many there were. */
export async function deleteBlob(
  ports: DeletePorts,
  group: number,
  blob: string,
  signal?: AbortSignal,
): Promise<number> {
  return await ports.gate.delete(blobName({ group, blob }), async () => {
    // Nothing to bury: a tombstone would only cost a sync.
    if (!isComing(ports, group, blob) && (await ports.index.ofBlob(group, blob)).length === 0) return 0
    const address = { group, blob, stripe: 0, shard: 0 }
    return await ports.log.append({ ...EMPTY, kind: 'tombstone', address }, signal)
  })
}

/** Buries single shards of a blob; resolves, once that is durable, to how many there were. */
export async function deleteShards(
  ports: DeletePorts,
  request: DeleteShards,
  signal?: AbortSignal,
): Promise<number> {
  const { group, blob } = request
  const addresses = uniqueAddresses(request)
  return await ports.gate.delete(blobName(request), async () => {
    const found = isComing(ports, group, blob) ? addresses : await ports.live.getMany(addresses)
    const outcomes = await Promise.allSettled(
      addresses
        .filter((_, i) => found[i] !== undefined)
        .map((address) => ports.log.append({ ...EMPTY, kind: 'shard-tombstone', address }, signal)),
    )
    let count = 0
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason
      count += outcome.value
    }
    return count
  })
}

/** Whether shards of the blob are on their way into the index. */
function isComing({ live, pendingPuts }: DeletePorts, group: number, blob: string): boolean {
  return pendingPuts.has(blobName({ group, blob })) || live.isBehind(group, blob)
}

/** Each shard of the request once. */
function uniqueAddresses({ group, blob, shards }: DeleteShards): ShardAddress[] {
  const addresses = shards.map(({ stripe, shard }) => ({ group, blob, stripe, shard }))
  return [...new Map(addresses.map((address) => [shardName(address), address])).values()]
}
