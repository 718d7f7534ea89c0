import { next } from '../../core/keyspace/bytes.ts'
import { outboxKey, outboxRange, type OutboxTaskKind, readOutboxKey } from '../../core/keyspace/keys.ts'
import { GARBAGE_GRACE_MS, OUTBOX_SCAN_RECORDS, PARTITION_REOPEN_MS_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { type Engine, type EngineEntry, type EngineSnapshot, SnapshotLostError } from '../engine/engine.ts'
import { decodeRecord, outboxHeadOf, outboxKind } from '../records.ts'
import type { BlobGuard } from './blob-guard.ts'
import type { Outbox } from './outbox.ts'

const KINDS = ['garbage', 'repair'] as const

export interface CountParts {
  readonly engine: Engine
  readonly outbox: Outbox
  /** Told of what became garbage less than the grace ago. */
  readonly blobs: BlobGuard
  /** All outboxes of the partition. */
  readonly outboxes: readonly number[]
  readonly clock: Clock
  readonly log: Log
  /** Runs something while nothing of the partition is being written. */
  between<T>(run: () => Promise<T>): Promise<T>
  /** Whether the partition is served no more, and nobody needs to know. */
  isOver(): boolean
  /** Moves repairs to where they belong from among the garbage, where earlier programs put them. @throws {MetadataError} */
  moveRepairs(keys: readonly Uint8Array[]): Promise<void>
}

/** Counts at once what is waiting, if that is little. Called before anything is written. @returns false: it is to be counted by {@link countOutboxes} */
export async function countFew(parts: CountParts): Promise<boolean> {
  const { engine, outboxes } = parts
  const ranges = outboxes.flatMap((each) => KINDS.map((kind) => ({ each, kind, ...outboxRange(each, kind) })))
  const found: { readonly kind: OutboxTaskKind; readonly entries: EngineEntry[] }[] = []
  for (const { kind, gte, lt } of ranges) {
    const entries = await engine.scan({ gte, lt, limit: OUTBOX_SCAN_RECORDS })
    // Among the garbage there may be repairs of earlier programs, which are moved in the background.
    if (entries.length === OUTBOX_SCAN_RECORDS || repairsAmong(kind, entries).length > 0) return false
    found.push({ kind, entries })
  }
  parts.outbox.beginCount()
  for (const { kind, entries } of found) take(parts, kind, entries)
  parts.outbox.endCount()
  return true
}

/**
 * Counts what is waiting, while the partition is being served: what waited at one moment is read from a snapshot of it, what came
 * and went since is counted as it becomes durable. Until all of it is read, no blob is called an orphan. Never rejects.
 */
export async function countOutboxes(parts: CountParts): Promise<void> {
  const { outbox, blobs, clock, log } = parts
  blobs.beginReading()
  while (!parts.isOver()) {
    let snapshot: EngineSnapshot | undefined
    try {
      snapshot = await parts.between(async () => {
        const opened = await parts.engine.openSnapshot()
        outbox.beginCount()
        return opened
      })
      if (!(await countIn(snapshot, parts))) return
      outbox.endCount()
      blobs.endReading()
      return
    } catch (error) {
      if (parts.isOver()) return
      log.warn('what waits in the outbox could not be counted, and is counted anew', { error })
      if (!(error instanceof SnapshotLostError)) await clock.sleep(PARTITION_REOPEN_MS_MAX)
    } finally {
      await snapshot?.close()
    }
  }
}

/** @returns false: it was given up */
async function countIn(snapshot: EngineSnapshot, parts: CountParts): Promise<boolean> {
  for (const each of parts.outboxes) {
    for (const kind of KINDS) {
      for await (const entries of chunks(snapshot, each, kind)) {
        if (parts.isOver()) return false
        take(parts, kind, entries)
        const misplaced = repairsAmong(kind, entries)
        if (misplaced.length > 0) await parts.moveRepairs(misplaced)
      }
    }
  }
  return true
}

function take(
  { outbox, blobs, clock }: CountParts,
  kind: OutboxTaskKind,
  entries: readonly EngineEntry[],
): void {
  const recentMs = clock.nowMs() - GARBAGE_GRACE_MS
  for (const { value } of entries) {
    const head = outboxHeadOf(value)
    if (kind === 'garbage' && head.task === 'garbage' && head.createdMs < recentMs) {
      outbox.found('garbage', undefined)
      continue
    }
    const { task } = decodeRecord(outboxKind, value)
    outbox.found(task.case, task.case === 'repair' ? task.value.blob?.id : undefined)
    if (task.case === 'garbage') blobs.discarded(task.value.blobs)
  }
}

function repairsAmong(kind: OutboxTaskKind, entries: readonly EngineEntry[]): Uint8Array[] {
  if (kind === 'repair') return []
  return entries.filter(({ value }) => outboxHeadOf(value).task === 'repair').map(({ key }) => key)
}

/** Where a repair that lies among the garbage belongs. */
export function repairKeyOf(key: Uint8Array): Uint8Array {
  const { partition, sequence } = readOutboxKey(key)
  return outboxKey(partition, 'repair', sequence)
}

/** All tasks of a kind, some at a time. */
async function* chunks(
  snapshot: EngineSnapshot,
  partition: number,
  kind: OutboxTaskKind,
): AsyncGenerator<readonly EngineEntry[]> {
  const { gte, lt } = outboxRange(partition, kind)
  let cursor = gte
  for (;;) {
    const entries = await snapshot.scan({ gte: cursor, lt, limit: OUTBOX_SCAN_RECORDS })
    yield entries
    const last = entries.at(-1)
    if (last === undefined || entries.length < OUTBOX_SCAN_RECORDS) return
    cursor = next(last.key)
  }
}
