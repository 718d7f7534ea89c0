/** Bounds of the journal that the embedded engine keeps on storage nodes; a part of core/limits.ts, where all of them are found. */

/** Time between segments: what a lost disk costs. */
export const JOURNAL_SHIP_MS = 1000

/** Bytes of commits that are shipped before their second is over: a few shards of the largest size. */
export const JOURNAL_SEGMENT_BYTES = 4 * 1024 * 1024

/** Bytes of commits kept while no node takes them. Past it they are dropped, and a new base is made when nodes do. */
export const JOURNAL_WAITING_BYTES_MAX = 64 * 1024 * 1024

/** Copies of each piece, in different zones where there are as many. */
export const JOURNAL_COPIES = 3

/** Time for one put on one node, from which on it goes to another: far more than a sync takes on a disk that is well. */
export const JOURNAL_PUT_TIMEOUT_MS = 5000

/** A node that failed is not asked again for this long while others take what there is. */
export const JOURNAL_AVOID_MS = 30_000

/** Time before another try after a base could not be written. */
export const JOURNAL_RETRY_MS = 5000

/** Bytes of segments that call for a new base, unless the base is larger still: replaying them takes seconds. */
export const JOURNAL_REBASE_BYTES = 64 * 1024 * 1024

/** Segments that call for a new base: half a day of one a second. */
export const JOURNAL_REBASE_SEGMENTS = 40_000

/** Age at which a base is made anew in any case: damage to copies does not add up for longer. */
export const JOURNAL_REBASE_MS = 24 * 60 * 60 * 1000

/** Time that the end of a service waits for what is not shipped yet; the engine has it anyway. */
export const JOURNAL_CLOSE_MS = 2000

/** Age of commits that are not shipped from which on the status has a line of its own for them: a node that hangs is gone round by then. */
export const JOURNAL_BEHIND_MS = 60_000

/** Bytes of what changed since the journal's end that a start ships in one segment; where it is more, a new base is made instead. */
export const JOURNAL_CATCH_UP_BYTES_MAX = 8 * 1024 * 1024

/** Time after a start in which storage nodes may come up with what the journal goes on from, before a new base is made instead. */
export const JOURNAL_RESUME_MS_MAX = 30_000

/** Time between two looks at whether everything put has its copies still, where no node came or went for good. */
export const JOURNAL_REFILL_MS = 60 * 60 * 1000
