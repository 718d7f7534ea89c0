/** Requests to storage nodes, as tests make them. */
import { type PutShard, type ShardAddress } from '../../proto/shard-transport.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'

export function blobOf(number: number): string {
  return number.toString(16).padStart(32, '0')
}

export function addressOf(group: number, blob: string, stripe = 0, shard = 0): ShardAddress {
  return { group, blob, stripe, shard }
}

/** Bytes that differ from place to place and from seed to seed. */
export function bytesOf(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed * 2654435761 + 12345) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

export function putOf(address: ShardAddress, data: Uint8Array, epoch = 1): PutShard {
  const owner = {
    bucket: 'photos',
    key: 'a/ключ.jpg',
    version: blobOf(77),
    part: 3,
    code: 'rs-4-2',
    blobBytes: 2 ** 33,
  }
  return { address, owner, epoch, data, checksums: crc32cBlocks(data) }
}
