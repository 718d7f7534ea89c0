/**
 * What the scrub does about a segment whose live shards it could not all account for: a pass over the whole index tells
 * which entries point to records that are not there, and whether the index has lost entries of its own.
 */
import { SCRUB_LOOKUPS, SCRUB_LOST_ENTRIES_MAX } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import { type Finding } from '../damage/plan.ts'
import { blobName, type LogRecord, shardName } from '../index/plan.ts'
import { IndexDamage, type IndexEntry } from '../index/shard-index.ts'
import type { Restoration } from '../index/writer.ts'
import { Inventory } from '../inventory/inventory.ts'
import { segmentPath } from '../segment/files.ts'
import { SEGMENT_HEADER_BYTES } from '../segment/format.ts'
import { readMarker } from '../segment/read.ts'
import { scanSegment } from '../segment/scan.ts'
import { bytesOf, faultOf, type Reader, type ScrubPorts } from './ports.ts'
import type { Tally } from './tally.ts'

/** Bytes of an entry of the index, for the budget. */
const ENTRY_BYTES = 64
/** Bytes of a record's header, as it is read from the disk. */
const HEADER_READ_BYTES = 4096

/**
 * Lists the shards as damaged that the index has in this segment and that are not there, and puts back into the index what
 * it should have and has not.
 *
 * @returns how many
 */
export async function resolveSegment(ports: ScrubPorts, tally: Tally, reader: Reader): Promise<number> {
  const pass = await passIndex(ports, tally, reader)
  if (pass === undefined) return 0
  const { found, counted, use } = pass
  if (counted.liveShards === use.liveShards) return found
  try {
    return found + (await putBack(ports, tally, reader, pass))
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'EIO' && code !== 'ENOENT') throw error
    // Nobody can say then what tombstones there were: repair puts anew what is needed.
    const file = segmentPath(tally.segment)
    ports.log.error('what the index has lost cannot be put back', { file, error: code })
    return found
  }
}

/** Puts entries back that the index has lost of the segment; resolves to how many. */
async function putBack(ports: ScrubPorts, tally: Tally, reader: Reader, pass: Pass): Promise<number> {
  const { live, writer, log } = ports
  const { counted, use, inventory } = pass
  const lost = await lostEntries(ports, tally, reader)
  if (lost === undefined) return 0
  const bury = burier(lost)
  // What has reached the index is found in the segments; what reaches it from now on, or is a copy, is heard of.
  const stop = writer.watch((_changes, records) => {
    for (const record of records) bury(record)
  })
  try {
    if (lost.size > 0) await buryAll(ports, bury, reader)
    return await live.settled(async () => {
      const entries = [...lost.values()]
      log.error('the index has lost entries', {
        file: segmentPath(tally.segment),
        missing: use.liveShards - counted.liveShards,
        found: entries.length,
      })
      return await writer.restore({ segment: tally.segment, entries, counted, use, inventory })
    })
  } finally {
    stop()
  }
}

interface Pass {
  readonly found: number
  readonly counted: Restoration['counted']
  readonly use: Restoration['use']
  readonly inventory: Restoration['inventory']
}

async function passIndex(ports: ScrubPorts, tally: Tally, reader: Reader): Promise<Pass | undefined> {
  const { index, live, writer } = ports
  const entries = index.entries()[Symbol.asyncIterator]()
  const truth = new Inventory(0)
  const counted = { liveShards: 0, liveBytes: 0, liveRecordBytes: 0 }
  let unmet: IndexEntry[] = []
  let found = 0
  async function count(entry: IndexEntry): Promise<void> {
    const { address, location } = entry
    truth.count(address, 1)
    await reader.took(ENTRY_BYTES)
    if (location.segment !== tally.segment) return
    counted.liveShards++
    counted.liveBytes += location.dataBytes
    counted.liveRecordBytes += bytesOf(location)
    if (location.offset >= tally.end || tally.has(location.offset)) return
    unmet.push(entry)
    if (unmet.length < SCRUB_LOOKUPS) return
    found += await checkUnmet(ports, unmet, reader)
    unmet = []
  }
  try {
    const begun = await live.settled(async () => {
      const use = writer.uses.get(tally.segment)
      if (use === undefined) return undefined
      for await (const { address } of writer.damage.all()) truth.count(address, -1)
      return { use, kept: writer.inventory.counts(), first: await entries.next() }
    })
    // Removed meanwhile.
    if (begun === undefined) return undefined
    const { use, kept } = begun
    for (let next = begun.first; next.done !== true; next = await entries.next()) await count(next.value)
    found += await checkUnmet(ports, unmet, reader)
    return { found, counted, use, inventory: { kept, true: truth.counts() } }
  } finally {
    await entries.return?.()
  }
}

