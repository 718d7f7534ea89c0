/** Bounds of backups of the metadata; a part of core/limits.ts, where all of them are found. */

/** Backups open at once: each keeps the engine from forgetting what was deleted or overwritten since. */
export const BACKUPS_OPEN_MAX = 4

/** A backup that nobody has read from for this long is closed: its reader is gone, or its disk is stuck. */
export const BACKUP_IDLE_MS = 2 * 60 * 1000

/** Keys and values of one page of a backup, and of one chunk of its file; one entry may be more. A quarter of a message. */
export const BACKUP_CHUNK_BYTES = 1024 * 1024

/** The largest chunk, before and after compression: the largest batch of an engine, which is one entry at most, and room to spare. */
export const BACKUP_FRAME_BYTES_MAX = 16 * 1024 * 1024

/** Garbage that a check of a backup keeps in mind to find records that name it: some hundred MiB; past that it says so. */
export const BACKUP_GARBAGE_CHECKED_MAX = 2_000_000

/** Faults that a check of a backup names; it counts the others. */
export const BACKUP_FAULTS_NAMED_MAX = 20

/** Time between lines that say how far a backup, a check or a restore is. */
export const BACKUP_PROGRESS_MS = 2000

/**
 * What a restore adds to every number that must not be given twice: orders of versions, sequences of the outbox. More than a
 * partition gives between a backup and a loss (ten thousand a second for five days), and 2^53 has room for two million restores.
 */
export const RESTORE_SEQUENCE_STEP = 2 ** 32

/** What a restore adds to the epoch of the cluster map, which nodes have seen later ones of: more than a cluster changes in its life. */
export const RESTORE_EPOCH_STEP = 2 ** 20

/** Time that a backup waits for one page: an engine under load, or one that fails over, takes a while. */
export const BACKUP_REQUEST_TIMEOUT_MS = 60_000

/**
 * Commits are held no longer for a backup of several engines, even if nobody ends it: shorter than requests wait for a partition
 * (PARTITION_HOLD_MS_MAX), and for the snapshots of a few engines it is plenty.
 */
export const BACKUP_HOLD_MS_MAX = 1500

/** Time in which a metadata process has to say that it holds commits, or has held them: a commit on its way to an engine may be slow. */
export const BACKUP_HOLD_ANSWER_MS = 700

/** Time in which one moment of several engines is found, and the pause after a failed attempt: longer than until others have what a dead process owned. */
export const BACKUP_MOMENT_MS_MAX = 10_000
export const BACKUP_MOMENT_RETRY_MS = 250
