/**
 * What a storage node does before it serves: brings the index up to the segments, or builds it from them, cuts what a
 * crash left at the end of the log, and says where the log goes on.
 */
import { INDEX_CHECKPOINT_BYTES, INDEX_VERIFY_SHARDS_MAX, SEGMENT_BYTES_MAX } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { DamageList } from '../damage/list.ts'
import type { Finding } from '../damage/plan.ts'
import type { LogRecord } from '../index/plan.ts'
import {
  type Checkpoint,
  IndexDamage,
  type IndexState,
  type InventoryCount,
  type ShardIndex,
} from '../index/shard-index.ts'
import { IndexWriter } from '../index/writer.ts'
import { Inventory } from '../inventory/inventory.ts'
import { type SegmentFiles, segmentPath } from './files.ts'
import {
  MARKER_BYTES,
  RECORD_HEADER_BYTES,
  recordBytes,
  SEGMENT_FORMAT,
  SEGMENT_HEADER_BYTES,
  SegmentFormatError,
} from './format.ts'
import type { LogEnd } from './log.ts'
import { readHeader, readMarker } from './read.ts'
import { scanSegment } from './scan.ts'

export interface Recovered {
  readonly writer: IndexWriter
  readonly end: LogEnd
  /** How far the index goes: to the end of the log. Undefined when there never was one. */
  readonly position: Checkpoint | undefined
}

interface Ports {
  readonly files: SegmentFiles
  readonly index: ShardIndex
  readonly log: Log
  readonly nodeId: string
  /** Unix milliseconds. */
  nowMs(): number
  /** Where the version of the inventory begins. */
  readonly inventoryVersion: number
}

/** Makes a header none. */
const NO_HEADER = new Uint8Array(RECORD_HEADER_BYTES)

const NO_MARKER = new Uint8Array(MARKER_BYTES)

/** Records that go into the index together while it is built. */
const RECORDS_PER_WRITE = 4096

/**
 * @throws {SegmentFormatError} when the segments are of a newer format or of another node.
 */
export async function recover(ports: Ports): Promise<Recovered> {
  const segments = await withoutUnborn(ports, await ports.files.list())
  try {
    const usable = await usableIndex(ports)
    if (usable !== undefined) return await goOn(ports, segments, usable)
  } catch (error) {
    if (!(error instanceof IndexDamage)) throw error
    ports.log.warn('the index is damaged', { error: error.message })
  }
  if (segments.length > 0) ports.log.warn('building the index from segments', { count: segments.length })
  await ports.index.clear()
  const writer = new IndexWriter(ports.index, [], undefined, new Inventory(ports.inventoryVersion))
  return await replay(ports, segments, undefined, writer)
}

/** Brings an index that is there up to the segments. @throws as the index */
async function goOn(
  ports: Ports,
  segments: readonly number[],
  { state, damage, inventory }: UsableIndex,
): Promise<Recovered> {
  const writer = new IndexWriter(ports.index, state.uses, damage, inventory)
  const recovered = await replay(ports, segments, state, writer)
  for (const use of writer.uses.values()) {
    const isThere = segments.includes(use.segment)
    if (!isThere && use.liveShards === 0) await writer.forgetSegment(use.segment)
  }
  const highest = await markLost(ports, segments, writer)
  const nextSequence = Math.max(recovered.end.nextSequence, highest + 1)
  const position = recovered.position && { ...recovered.position, sequence: nextSequence - 1 }
  return { writer, end: { ...recovered.end, nextSequence }, position }
}

interface UsableIndex {
  readonly state: IndexState
  readonly damage: DamageList
  readonly inventory: Inventory
}

/** What the index holds, unless it cannot be trusted. @throws as the index */
async function usableIndex(ports: Ports): Promise<UsableIndex | undefined> {
  const { index, log } = ports
  const state = await index.state()
  if (state === undefined) return undefined
  const shards = state.uses.reduce((sum, use) => sum + use.liveShards, 0)
  const damage = new DamageList(index)
  await damage.load()
  const inventory = new Inventory(ports.inventoryVersion, await index.inventory())
  if (shards > INDEX_VERIFY_SHARDS_MAX) return { state, damage, inventory }
  const { found, counts } = await countEntries(index, damage)
  // Segment by segment: a crash may lose some of what LevelDB wrote and keep what it wrote later.
  const wrong = state.uses.filter(({ segment, liveShards }) => (found.get(segment) ?? 0) !== liveShards)
  const counted = new Set(state.uses.map(({ segment }) => segment))
  if (wrong.length > 0 || ![...found.keys()].every((segment) => counted.has(segment))) {
    log.warn('the index does not hold the shards it counted', { segments: wrong.length })
    return undefined
  }
  const corrections = inventory.corrections(counts)
  if (corrections.length > 0) {
    log.warn('the inventory was not what the index holds', { corrections: corrections.length })
    await index.write({ put: [], remove: [], uses: [], inventory: corrections })
    inventory.set(corrections)
  }
  return { state, damage, inventory }
}

