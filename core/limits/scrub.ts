/** Bounds of what a storage node reads while it gives way to clients; a part of core/limits.ts, where all of them are found. */

/** Bytes a second that a scrub reads at least, so that what fits on a laptop is done in minutes. */
export const SCRUB_RATE_MIN = 1024 * 1024

/** And at most: what one disk gives when it reads along; more days are needed for what takes more. */
export const SCRUB_RATE_MAX = 200 * 1024 * 1024

/** Bytes that a scrub reads before it looks whether it is too fast or in the way. */
export const SCRUB_SLICE_BYTES = 1024 * 1024

/**
 * Requests that a node is answering from which on it is busy, and its scrub and reads in the background wait: one alone may be a
 * heartbeat's.
 */
export const BACKGROUND_BUSY_REQUESTS = 2

/** Time between two looks of what waits whether the node is still busy. */
export const BACKGROUND_LOOK_MS = 20

/** Bytes a second that a node gives reads in the background however busy it is: a tenth or less of a disk. */
export const BACKGROUND_READ_BYTES_PER_SECOND_MIN = 8 * 1024 * 1024

/** Time that such a read waits at most, those before it included: half of what readers give a node (SHARD_GET_TIMEOUT_MS). */
export const BACKGROUND_READ_WAIT_MS_MAX = 4000

/** Records that a scrub looks up in the index together: a few milliseconds, in which the index takes no writes. */
export const SCRUB_LOOKUPS = 512

/** Entries that the index has lost, of one segment, which the scrub puts back; with more, it is cheaper to build it anew. */
export const SCRUB_LOST_ENTRIES_MAX = 65_536
