/** A whole shard, proven to be what was written. */

import type { ShardBlocks } from '../../proto/shard-transport.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'

/** The bytes of a shard and the CRC32C of its blocks. */
export interface ShardBytes {
  readonly data: Uint8Array
  readonly checksums: Uint32Array
}

/**
 * @param expected the checksums it must have, when they are known; its own otherwise
 * @throws {ShardError} `corrupt`
 */
export function wholeShard(blocks: ShardBlocks, shardBytes: number, expected?: Uint32Array): ShardBytes {
  const { offset, data, checksums } = blocks
  if (offset !== 0 || data.byteLength !== shardBytes || blocks.shardBytes !== shardBytes) {
    throw new ShardError(
      'corrupt',
      `got ${data.byteLength} bytes at ${offset} of a shard of ${blocks.shardBytes}, wanted all ${shardBytes}`,
    )
  }
  const bad = firstBadBlock(data, expected ?? checksums)
  if (bad >= 0) throw new ShardError('corrupt', `block ${bad} differs from its checksum`)
  if (expected?.some((sum, block) => checksums[block] !== sum) === true) {
    throw new ShardError('corrupt', 'the node keeps other checksums')
  }
  return { data, checksums }
}