/** How many entries the index has, by segment, and the inventory that they make. @throws as the index */
async function countEntries(
  index: ShardIndex,
  damage: DamageList,
): Promise<{ found: ReadonlyMap<number, number>; counts: InventoryCount[] }> {
  const counts = new Inventory(0)
  const found = new Map<number, number>()
  for await (const { address, location } of index.entries()) {
    found.set(location.segment, (found.get(location.segment) ?? 0) + 1)
    counts.count(address, 1)
  }
  for await (const { address } of damage.all()) counts.count(address, -1)
  return { found, counts: counts.counts() }
}

/**
 * Lists the shards as damaged whose segments are gone or end before them. The index is not built anew without them: a
 * segment that is lost may have held the tombstones that keep others deleted.
 *
 * @returns the highest sequence number there may have been, 0 when nothing is lost: what is lost may have had it, and a put must
 * not get one that seems older than what it replaces, nor that of a tombstone, should what is lost be found again
 */
async function markLost(ports: Ports, segments: readonly number[], writer: IndexWriter): Promise<number> {
  const { files, index, log } = ports
  /** Where what is left of a segment ends. */
  const left = new Map<number, number>()
  const there = new Set(segments)
  for (const { segment, end } of writer.uses.values()) {
    const size = there.has(segment) ? await sizeOf(files, segment) : 0
    if (size < end) left.set(segment, size)
  }
  if (left.size === 0) return 0
  const missing = (segment: number): string =>
    there.has(segment) ? 'its segment file is empty or cannot be opened' : 'its segment file is missing'
  let highest = 0
  let count = 0
  let findings: Finding[] = []
  async function mark(): Promise<void> {
    count += (await writer.markDamaged(findings, ports.nowMs())).length
    findings = []
  }
  for await (const { address, location } of index.entries()) {
    highest = Math.max(highest, location.sequence)
    const size = left.get(location.segment)
    const end = location.offset + recordBytes(location.ownerBytes, location.dataBytes)
    if (size === undefined || end <= size) continue
    const reason = size > 0 ? 'its segment file was cut off before it' : missing(location.segment)
    findings.push({ address, location, reason })
    if (findings.length === RECORDS_PER_WRITE) await mark()
  }
  await mark()
  const lost = [...left.keys()].map(segmentPath)
  log.error('segments are missing or cut off; their shards are listed as damaged', { lost, shards: count })
  return highest + left.size * Math.ceil(SEGMENT_BYTES_MAX / RECORD_HEADER_BYTES)
}

/** The bytes of a segment; 0 when the disk cannot open it. */
async function sizeOf(files: SegmentFiles, segment: number): Promise<number> {
  return await files.use(segment, (file) => file.size()).catch(unlessUnreadable(0))
}

/** Takes the error of a medium that cannot be read for `value`: one sector must not keep a node from what it holds beside. */
function unlessUnreadable<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (errnoOf(error) !== 'EIO') throw error
    return value
  }
}

/**
 * Drops a last segment that was being made when the power went: no record was written before its header was synced,
 * so one no longer than a header and without a whole one never held any.
 */
async function withoutUnborn(ports: Ports, segments: readonly number[]): Promise<number[]> {
  const last = segments.at(-1)
  if (last === undefined) return []
  const unborn = await ports.files
    .use(last, async (file) => {
      if ((await file.size()) > SEGMENT_HEADER_BYTES) return false
      return (await readHeader(file)) === undefined
    })
    .catch(unlessUnreadable(false))
  if (!unborn) return [...segments]
  await ports.files.remove(last)
  return segments.slice(0, -1)
}

