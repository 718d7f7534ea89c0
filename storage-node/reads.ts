/** What a storage node answers about the shards it holds, and that it tells of what it cannot read. */
import {
  type DamagedList,
  type GetShard,
  type ListDamaged,
  type ListShards,
  type ShardAddress,
  type ShardBlocks,
  type ShardDescription,
  ShardError,
  type ShardList,
} from '../proto/shard-transport.ts'
import { errnoOf } from '../runtime/disk/errno.ts'
import { decodeShardOwner } from '../runtime/rpc/shard-owner-codec.ts'
import { messageOf } from './calls.ts'
import type { BackgroundReads } from './background-reads.ts'
import type { DamageList } from './damage/list.ts'
import type { Finding } from './damage/plan.ts'
import type { LiveIndex } from './index/live-index.ts'
import { shardName } from './index/plan.ts'
import type { IndexEntry, ShardIndex } from './index/shard-index.ts'
import { coveringBlocks } from './requests.ts'
import type { SegmentFiles } from './segment/files.ts'
import { readBlocks, readOwner } from './segment/read.ts'

export interface ReadPorts {
  readonly files: SegmentFiles
  readonly index: ShardIndex
  readonly live: LiveIndex
  readonly damage: DamageList
  readonly background: BackgroundReads
  /** Told of every shard that could not be read. */
  found(finding: Finding): void
}

/** @throws {ShardError} `not-found`, `corrupt` (also when the disk cannot read it), `invalid`; and as {@link BackgroundReads.run} */
export async function getShard(
  ports: ReadPorts,
  { address, range, background }: GetShard,
  signal?: AbortSignal,
): Promise<ShardBlocks> {
  const { files, live, damage } = ports
  for (let attempt = 0; ; attempt++) {
    const location = await live.get(address)
    if (location === undefined) throw new ShardError('not-found', 'no such shard')
    const blocks = coveringBlocks(range, location.dataBytes)
    if (await damage.has(address, location.sequence)) {
      throw new ShardError('corrupt', 'the shard is known to be damaged')
    }
    const read = () => files.use(location.segment, (file) => readBlocks(file, address, location, blocks))
    try {
      if (background !== true) return await read()
      return await ports.background.run(blocks.end - blocks.start, signal, read)
    } catch (error) {
      // Put again or deleted since we looked, and its segment removed: look again.
      if (errnoOf(error) === 'ENOENT' && attempt === 0) continue
      throw unreadable(ports, { address, location }, error)
    }
  }
}

/** Undefined when the shard is not here or its record is damaged. */
export async function describeShard(
  ports: ReadPorts,
  address: ShardAddress,
): Promise<ShardDescription | undefined> {
  const { files, live, damage } = ports
  const location = await live.get(address)
  if (location === undefined || (await damage.has(address, location.sequence))) return undefined
  try {
    const owner = await files.use(location.segment, (file) => readOwner(file, address, location))
    return { owner: decodeShardOwner(owner), bytes: location.dataBytes }
  } catch (error) {
    const seen = unreadable(ports, { address, location }, error)
    if (seen instanceof ShardError && seen.code === 'corrupt') return undefined
    throw error
  }
}

export async function listShards(
  { index, live, damage }: ReadPorts,
  { group, after }: ListShards,
  limit: number,
): Promise<ShardList> {
  await live.flush()
  const entries = await index.list(group, after, limit + 1)
  const page = entries.slice(0, limit)
  const damaged = await damage.among(page.map(({ address }) => address))
  const shards = page.map(({ address, location }) => ({
    address,
    bytes: location.dataBytes,
    damaged: damaged.get(shardName(address)) === location.sequence,
  }))
  return { shards, truncated: entries.length > limit }
}

export async function listDamaged(
  { live, damage }: ReadPorts,
  { after, limit }: ListDamaged,
): Promise<DamagedList> {
  // What was found before this call is in the list then.
  await live.flush()
  const found = await damage.list(after, limit + 1)
  const shards = found.slice(0, limit).map(({ address, reason, foundMs }) => ({ address, reason, foundMs }))
  return { shards, truncated: found.length > limit }
}

/** A medium that cannot give the bytes back is as good as one that gives wrong ones: read the other shards. */
function unreadable(ports: ReadPorts, entry: IndexEntry, error: unknown): unknown {
  if (error instanceof ShardError && error.code === 'corrupt') {
    ports.found({ ...entry, reason: error.message })
    return error
  }
  const code = errnoOf(error)
  if (code !== 'EIO' && code !== 'ENOENT') return error
  ports.found({ ...entry, reason: `the disk cannot read it: ${code}` })
  return new ShardError('corrupt', `the shard cannot be read: ${messageOf(error)}`, { cause: error })
}
