import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { LogRecord } from '../index/plan.ts'
import { encodeRecordHead, recordBytes, type RecordKind } from './format.ts'

/** A record before its place is known. */
export interface Draft {
  readonly kind: RecordKind
  readonly address: ShardAddress
  readonly owner: Uint8Array
  readonly checksums: Uint32Array
  /** Read until the append settles. */
  readonly data: Uint8Array
  /** Of a copy: the number its original has, and the segment that it was first written in. */
  readonly copyOf?: { readonly sequence: number; readonly origin: number }
}

export interface Batch {
  /** What to write at the end of the segment. */
  readonly buffers: Uint8Array[]
  /** The records with their places, in the order of the drafts. */
  readonly records: LogRecord[]
  readonly nextSequence: number
}

const PADDING = new Uint8Array(8)

/** Gives drafts their places at the end of a segment, and the new ones their sequence numbers. */
export function placeBatch(
  drafts: readonly Draft[],
  segment: { readonly number: number; readonly marker: Uint8Array; readonly end: number },
  nextSequence: number,
): Batch {
  const buffers: Uint8Array[] = []
  const records: LogRecord[] = []
  let next = nextSequence
  let offset = segment.end
  for (const { kind, address, owner, checksums, data, copyOf } of drafts) {
    const sequence = copyOf?.sequence ?? next++
    const origin = copyOf?.origin ?? 0
    const [ownerBytes, dataBytes] = [owner.byteLength, data.byteLength]
    const bytes = recordBytes(ownerBytes, dataBytes)
    const header = { kind, sequence, address, dataBytes, origin }
    const head = encodeRecordHead(segment.marker, header, owner, checksums)
    buffers.push(head, data, PADDING.subarray(0, bytes - head.byteLength - dataBytes))
    const location = { segment: segment.number, offset, ownerBytes, dataBytes, sequence }
    offset += bytes
    records.push({ kind, address, location, end: offset, origin: copyOf?.origin ?? segment.number })
  }
  return { buffers, records, nextSequence: next }
}