async function replay(
  ports: Ports,
  segments: readonly number[],
  state: IndexState | undefined,
  writer: IndexWriter,
): Promise<Recovered> {
  const { files, index } = ports
  const from = state?.checkpoint ?? { segment: 0, offset: SEGMENT_HEADER_BYTES, sequence: 0 }
  const last = segments.at(-1)
  let sequence = from.sequence
  let active: LogEnd['active']
  let tail: { readonly segment: number; readonly offset: number } | undefined
  let replayed = 0
  /** Bytes of segments that could not be read through: they may be read one day, so their sequence numbers are not given again. */
  let unseen = 0
  let pending: LogRecord[] = []

  async function flush(): Promise<void> {
    if (pending.length > 0) await writer.apply(pending)
    pending = []
  }

  for (const segment of segments) {
    if (segment < from.segment) continue
    if ((await sizeOf(files, segment)) === 0) {
      ports.log.error('a segment is empty or cannot be opened', { file: segmentPath(segment) })
      unseen += SEGMENT_BYTES_MAX
      continue
    }
    const start =
      segment === from.segment ? Math.max(from.offset, SEGMENT_HEADER_BYTES) : SEGMENT_HEADER_BYTES
    await files.use(segment, async (file) => {
      const { marker, current } = await ownMarker(ports, file, segment)
      let end = Math.max(start, writer.uses.get(segment)?.end ?? 0)
      // Only the last segment can have a torn end: each is synced whole before the next begins. A sealed one is read in
      // full when it follows the checkpoint, as a failing disk may have ended it.
      const verify = segment === last || state !== undefined
      const torn: number[] = []
      let unreadable = marker === undefined ? 1 : 0
      const scan = {
        segment,
        marker: marker ?? NO_MARKER,
        from: marker === undefined ? Infinity : start,
        verify,
        unreadable: (at: number) => {
          if (unreadable++ === 0) ports.log.error('the disk cannot read', { file: segmentPath(segment), at })
        },
      }
      for await (const scanned of scanSegment(file, scan)) {
        if ('gap' in scanned) {
          ports.log.warn('bytes that are no whole record', { file: segmentPath(segment), ...scanned.gap })
          torn.push(...scanned.torn)
          continue
        }
        const { record } = scanned
        pending.push(record)
        replayed += record.end - record.location.offset
        sequence = Math.max(sequence, record.location.sequence)
        end = record.end
        if (pending.length === RECORDS_PER_WRITE) await flush()
      }
      // A rebuild reads the headers alone of sealed segments: it must never take one for a record whose data was lost, as it
      // might be a newer one of a shard that is whole before it.
      if (unreadable > 0) unseen += await file.size()
      // What the disk cannot read now it may read later: nothing of such a segment is cut off or written over.
      if (verify && unreadable === 0) for (const at of torn) await file.write([NO_HEADER], at)
      if (segment !== last) {
        if (torn.length > 0) await file.sync()
        return
      }
      if (end < (await file.size()) && unreadable === 0) await file.truncate(end)
      // What was found may lie in the system's cache only, if the process died and not the machine.
      await file.sync()
      tail = { segment, offset: end }
      // One of an older format, whose header is damaged, or that cannot be read through gets no more records.
      if (current && marker !== undefined && unreadable === 0) active = { segment, marker, end }
    })
  }
  await flush()
  sequence += Math.ceil(unseen / RECORD_HEADER_BYTES)
  if (replayed > 0) ports.log.info('replayed the log into the index', { bytes: replayed })
  const position = tail === undefined ? state?.checkpoint : { ...tail, sequence }
  if (
    tail !== undefined &&
    position !== undefined &&
    (state === undefined || replayed >= INDEX_CHECKPOINT_BYTES)
  ) {
    await index.checkpoint(position)
  }
  // Above all that the index knows of, also of those that are lost: it would take what lies in a new one for what lay there.
  let highest = Math.max(last ?? 0, from.segment)
  for (const segment of writer.uses.keys()) highest = Math.max(highest, segment)
  return { writer, end: { active, nextSegment: highest + 1, nextSequence: sequence + 1 }, position }
}

/**
 * The sync marker of a segment, which must be this node's, and whether its header is whole and of this program's format. No
 * marker when the disk cannot read it.
 */
async function ownMarker(
  ports: Ports,
  file: DiskFile,
  segment: number,
): Promise<{ marker: Uint8Array | undefined; current: boolean }> {
  const { marker, header } = await readMarker(file).catch(
    unlessUnreadable({ marker: undefined, header: undefined }),
  )
  if (header === undefined) {
    ports.log.error('damaged segment header', { file: segmentPath(segment) })
    return { marker, current: false }
  }
  if (header.nodeId !== ports.nodeId) {
    throw new SegmentFormatError(
      `${segmentPath(segment)} belongs to storage node ${header.nodeId}, not ${ports.nodeId}`,
    )
  }
  return { marker, current: header.format === SEGMENT_FORMAT }
}
