import { compress, decompress } from '../backup/format/compression.ts'
import { packEntries, unpackEntries } from '../backup/format/entries.ts'
import {
  assertFrame,
  BackupDamagedError,
  frame,
  FRAME_HEAD_BYTES,
  readFrameHead,
} from '../backup/format/frame.ts'
import type { EngineBatch, EngineEntry } from '../engine/engine.ts'
import type { Generation } from './blob-id.ts'

/** What one batch changed. */
export type JournalBatch = Pick<EngineBatch, 'puts' | 'deletes'>

/** Where a segment stands. */
export interface SegmentHead extends Generation {
  readonly sequence: number
  /** When its first and its last batch became durable, Unix milliseconds by metadata's clock. */
  readonly fromMs: number
  readonly toMs: number
  /** Of the first of a generation: the last of the one before, where the same process went on without a gap. */
  readonly follows?: (Generation & { readonly sequence: number }) | undefined
}

export interface Segment {
  readonly head: SegmentHead
  readonly batches: readonly JournalBatch[]
}

const HEAD = { kind: 1, codec: 0, engine: 0, space: 0 }
const BATCHES = { kind: 2, engine: 0, space: 0 }
const LENGTHS_BYTES = 8

/** A batch as bytes: the lengths of its puts and of its deletes, then both, packed as in a backup. */
export function packBatch({ puts, deletes }: JournalBatch): Uint8Array {
  const packedPuts = packEntries(puts)
  const packedDeletes = packEntries(deletes.map((key) => ({ key, value: NOTHING })))
  const packed = new Uint8Array(LENGTHS_BYTES + packedPuts.length + packedDeletes.length)
  const view = new DataView(packed.buffer)
  view.setUint32(0, packedPuts.length)
  view.setUint32(4, packedDeletes.length)
  packed.set(packedPuts, LENGTHS_BYTES)
  packed.set(packedDeletes, LENGTHS_BYTES + packedPuts.length)
  return packed
}

const NOTHING = new Uint8Array()

/** @param batches each packed */
export async function encodeSegment(head: SegmentHead, batches: readonly Uint8Array[]): Promise<Uint8Array> {
  const raw = Buffer.concat(batches)
  const { codec, payload } = await compress(raw)
  const document = new TextEncoder().encode(JSON.stringify(head))
  return Buffer.concat([...frame(HEAD, document), ...frame({ ...BATCHES, codec }, payload, raw.length)])
}

/** @throws {BackupDamagedError} */
export async function decodeSegment(bytes: Uint8Array): Promise<Segment> {
  const first = takeFrame(bytes, 0)
  const second = takeFrame(bytes, first.end)
  const raw = await decompress(second, second.rawBytes)
  if (raw === undefined) throw new BackupDamagedError('a segment of the journal cannot be decompressed')
  return { head: readHead(first.payload), batches: unpackBatches(raw) }
}

function takeFrame(bytes: Uint8Array, at: number) {
  const { codec, rawBytes, storedBytes } = readFrameHead(bytes.subarray(at), at)
  const from = at + FRAME_HEAD_BYTES
  const payload = bytes.subarray(from, from + storedBytes)
  assertFrame(bytes.subarray(at, from), payload, at)
  return { codec, rawBytes, payload, end: from + storedBytes }
}

function readHead(payload: Uint8Array): SegmentHead {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its checksum was right: it is what a program of this format wrote
  const { number, life, sequence, fromMs, toMs, follows } = JSON.parse(
    new TextDecoder().decode(payload),
  ) as SegmentHead
  return { number, life, sequence, fromMs, toMs, follows }
}

function unpackBatches(raw: Uint8Array): JournalBatch[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const batches: JournalBatch[] = []
  for (let at = 0; at < raw.length;) {
    const puts = at + LENGTHS_BYTES
    const deletes = puts + view.getUint32(at)
    const end = deletes + view.getUint32(at + 4)
    const deleted: EngineEntry[] = unpackEntries(raw.subarray(deletes, end))
    batches.push({ puts: unpackEntries(raw.subarray(puts, deletes)), deletes: deleted.map(({ key }) => key) })
    at = end
  }
  return batches
}
