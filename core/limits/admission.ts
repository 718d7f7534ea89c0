/** Bounds of admission: how much is worked on at once, and for how long it may take; a part of core/limits.ts. */

/** Requests of a kind that a process works on at once, to begin with and at most: some MiB of records. */
export const ADMISSION_IN_FLIGHT_MAX = 4096

/** The same at least, however slow the engine: with 100 ms a commit that still makes 640 writes a second. */
export const ADMISSION_IN_FLIGHT_MIN = 64

/**
 * The same for a metadata process: a burst of a few gateways' requests that come in one instant is no overload, though the last of them
 * waits for the first.
 */
export const ADMISSION_PROCESS_IN_FLIGHT_MIN = 512

/** Time from a request's arrival to its answer from which on there is a queue: several syncs of a slow disk, a tenth of what clients notice. */
export const ADMISSION_DELAY_TARGET_MS = 100

/** Time over which delays are judged: long enough for a sync, short enough that a queue does not grow for long. Source: RFC 8289 (CoDel). */
export const ADMISSION_INTERVAL_MS = 100

/** Growth of the bound, in percent an interval, while it is what holds requests back and the delay is below its target. */
export const ADMISSION_GROWTH_PERCENT = 10

/** Intervals over which it is counted how much gets done: a second evens out commits of many requests. */
export const ADMISSION_INTERVALS_COUNTED = 10

/** The newest of them, which count alone where more got done in them: after a rise of the load. */
export const ADMISSION_INTERVALS_NEWEST = 3

/** Part of a new delay without load in what is taken for it, in percent: some dozen intervals are what counts. */
export const ADMISSION_BASE_SHARE_PERCENT = 10

/** The target is at least so many times the delay without load: an engine in another region is slow, and not overloaded. */
export const ADMISSION_BASE_FACTOR = 2

/** Tenants whose work is told apart, and buckets of each: beyond, they share one account of theirs. */
export const ADMISSION_ACCOUNTS_MAX = 1024

/**
 * Time for which a write that was admitted before its body came may commit without being counted again: as long as 5 GiB take at
 * 1.5 MB/s. Those that are never used hold nothing but memory.
 */
export const ADMISSION_LIFE_MS = 60 * 60 * 1000

/** Admissions of a process that wait for their commits; of more, the oldest are forgotten. With keys of 1 KiB, 40 MiB. */
export const ADMISSIONS_MAX = 32_768

/** Contents above this size ask before their bytes are moved: a question is a small part of the time that they take. */
export const ADMISSION_ASK_BYTES = 128 * 1024

/** Time for which all writes of a bucket ask first after one was refused: SDKs that were refused come back within it. */
export const ADMISSION_REFUSED_MS = 2000

/** Buckets of which a gateway remembers that; of more, those refused last. */
export const ADMISSION_REFUSED_BUCKETS_MAX = 1024

/** Writes a second of a partition under `--emulate-s3-limits`. Source: S3 User Guide, "Optimizing Amazon S3 performance". */
export const S3_WRITES_PER_SECOND = 3500

/** Reads a second likewise. */
export const S3_READS_PER_SECOND = 5500

/** Least scale of these figures that an experiment may ask for: some requests a second are left to be counted. */
export const S3_SCALE_MIN = 0.001