/** Reads shards where the index says they are, and lists those as damaged that are not there. */
async function checkUnmet(
  { files, damage, live, writer }: ScrubPorts,
  entries: readonly IndexEntry[],
  reader: Reader,
): Promise<number> {
  const findings: Finding[] = []
  const well: IndexEntry[] = []
  for (const entry of entries) {
    const reason = await faultOf(files, entry)
    if (reason !== undefined) findings.push({ ...entry, reason })
    else if ((await faultOf(files, entry)) === undefined) well.push(entry)
    await reader.took(bytesOf(entry.location))
  }
  if (well.length > 0 && writer.damage.count > 0) await live.settled(() => writer.clearDamage(well))
  return await damage.mark(findings)
}

/**
 * The records of a segment that the index does not have: whole, with no other record of the shard known, and perhaps buried by
 * some tombstone; by {@link shardName}. Undefined when they are too many; the index is given up then.
 */
async function lostEntries(
  ports: ScrubPorts,
  tally: Tally,
  reader: Reader,
): Promise<Map<string, IndexEntry> | undefined> {
  const candidates = new Map<string, IndexEntry>()
  let batch: LogRecord[] = []
  async function look(): Promise<void> {
    const locations = await ports.live.settled(() => ports.index.getMany(batch.map(({ address }) => address)))
    for (const [i, { address, location }] of batch.entries()) {
      if (locations[i] !== undefined) continue
      const other = candidates.get(shardName(address))
      if (other !== undefined && other.location.sequence > location.sequence) continue
      candidates.set(shardName(address), { address, location })
    }
    batch = []
  }
  await scan(ports, tally.segment, true, reader, async (record) => {
    if (record.kind !== 'put' || record.end > tally.end) return
    batch.push(record)
    if (batch.length === SCRUB_LOOKUPS) await look()
  })
  await look()
  if (candidates.size > SCRUB_LOST_ENTRIES_MAX) {
    await ports.condemn(new IndexDamage('the index has lost more entries than can be put back'))
    return undefined
  }
  return candidates
}

/** What drops from `candidates` the shards that a record buries. */
function burier(candidates: Map<string, IndexEntry>): (record: LogRecord) => void {
  const namesOfBlob = new Map<string, string[]>()
  for (const [name, { address }] of candidates) {
    const names = namesOfBlob.get(blobName(address)) ?? []
    names.push(name)
    namesOfBlob.set(blobName(address), names)
  }
  return ({ kind, address, location }) => {
    if (kind === 'put') return
    const names = kind === 'tombstone' ? (namesOfBlob.get(blobName(address)) ?? []) : [shardName(address)]
    for (const name of names) {
      const buried = candidates.get(name)
      if (buried !== undefined && buried.location.sequence < location.sequence) candidates.delete(name)
    }
  }
}

/** Tells `bury` of all tombstones there are. */
async function buryAll(ports: ScrubPorts, bury: (record: LogRecord) => void, reader: Reader): Promise<void> {
  const uses = [...ports.writer.uses.values()].filter(({ tombstoneBytes }) => tombstoneBytes > 0)
  for (const { segment } of uses) {
    await scan(ports, segment, false, reader, async (record) => {
      bury(record)
    })
  }
}

/** Goes over the records of a segment. */
async function scan(
  { files }: ScrubPorts,
  segment: number,
  verify: boolean,
  reader: Reader,
  visit: (record: LogRecord) => Promise<void>,
): Promise<void> {
  await files.use(segment, async (file) => {
    const { marker } = await readMarker(file)
    for await (const each of scanSegment(file, { segment, marker, from: SEGMENT_HEADER_BYTES, verify })) {
      if ('gap' in each) continue
      await visit(each.record)
      const { location, end } = each.record
      await reader.took(verify ? end - location.offset : HEADER_READ_BYTES)
    }
  })
}
