/** Bounds of admission: how much is worked on at once, and for how long it may take; a part of core/limits.ts. */

/** Requests of a kind that a process works on at once, to begin with and at most: some MiB of records. */
export const ADMISSION_IN_FLIGHT_MAX = 4096

/** The same at least, however slow the engine: group commits of it still carry hundreds of writes a second. */
export const ADMISSION_IN_FLIGHT_MIN = 32

/** Time from a request's arrival to its answer from which on there is a queue: several syncs of a slow disk, a tenth of what clients notice. */
export const ADMISSION_DELAY_TARGET_MS = 100

/** Time over which delays are judged: long enough for a sync, short enough that a queue does not grow for long. Source: RFC 8289 (CoDel). */
export const ADMISSION_INTERVAL_MS = 100

/** Growth of the bound, in percent an interval, while it is what holds requests back and the delay is below its target. */
export const ADMISSION_GROWTH_PERCENT = 5

/** How far below its share a bound is cut in one interval at most, in percent of itself. */
export const ADMISSION_CUT_PERCENT_MAX = 50

/** Tenants whose work is told apart, and buckets of each: beyond, they share one account of theirs. */
export const ADMISSION_ACCOUNTS_MAX = 1024

/** Writes a second of a partition under `--emulate-s3-limits`. Source: S3 User Guide, "Optimizing Amazon S3 performance". */
export const S3_WRITES_PER_SECOND = 3500

/** Reads a second likewise. */
export const S3_READS_PER_SECOND = 5500
