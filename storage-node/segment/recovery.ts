/**
 * What a storage node does before it serves: brings the index up to the segments, or builds it from them, cuts what a
 * crash left at the end of the log, and says where the log goes on.
 */
import { INDEX_CHECKPOINT_BYTES, INDEX_VERIFY_SHARDS_MAX } from '../../core/limits.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { LogRecord } from '../index/plan.ts'
import { IndexDamage, type IndexState, type ShardIndex } from '../index/shard-index.ts'
import { IndexWriter } from '../index/writer.ts'
import { type SegmentFiles, segmentPath } from './files.ts'
import { decodeSegmentHeader, MARKER_BYTES, SEGMENT_HEADER_BYTES, SegmentFormatError } from './format.ts'
import type { LogEnd } from './log.ts'
import { scanSegment } from './scan.ts'

export interface Recovered {
  readonly writer: IndexWriter
  readonly end: LogEnd
}

interface Ports {
  readonly files: SegmentFiles
  readonly index: ShardIndex
  readonly log: Log
  readonly nodeId: string
}

/** Records that go into the index together while it is built. */
const RECORDS_PER_WRITE = 4096

/**
 * @throws {SegmentFormatError} when the segments are of a newer format or of another node.
 */
export async function recover(ports: Ports): Promise<Recovered> {
  const segments = await withoutUnborn(ports, await ports.files.list())
  const state = await usableState(ports, segments)
  if (state === undefined) {
    if (segments.length > 0) ports.log.warn('building the index from segments', { count: segments.length })
    await ports.index.clear()
    return await replay(ports, segments, undefined)
  }
  const recovered = await replay(ports, segments, state)
  const missing = [...recovered.writer.uses.values()].filter(({ segment }) => !segments.includes(segment))
  if (missing.some(({ liveShards }) => liveShards > 0)) {
    const lost = missing.map(({ segment }) => segmentPath(segment))
    ports.log.error('segments are missing; their shards are lost to this node', { lost })
    await ports.index.clear()
    return await replay(ports, segments, undefined)
  }
  for (const { segment } of missing) await recovered.writer.forgetSegment(segment)
  return recovered
}

/** What the index holds, unless it cannot be trusted. */
async function usableState(ports: Ports, segments: readonly number[]): Promise<IndexState | undefined> {
  const state = await ports.index.state()
  if (state === undefined) return undefined
  // A folder whose segments were put back from an older copy: the index knows of places that do not exist.
  const last = segments.at(-1) ?? 0
  if (segments.length > 0 && state.checkpoint.segment > last) return undefined
  const shards = state.uses.reduce((sum, use) => sum + use.liveShards, 0)
  if (shards > INDEX_VERIFY_SHARDS_MAX) return state
  try {
    let found = 0
    for await (const _ of ports.index.entries()) found++
    if (found === shards) return state
    ports.log.warn('the index does not hold the shards it counted', { counted: shards, found })
  } catch (error) {
    if (!(error instanceof IndexDamage)) throw error
    ports.log.warn('the index is damaged', { error: error.message })
  }
  return undefined
}

/**
 * Drops a last segment that was being made when the power went: no record was written before its header was synced,
 * so one no longer than a header and without a whole one never held any.
 */
async function withoutUnborn(ports: Ports, segments: readonly number[]): Promise<number[]> {
  const last = segments.at(-1)
  if (last === undefined) return []
  const unborn = await ports.files.use(last, async (file) => {
    if ((await file.size()) > SEGMENT_HEADER_BYTES) return false
    return decodeSegmentHeader(await head(file)) === undefined
  })
  if (!unborn) return [...segments]
  await ports.files.remove(last)
  return segments.slice(0, -1)
}

async function replay(
  ports: Ports,
  segments: readonly number[],
  state: IndexState | undefined,
): Promise<Recovered> {
  const { files, index } = ports
  const writer = new IndexWriter(index, state?.uses ?? [])
  const from = state?.checkpoint ?? { segment: 0, offset: SEGMENT_HEADER_BYTES, sequence: 0 }
  const last = segments.at(-1)
  let sequence = from.sequence
  let active: LogEnd['active']
  let replayed = 0
  let pending: LogRecord[] = []

  async function flush(): Promise<void> {
    if (pending.length > 0) await writer.apply(pending)
    pending = []
  }

  for (const segment of segments) {
    if (segment < from.segment) continue
    const start =
      segment === from.segment ? Math.max(from.offset, SEGMENT_HEADER_BYTES) : SEGMENT_HEADER_BYTES
    await files.use(segment, async (file) => {
      const marker = await readMarker(ports, file, segment)
      let end = Math.max(start, writer.uses.get(segment)?.end ?? 0)
      // Only the last segment can have a torn end: each is synced whole before the next begins. A sealed one is read in
      // full when it follows the checkpoint, as a failing disk may have ended it.
      const verify = segment === last || state !== undefined
      for await (const scanned of scanSegment(file, { segment, marker, from: start, verify })) {
        if ('gap' in scanned) {
          ports.log.warn('bytes that are no whole record', { file: segmentPath(segment), ...scanned.gap })
          continue
        }
        const { record } = scanned
        pending.push(record)
        replayed += record.end - record.location.offset
        sequence = Math.max(sequence, record.location.sequence)
        end = record.end
        if (pending.length === RECORDS_PER_WRITE) await flush()
      }
      if (segment !== last) return
      if (end < (await file.size())) await file.truncate(end)
      // What was found may lie in the system's cache only, if the process died and not the machine.
      await file.sync()
      active = { segment, marker, end }
    })
  }
  await flush()
  if (replayed > 0) ports.log.info('replayed the log into the index', { bytes: replayed })
  if (active !== undefined && (state === undefined || replayed >= INDEX_CHECKPOINT_BYTES)) {
    await index.checkpoint({ segment: active.segment, offset: active.end, sequence })
  }
  const nextSegment = Math.max(last ?? 0, from.segment) + 1
  return { writer, end: { active, nextSegment, nextSequence: sequence + 1 } }
}

/** The sync marker of a segment, which must be this node's. */
async function readMarker(ports: Ports, file: DiskFile, segment: number): Promise<Uint8Array> {
  const header = decodeSegmentHeader(await head(file))
  if (header === undefined) {
    ports.log.error('damaged segment header', { file: segmentPath(segment) })
    // The first record starts with the marker too.
    const marker = Buffer.alloc(MARKER_BYTES)
    await file.read(marker, SEGMENT_HEADER_BYTES)
    return marker
  }
  if (header.nodeId !== ports.nodeId) {
    throw new SegmentFormatError(
      `${segmentPath(segment)} belongs to storage node ${header.nodeId}, not ${ports.nodeId}`,
    )
  }
  return header.marker
}

async function head(file: DiskFile): Promise<Buffer> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  return bytes.subarray(0, await file.read(bytes, 0))
}
