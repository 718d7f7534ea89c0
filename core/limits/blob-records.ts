/**
 * Bounds of what metadata says of blobs, of its outbox, and of the leases on background work; a part of core/limits.ts, where
 * all of them are found.
 */

/** Outbox records read or acknowledged by one request: a reply of some hundred KiB. */
export const OUTBOX_PAGE_MAX = 1000

/** Blobs that one request asks metadata about: each a read, or a short scan. */
export const BLOB_PLACES_MAX = 256

/** Repairs that one request queues. */
export const REPAIR_REQUESTS_MAX = 100

/**
 * Age of a blob, by metadata's clock, from which on its commit is refused. A write takes minutes; the slowest that S3 clients
 * make, 5 GB over a bad line, hours.
 */
export const BLOB_COMMIT_AGE_MS_MAX = 12 * 60 * 60 * 1000

/** How far ahead of metadata's clock a blob's time may lie: far more than clocks of one cluster differ by. */
export const BLOB_AHEAD_MS_MAX = 60 * 60 * 1000

/** Age of a blob that no record names, by the same clock, from which on it is an orphan: no commit can come any more, by far. */
export const BLOB_ORPHAN_AGE_MS_MIN = 2 * BLOB_COMMIT_AGE_MS_MAX

/** Encoded outbox records in one reply, a quarter of a message; the first counts for nothing in that, for it must go. */
export const OUTBOX_PAGE_BYTES_MAX = 4 * 1024 * 1024

/** Outbox records read from the engine at once: the largest, 256 blobs full of relocations, are half a MiB. */
export const OUTBOX_SCAN_RECORDS = 32

/** Bits of the filter that remembers blobs which became garbage within that time, two of 1 MiB: a million are told apart from others 49 times of 50. */
export const RECENT_GARBAGE_BITS = 8 * 1024 * 1024

/** Repairs waiting in the outbox up to which metadata keeps in mind which blobs they are of, and takes requests for more: some MiB. */
export const REPAIRS_PENDING_MAX = 65_536

/** Leases on background work held at once: a few hundred pieces of work for dozens of workers. */
export const WORK_LEASES_MAX = 4096

/** The longest such lease: as long as work rests when its holder died. */
export const WORK_LEASE_MS_MAX = 10 * 60 * 1000

/** Characters of the texts of a lease and of its report: names of work and of workers, and a line for people. */
export const WORK_TEXT_LENGTH_MAX = 256

/** Outbox sequences reserved by one write, so that none is given twice after a crash; what is left of them is skipped. */
export const OUTBOX_SEQUENCES_RESERVED = 65_536
