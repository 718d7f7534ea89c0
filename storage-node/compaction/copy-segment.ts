/** Writes what is needed of a sealed segment anew, at the end of the log. */
import { COMPACTION_BATCH_BYTES_MAX, COMPACTION_BATCH_RECORDS_MAX } from '../../core/limits.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import { type Finding, samePlace } from '../damage/plan.ts'
import type { LiveIndex } from '../index/live-index.ts'
import { blobName, type LogRecord } from '../index/plan.ts'
import type { SegmentFiles } from '../segment/files.ts'
import {
  dataOffset,
  decodeChecksums,
  decodeRecordHeader,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../segment/format.ts'
import type { Draft } from '../segment/batch.ts'
import type { SegmentLog } from '../segment/log.ts'
import { readMarker } from '../segment/read.ts'
import { scanSegment } from '../segment/scan.ts'
import type { BlobGate } from './blob-gate.ts'

export interface CopyPorts {
  readonly files: SegmentFiles
  readonly live: LiveIndex
  readonly segments: SegmentLog
  readonly gate: BlobGate
  /** Resolves when so many bytes may be read and written; rejects when there is no room, or the node closes. */
  ready(bytes: number): Promise<void>
  /** Takes a live shard that cannot be read, and stays where it is. */
  damaged(finding: Finding): void
}

export interface Copied {
  readonly records: number
  readonly bytes: number
}

export const NOTHING_COPIED: Copied = { records: 0, bytes: 0 }

/**
 * Copies the live shards of a sealed segment, each with its own sequence number, up to `end`: what lies behind was refused when
 * the segment was given up. Those that are damaged stay. Resolves when the copies are durable and in the index.
 * @throws {ShardError} as the log; then some are copied, and the rest is as it was
 */
export async function copyShards(ports: CopyPorts, segment: number, end: number): Promise<Copied> {
  let copied = NOTHING_COPIED
  await eachPage(ports, segment, end, isPut, async (file, page) => {
    const locations = await ports.live.getMany(page.map(({ address }) => address))
    const living = page.filter(({ location }, i) => samePlace(locations[i], location))
    for (const chunk of chunks(living)) copied = plus(copied, await copyChunk(ports, file, chunk))
  })
  return copied
}

/**
 * Copies the tombstones of a sealed segment that bury something in segments from `oldestOther` on; as {@link copyShards}.
 */
export async function copyTombstones(
  ports: CopyPorts,
  segment: number,
  end: number,
  oldestOther: number,
): Promise<Copied> {
  let copied = NOTHING_COPIED
  const isNeeded = (record: LogRecord): boolean => !isPut(record) && record.origin >= oldestOther
  await eachPage(ports, segment, end, isNeeded, async (_file, page) => {
    await ports.ready(page.length * RECORD_HEADER_BYTES)
    await Promise.all(page.map((record) => ports.segments.append(copyOf(record, EMPTY))))
    copied = plus(copied, { records: page.length, bytes: page.length * RECORD_HEADER_BYTES })
  })
  return copied
}

/** Whether the index has a live shard in a segment, whatever its account says; false where the segment cannot be read. */
export async function holdsLiving(
  ports: Pick<CopyPorts, 'files' | 'live'>,
  segment: number,
  end: number,
): Promise<boolean> {
  let living = false
  try {
    await eachPage(ports, segment, end, isPut, async (_file, page) => {
      if (living) return
      const locations = await ports.live.getMany(page.map(({ address }) => address))
      living = page.some(({ location }, i) => samePlace(locations[i], location))
    })
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'EIO' && code !== 'ENOENT') throw error
  }
  return living
}

const isPut = ({ kind }: LogRecord): boolean => kind === 'put'

type Content = Pick<Draft, 'owner' | 'checksums' | 'data'>

const EMPTY: Content = { owner: new Uint8Array(0), checksums: new Uint32Array(0), data: new Uint8Array(0) }

function copyOf({ kind, address, location: { sequence }, origin }: LogRecord, content: Content): Draft {
  return { kind, address, ...content, copyOf: { sequence, origin } }
}

