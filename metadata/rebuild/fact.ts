import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type BlobPosition, readRebuildKey, rebuildKey } from '../../core/keyspace/keys.ts'
import { type BlobRecord, BlobRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'

/** One blob, as the nodes have it: all that metadata is rebuilt from. */
export interface BlobFact {
  readonly position: BlobPosition
  readonly record: BlobRecord
  /** Enough of its shards were found to read it. */
  readonly readable: boolean
}

/** What is told of a blob that was found. */
export interface FoundBlob {
  readonly position: BlobPosition
  readonly record: MessageInitShape<typeof BlobRecordSchema>
  readonly readable: boolean
}

/** The value's own format. */
const FORMAT = 1

/** How a fact waits in the engine until all are there: sorted by what they belong to, however many there are. */
export function entryOf({ position, record, readable }: FoundBlob): EngineEntry {
  const bytes = toBinary(BlobRecordSchema, create(BlobRecordSchema, record))
  const value = new Uint8Array(2 + bytes.length)
  value.set([FORMAT, Number(readable)])
  value.set(bytes, 2)
  return { key: rebuildKey(position), value }
}

export function factOf({ key, value }: EngineEntry): BlobFact {
  const record = fromBinary(BlobRecordSchema, value.subarray(2))
  return { position: readRebuildKey(key), record, readable: value[1] === 1 }
}
