import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { IndexChanges, IndexEntry, Location, SegmentUse } from './shard-index.ts'

/** A record that lies in the log. */
export interface LogRecord {
  readonly kind: 'put' | 'tombstone'
  readonly address: ShardAddress
  readonly location: Location
  /** Where the next record starts in the segment. */
  readonly end: number
}

/** What the index held before the records, as far as they touch it. */
export interface Prior {
  /** By {@link shardName}. */
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

export function blobName(address: ShardAddress): string {
  return `${address.group}/${address.blob}`
}

export function shardName(address: ShardAddress): string {
  return `${blobName(address)}/${address.stripe}/${address.shard}`
}

/**
 * What `records`, in order of sequence, change in the index. A record that the index already knows, or knows to be
 * superseded, changes nothing, so that a stretch of the log may be planned again.
 */
export function planIndex(records: readonly LogRecord[], prior: Prior): IndexPlan {
  const shards = new Map<string, { address: ShardAddress; location: Location | undefined }>()
  const touchedOfBlob = new Map<string, Set<string>>()
  const uses = new Map<number, SegmentUse>()
  const removed: number[] = []

  const use = (segment: number): SegmentUse =>
    uses.get(segment) ??
    prior.uses.get(segment) ?? { segment, liveShards: 0, liveBytes: 0, end: 0, hasTombstones: false }

  function account(location: Location | undefined, sign: 1 | -1): void {
    if (location === undefined) return
    const old = use(location.segment)
    uses.set(location.segment, {
      ...old,
      liveShards: old.liveShards + sign,
      liveBytes: old.liveBytes + sign * location.dataBytes,
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

  function put({ address, location }: LogRecord): number {
    const name = shardName(address)
    const seen = shards.get(name)
    const before = seen === undefined ? prior.shards.get(name) : seen.location
    if (before === undefined || before.sequence < location.sequence) set(address, before, location)
    return 0
  }

  function bury({ address, location }: LogRecord): number {
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

  for (const record of records) {
    removed.push(record.kind === 'put' ? put(record) : bury(record))
    const { segment } = record.location
    const old = use(segment)
    const hasTombstones = old.hasTombstones || record.kind === 'tombstone'
    uses.set(segment, { ...old, hasTombstones, end: Math.max(old.end, record.end) })
  }

  const changed = [...shards.values()]
  const changes: IndexChanges = {
    put: changed.flatMap(({ address, location }) => (location === undefined ? [] : [{ address, location }])),
    remove: changed.filter(({ location }) => location === undefined).map(({ address }) => address),
    uses: [...uses.values()],
  }
  return { changes, removed }
}

/**
 * Segments that hold nothing anyone needs, of those before `active`. One with tombstones is needed while an older
 * segment exists: a rebuild would find there what they buried.
 */
export function deadSegments(uses: Iterable<SegmentUse>, active: number): number[] {
  const dead: number[] = []
  let oldest = true
  for (const use of [...uses].toSorted((a, b) => a.segment - b.segment)) {
    if (use.segment >= active) break
    if (use.liveShards === 0 && (oldest || !use.hasTombstones)) dead.push(use.segment)
    else oldest = false
  }
  return dead
}
