/** What a storage node answers about the shards it holds; nothing here changes any. */
import {
  type GetShard,
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
import type { LiveIndex } from './index/live-index.ts'
import type { ShardIndex } from './index/shard-index.ts'
import { coveringBlocks } from './requests.ts'
import type { SegmentFiles } from './segment/files.ts'
import { readBlocks, readOwner } from './segment/read.ts'

export interface ReadPorts {
  readonly files: SegmentFiles
  readonly index: ShardIndex
  readonly live: LiveIndex
}

/** @throws {ShardError} `not-found`, `corrupt` (also when the disk cannot read it), `invalid` */
export async function getShard(
  { files, live }: ReadPorts,
  { address, range }: GetShard,
): Promise<ShardBlocks> {
  for (let attempt = 0; ; attempt++) {
    const location = await live.get(address)
    if (location === undefined) throw new ShardError('not-found', 'no such shard')
    const blocks = coveringBlocks(range, location.dataBytes)
    try {
      return await files.use(location.segment, (file) => readBlocks(file, address, location, blocks))
    } catch (error) {
      // Put again or deleted since we looked, and its segment removed: look again.
      if (errnoOf(error) === 'ENOENT' && attempt === 0) continue
      throw unreadable(error)
    }
  }
}

/** Undefined when the shard is not here or its record is damaged. */
export async function describeShard(
  { files, live }: ReadPorts,
  address: ShardAddress,
): Promise<ShardDescription | undefined> {
  const location = await live.get(address)
  if (location === undefined) return undefined
  try {
    const owner = await files.use(location.segment, (file) => readOwner(file, address, location))
    return { owner: decodeShardOwner(owner), bytes: location.dataBytes }
  } catch (error) {
    const seen = unreadable(error)
    if (seen instanceof ShardError && seen.code === 'corrupt') return undefined
    throw error
  }
}

export async function listShards(
  { index, live }: ReadPorts,
  { group, after }: ListShards,
  limit: number,
): Promise<ShardList> {
  await live.flush()
  const entries = await index.list(group, after, limit + 1)
  const shards = entries
    .slice(0, limit)
    .map(({ address, location }) => ({ address, bytes: location.dataBytes, damaged: false }))
  return { shards, truncated: entries.length > limit }
}

/** A medium that cannot give the bytes back is as good as one that gives wrong ones: read the other shards. */
function unreadable(error: unknown): unknown {
  const code = errnoOf(error)
  if (code !== 'EIO' && code !== 'ENOENT') return error
  return new ShardError('corrupt', `the shard cannot be read: ${messageOf(error)}`, { cause: error })
}