async function copyChunk(ports: CopyPorts, file: DiskFile, chunk: readonly LogRecord[]): Promise<Copied> {
  await ports.ready(bytesOf(chunk))
  const drafts: { record: LogRecord; draft: Draft }[] = []
  for (const record of chunk) {
    const content = await readContent(file, record)
    if (typeof content !== 'string') drafts.push({ record, draft: copyOf(record, content) })
    else ports.damaged({ address: record.address, location: record.location, reason: content })
  }
  const blobs = new Set(chunk.map(({ address }) => blobName(address)))
  return await ports.gate.copy(blobs, async () => {
    const { failure, failures } = ports.segments
    // While it is being opened anew, the index is told of what it did not know: the look might not see that yet.
    if (failure !== undefined) throw new Error('the log takes nothing')
    const locations = await ports.live.getMany(drafts.map(({ record }) => record.address))
    // From here to the appends nothing waits: see BlobGate.
    if (ports.segments.failures !== failures) throw new Error('writing failed meanwhile')
    const living = drafts.filter(({ record }, i) => samePlace(locations[i], record.location))
    const outcomes = await Promise.allSettled(living.map(({ draft }) => ports.segments.append(draft)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return { records: living.length, bytes: bytesOf(living.map(({ record }) => record)) }
  })
}

/** What a put holds, verified; or what is wrong with it. */
async function readContent(file: DiskFile, { location, end }: LogRecord): Promise<Content | string> {
  const bytes = Buffer.allocUnsafe(end - location.offset)
  try {
    const read = await file.read(bytes, location.offset)
    if (read < bytes.byteLength) return 'its segment ends before it'
  } catch (error) {
    if (errnoOf(error) !== 'EIO') throw error
    return `the shard cannot be read: ${String(error)}`
  }
  const header = decodeRecordHeader(bytes)
  const checksums = header === undefined ? undefined : decodeChecksums(bytes, header)
  if (header === undefined || checksums === undefined) return 'the record of the shard is damaged'
  const start = dataOffset(header.ownerBytes, header.dataBytes)
  const data = bytes.subarray(start, start + header.dataBytes)
  const bad = firstBadBlock(data, checksums)
  if (bad !== -1) return `block ${bad} does not match its checksum`
  const owner = bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + header.ownerBytes)
  return { owner, checksums, data }
}

/** Gives `use` the records of the segment, in order, that `wanted` takes, a page at a time. */
async function eachPage(
  { files }: Pick<CopyPorts, 'files'>,
  segment: number,
  end: number,
  wanted: (record: LogRecord) => boolean,
  use: (file: DiskFile, page: readonly LogRecord[]) => Promise<void>,
): Promise<void> {
  await files.use(segment, async (file) => {
    const { marker } = await readMarker(file)
    let page: LogRecord[] = []
    for await (const scanned of scanSegment(file, {
      segment,
      marker,
      from: SEGMENT_HEADER_BYTES,
      verify: false,
    })) {
      if (!('record' in scanned)) continue
      if (scanned.record.end > end) break
      if (wanted(scanned.record)) page.push(scanned.record)
      if (page.length < COMPACTION_BATCH_RECORDS_MAX) continue
      await use(file, page)
      page = []
    }
    if (page.length > 0) await use(file, page)
  })
}

function* chunks(records: readonly LogRecord[]): Generator<readonly LogRecord[], void, undefined> {
  let chunk: LogRecord[] = []
  let room = COMPACTION_BATCH_BYTES_MAX
  for (const record of records) {
    const bytes = bytesOf([record])
    if (chunk.length > 0 && bytes > room) {
      yield chunk
      chunk = []
      room = COMPACTION_BATCH_BYTES_MAX
    }
    chunk.push(record)
    room -= bytes
  }
  if (chunk.length > 0) yield chunk
}

function bytesOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, { location, end }) => sum + end - location.offset, 0)
}

function plus(a: Copied, b: Copied): Copied {
  return { records: a.records + b.records, bytes: a.bytes + b.bytes }
}
