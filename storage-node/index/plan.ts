import type { ShardAddress } from '../../proto/shard-transport.ts'
import { recordBytes, type RecordKind } from '../segment/format.ts'
import type { IndexChanges, IndexEntry, Location, SegmentUse } from './shard-index.ts'

/** A record that lies in the log. */
export interface LogRecord {
  readonly kind: RecordKind
  readonly address: ShardAddress
  readonly location: Location
  /** Where the next record starts in the segment. */
  readonly end: number
  /** The segment that it was first written in: another than it lies in for a copy that compaction made. */
  readonly origin: number
}

/** What the index held before the records, as far as they touch it. */
export interface Prior {
  /** By {@link shardName}; for the shards of the puts and the shard tombstones. */
  readonly shards: ReadonlyMap<string, Location>
  /** By {@link blobName}; for the blobs of the tombstones. */
  readonly blobs: ReadonlyMap<string, readonly IndexEntry[]>
  readonly uses: ReadonlyMap<number, SegmentUse>
}

export interface IndexPlan {
  readonly changes: IndexChanges
  /** For each record, how many shards it removed. */
  readonly removed: readonly number[]
}

export function blobName(address: { readonly group: number; readonly blob: string }): string {
  return `${address.group}/${address.blob}`
}

export function shardName(address: ShardAddress): string {
  return `${blobName(address)}/${address.stripe}/${address.shard}`
}

/**
 * Whether of two records of a shard `a` holds: the one with the higher sequence number; of a record and its copies, which
 * have the same, the last in the log.
 */
function holdsOver(a: Location, b: Location): boolean {
  if (a.sequence !== b.sequence) return a.sequence > b.sequence
  return a.segment === b.segment ? a.offset > b.offset : a.segment > b.segment
}

/**
 * What `records`, in order of the log, change in the index. A record that the index already knows, or knows to be
 * superseded, changes nothing, so that a stretch of the log may be planned again.
 */
export function planIndex(records: readonly LogRecord[], prior: Prior): IndexPlan {
  const shards = new Map<string, { address: ShardAddress; location: Location | undefined }>()
  const touchedOfBlob = new Map<string, Set<string>>()
  const uses = new Map<number, SegmentUse>()
  const removed: number[] = []

  const use = (segment: number): SegmentUse =>
    uses.get(segment) ?? prior.uses.get(segment) ?? unusedSegment(segment)

  function account(location: Location | undefined, sign: 1 | -1): void {
    if (location === undefined) return
    const old = use(location.segment)
    // Never below nothing, which could not be stored: an account that is wrong must not end all writing.
    const sum = (before: number, by: number): number => Math.max(0, before + sign * by)
    uses.set(location.segment, {
      ...old,
      liveShards: sum(old.liveShards, 1),
      liveBytes: sum(old.liveBytes, location.dataBytes),
      liveRecordBytes: sum(old.liveRecordBytes, recordBytes(location.ownerBytes, location.dataBytes)),
    })
  }

  function set(address: ShardAddress, before: Location | undefined, after: Location | undefined): void {
    account(before, -1)
    account(after, 1)
    shards.set(shardName(address), { address, location: after })
    const blob = blobName(address)
    const touched = touchedOfBlob.get(blob) ?? new Set()
    touchedOfBlob.set(blob, touched.add(shardName(address)))
  }

  function held(name: string): Location | undefined {
    const seen = shards.get(name)
    return seen === undefined ? prior.shards.get(name) : seen.location
  }

  function put({ address, location }: LogRecord): number {
    const old = held(shardName(address))
    if (old === undefined || holdsOver(location, old)) set(address, old, location)
    return 0
  }

  function buryShard({ address, location }: LogRecord): number {
    const old = held(shardName(address))
    if (old === undefined || old.sequence > location.sequence) return 0
    set(address, old, undefined)
    return 1
  }

  function buryBlob({ address, location }: LogRecord): number {
    const blob = blobName(address)
    const living = new Map<string, { address: ShardAddress; location: Location | undefined }>()
    for (const entry of prior.blobs.get(blob) ?? []) living.set(shardName(entry.address), entry)
    for (const name of touchedOfBlob.get(blob) ?? []) {
      const seen = shards.get(name)
      if (seen !== undefined) living.set(name, seen)
    }
    let count = 0
    for (const shard of living.values()) {
      if (shard.location === undefined || shard.location.sequence > location.sequence) continue
      set(shard.address, shard.location, undefined)
      count++
    }
    return count
  }

  const change = { put, tombstone: buryBlob, 'shard-tombstone': buryShard }
  for (const record of records) {
    removed.push(change[record.kind](record))
    uses.set(record.location.segment, withRecord(use(record.location.segment), record))
  }

  const changed = [...shards.values()]
  const changes: IndexChanges = {
    put: changed.flatMap(({ address, location }) => (location === undefined ? [] : [{ address, location }])),
    remove: changed.filter(({ location }) => location === undefined).map(({ address }) => address),
    uses: [...uses.values()],
  }
  return { changes, removed }
}

function unusedSegment(segment: number): SegmentUse {
  return { segment, liveShards: 0, liveBytes: 0, liveRecordBytes: 0, tombstoneBytes: 0, buries: 0, end: 0 }
}

/** Takes account of the record itself, once: records of a segment come in order, so that its end tells which were seen. */
function withRecord(use: SegmentUse, record: LogRecord): SegmentUse {
  if (record.end <= use.end) return use
  if (record.kind === 'put') return { ...use, end: record.end }
  return {
    ...use,
    end: record.end,
    tombstoneBytes: use.tombstoneBytes + record.end - record.location.offset,
    buries: Math.max(use.buries, record.origin),
  }
}

/**
 * Whether the tombstones of a segment are needed, given the lowest number of the other segments there are. What a
 * tombstone buries was written before it, and is never copied to a place behind it (compaction/blob-gate.ts), so it lies in
 * segments up to the one that the tombstone was first written in.
 */
export function needsTombstones(use: SegmentUse, oldestOther: number): boolean {
  return use.buries >= oldestOther
}

/**
 * Segments that hold nothing anyone needs, of those before `active`, in the order in which they may be removed: a
 * tombstone in one may be needed until the one before is gone.
 *
 * @param emptied segments whose tombstones lie elsewhere too, as far as they are needed
 */
export function deadSegments(
  uses: Iterable<SegmentUse>,
  active: number,
  emptied: ReadonlySet<number> = new Set(),
): number[] {
  const dead: number[] = []
  let oldest = Infinity
  for (const use of [...uses].toSorted((a, b) => a.segment - b.segment)) {
    if (use.segment >= active) break
    const holdsNothing = emptied.has(use.segment) || !needsTombstones(use, oldest)
    if (use.liveShards === 0 && holdsNothing) dead.push(use.segment)
    else oldest = Math.min(oldest, use.segment)
  }
  return dead
}
