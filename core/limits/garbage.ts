/** Bounds of garbage collection; a part of core/limits.ts, where all of them are found. */

/** Garbage tasks taken up together: their deletes share the nodes' syncs, and their acknowledgement is one batch or some. */
export const GARBAGE_PAGE_TASKS = 256

/** Deletes of blobs on their way at once: a dozen a node, which is a good batch, and does not stand in the way of puts. */
export const GARBAGE_DELETES_IN_FLIGHT_MAX = 64

/** Deletes of blobs a second, each on one node: faster than garbage is made by the fastest writers, slower than nodes can. */
export const GARBAGE_DELETES_PER_S_MAX = 5000

/** Time between two looks for garbage that is due, longer the more is left that could not be done, up to the second figure. */
export const GARBAGE_POLL_MS_MIN = 5000
export const GARBAGE_POLL_MS_MAX = 60_000

/** Garbage tasks that are known to be done in part, a hundred bytes each; others are begun anew. */
export const GARBAGE_TASKS_LEFT_MAX = 10_000

/** Wait before such a task is tried again: doubled from the first to the second, so that one that always fails keeps none up. */
export const GARBAGE_RETRY_MS_MIN = 1000
export const GARBAGE_RETRY_MS_MAX = 10 * 60 * 1000

/** Up to so many nodes, all are asked to delete each blob: one more costs a look into its index. */
export const GARBAGE_EVERYWHERE_NODES_MAX = 16

/** For so long after the map changed, and the grace, all are asked, however many: a pass over what moved has ended by then. */
export const GARBAGE_MOTION_MS = 60 * 60 * 1000
