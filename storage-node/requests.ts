/** Checks of requests before anything is done: who breaks a rule of ShardService hears `invalid`. */
import {
  ERASURE_SHARDS_MAX,
  SHARD_BLOCK_BYTES,
  SHARD_BYTES_MAX,
  SHARD_DAMAGED_LIST_MAX,
  SHARD_DESCRIBE_MAX,
  SHARD_LIST_MAX,
} from '../core/limits.ts'
import {
  type DeleteShards,
  type ListDamaged,
  type ListShards,
  type PutShard,
  type ShardAddress,
  ShardError,
} from '../proto/shard-transport.ts'
import { blockCount, firstBadBlock } from '../runtime/crypto/crc32c.ts'

const BLOB = /^[0-9a-f]{32}$/
const U32 = 2 ** 32 - 1

function demand(holds: boolean, rule: string): void {
  if (!holds) throw new ShardError('invalid', rule)
}

function isCount(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most
}

export function checkBlob(group: number, blob: string): void {
  demand(isCount(group, U32), `group ${group} is no 32-bit number`)
  demand(BLOB.test(blob), 'a blob id is 32 lower-case hex digits')
}

export function checkAddress({ group, blob, stripe, shard }: ShardAddress): void {
  checkBlob(group, blob)
  demand(isCount(stripe, U32), `stripe ${stripe} is no 32-bit number`)
  demand(isCount(shard, ERASURE_SHARDS_MAX - 1), `shard ${shard} is not 0 … ${ERASURE_SHARDS_MAX - 1}`)
}

export function checkDescribe(addresses: readonly ShardAddress[]): void {
  demand(addresses.length <= SHARD_DESCRIBE_MAX, `at most ${SHARD_DESCRIBE_MAX} shards are described at once`)
  for (const address of addresses) checkAddress(address)
}

export function checkDeleteShards({ group, blob, shards, epoch }: DeleteShards): void {
  checkEpoch(epoch)
  checkBlob(group, blob)
  demand(shards.length <= SHARD_LIST_MAX, `at most ${SHARD_LIST_MAX} shards are deleted at once`)
  for (const shard of shards) checkAddress({ group, blob, ...shard })
}

export function checkEpoch(epoch: number): void {
  demand(isCount(epoch, Number.MAX_SAFE_INTEGER), `epoch ${epoch} is no whole number`)
}

/** @throws {ShardError} `invalid`, or `corrupt` when the data is not what the checksums were taken of. */
export function checkPut({ address, epoch, data, checksums }: PutShard): void {
  checkAddress(address)
  checkEpoch(epoch)
  const bytes = data.byteLength
  demand(bytes <= SHARD_BYTES_MAX, `a shard of ${bytes} bytes, at most ${SHARD_BYTES_MAX}`)
  const blocks = blockCount(bytes)
  demand(checksums.length === blocks, `${checksums.length} checksums for ${blocks} blocks`)
  const bad = firstBadBlock(data, checksums)
  if (bad !== -1) throw new ShardError('corrupt', `block ${bad} arrived with a wrong checksum`)
}

export function checkList({ group, after, limit, epoch }: ListShards): number {
  if (epoch !== undefined) checkEpoch(epoch)
  demand(isCount(group, U32), `group ${group} is no 32-bit number`)
  if (after !== undefined) {
    checkAddress(after)
    demand(after.group === group, 'the list goes on in another group')
  }
  demand(Number.isSafeInteger(limit) && limit > 0, `limit ${limit} is no positive number`)
  return Math.min(limit, SHARD_LIST_MAX)
}

export function checkListDamaged({ after, limit }: ListDamaged): number {
  if (after !== undefined) checkAddress(after)
  demand(Number.isSafeInteger(limit) && limit > 0, `limit ${limit} is no positive number`)
  return Math.min(limit, SHARD_DAMAGED_LIST_MAX)
}

/** The blocks that cover a range: offsets in the shard, `end` exclusive and not past the shard. */
export function coveringBlocks(
  range: { readonly start: number; readonly end: number } | undefined,
  shardBytes: number,
): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: shardBytes }
  const ordered = isCount(range.start, range.end) && isCount(range.end, shardBytes)
  demand(ordered, `no range ${range.start} … ${range.end} in a shard of ${shardBytes} bytes`)
  const start = Math.floor(range.start / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES
  const end = Math.ceil(range.end / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES
  return { start, end: Math.max(start, Math.min(end, shardBytes)) }
}
