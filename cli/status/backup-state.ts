import { JOURNAL_BEHIND_MS } from '../../core/limits.ts'
import type { GetBackupStateReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { formatBytes, formatSpan } from '../format.ts'

/** A restore that nobody has accepted yet. Times are ISO 8601. */
export interface RestoreStatus {
  /** From here on what was written may be unknown to metadata. */
  readonly backupAt: string
  readonly restoredAt: string
  readonly source: string
}

/** How far the copy of the metadata on the cluster's own storage nodes is. */
export interface JournalStatus {
  readonly secondsBehind: number
  readonly waitingBytes: number
  /** Since metadata started. */
  readonly shippedBytes: number
  /** When the newest whole base was begun; null: there is none yet. */
  readonly baseAt: string | null
  /** Why nothing is shipped; empty while it is. */
  readonly reason: string
}

export function restoreStatuses(state: GetBackupStateReply | undefined): RestoreStatus[] {
  return (state?.restored ?? []).map(({ backupMs, restoredMs, source }) => ({
    backupAt: timeOf(backupMs),
    restoredAt: timeOf(restoredMs),
    source,
  }))
}

export function journalStatus(state: GetBackupStateReply | undefined): JournalStatus | null {
  const journal = state?.journal
  if (journal === undefined) return null
  return {
    secondsBehind: Math.round(Number(journal.behindMs) / 100) / 10,
    waitingBytes: Number(journal.waitingBytes),
    shippedBytes: Number(journal.shippedBytes),
    baseAt: journal.baseAtMs === 0n ? null : timeOf(journal.baseAtMs),
    reason: journal.reason,
  }
}

/** What is worth a line of its own. */
export function journalNotes(journal: JournalStatus | null): string[] {
  if (journal === null || journal.secondsBehind * 1000 < JOURNAL_BEHIND_MS) return []
  return [`the loss of the metadata's disk would cost the last ${formatSpan(journal.secondsBehind)}`]
}

export function restoreLine({ backupAt, restoredAt, source }: RestoreStatus): string {
  return (
    `Restored: from ${source} at ${restoredAt}; what was written after ${backupAt} is unknown to metadata, and is not removed ` +
    'until `ashlar metadata accept-restore`'
  )
}

export function journalLine({ secondsBehind, waitingBytes, baseAt, reason }: JournalStatus): string {
  const behind = secondsBehind === 0 ? 'up to date' : `${formatSpan(secondsBehind)} behind`
  const waiting = waitingBytes === 0 ? '' : `, ${formatBytes(waitingBytes)} waiting`
  const base = baseAt === null ? 'no base yet' : `base of ${baseAt}`
  return `Journal: ${behind}${waiting}; ${base}${reason === '' ? '' : `; ${reason}`}`
}

function timeOf(ms: bigint): string {
  return new Date(Number(ms)).toISOString()
}
