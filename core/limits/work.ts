/** Bounds of background work but garbage collection; a part of core/limits.ts, where all of them are found. */

/** A lease on background work: as long as work rests when the process that did it died. Renewed at a third of it. */
export const WORK_LEASE_TTL_MS = 15_000

/** Time after which a process gives a lease back, between two rounds, so that others share the work. */
export const WORK_TURN_MS = 5 * 60 * 1000

/** Pause after background work failed: doubled from the first to the second. */
export const WORK_RETRY_MS_MIN = 1000
export const WORK_RETRY_MS_MAX = 60_000

/** Span over which the rate of background work is measured. */
export const WORK_RATE_WINDOW_MS = 30_000

/** Unused budget of background work that is saved up: what one second may move, so that it comes evenly. */
export const WORK_BUDGET_BURST_MS = 1000

/** Stripes of which shards are made at once by all background work of a process: small ones wait for disks, large ones for memory. */
export const WORK_STRIPES_IN_FLIGHT_MAX = 16

/** Of one blob, so that a large one leaves room for others. */
export const BLOB_STRIPES_IN_FLIGHT_MAX = 4

/** Blobs that one piece of work handles at once: small ones are mostly waiting for answers. */
export const WORK_BLOBS_IN_FLIGHT_MAX = 8

/** Blobs that wait for repair in memory, under a KiB each; the others stay in the outbox and in the lists of the nodes. */
export const REPAIR_QUEUE_MAX = 8192

/** Blobs that are repaired before the queue is put in order again. */
export const REPAIR_BATCH = 64

/** Time between two looks for new repairs. */
export const REPAIR_POLL_MS = 2000

/** Time between two looks for outboxes: one that a split has made waits so long for its first reader. */
export const OUTBOX_LIST_MS = 5000

/** Pause before an outbox that could not be read is read again, while others are. */
export const OUTBOX_RETRY_MS = 5000

/** Time between two looks at the damaged shards of a node. */
export const DAMAGED_POLL_MS = 15_000

/** Pause before a repair that could not be made is tried again: doubled from the first to the second. */
export const REPAIR_RETRY_MS_MIN = 5000
export const REPAIR_RETRY_MS_MAX = 5 * 60 * 1000

/** Shares of the placement groups, each leased by itself: as many processes can go over groups at once. */
export const GROUP_SHARES = 8

/** Blobs in want of something that are looked up together and brought in order, the least redundant first. */
export const GROUP_WINDOW_BLOBS = 512

/** Shards of the blobs of such a window: those of large blobs are thousands. */
export const GROUP_WINDOW_SHARDS = 65_536

/** Shards of all nodes' lists that one pass over a group holds: some MiB. */
export const GROUP_LIST_SHARDS_MAX = 32_768

/** The smallest page of one node's list, however many nodes there are. */
export const GROUP_LIST_PAGE_MIN = 16

/** Every group's blobs are held against their records once in this time. */
export const GROUP_DEEP_PASS_MS = 7 * 24 * 60 * 60 * 1000

/** Pause before a pass over a group that left something undone is made again: doubled from the first to the second. */
export const GROUP_RETRY_MS_MIN = 5000
export const GROUP_RETRY_MS_MAX = 10 * 60 * 1000

/** Time between two looks for groups that need a pass. */
export const GROUP_POLL_MS = 1000

/** Time from the first list of a group, since its slots are as they are, to the one by which a move is declared at its end. */
export const SLOT_SETTLE_MS = 5000

/** Time between two changes of the map that end moves: each makes all gateways look again. */
export const SLOT_FINISH_INTERVAL_MS = 2000

/** Passes over a group that follow each other at once; a group that asks for more has a node that does not do what it says. */
export const GROUP_REPEATS_MAX = 10

/** Groups whose need is estimated in one round, before the next pass is made. */
export const GROUP_SURVEYS_PER_ROUND = 32

/** Blobs that are written by another code at once: each takes a few stripes of memory. */
export const RECODE_BLOBS_IN_FLIGHT_MAX = 4

/** Blobs of a retiring pool that are looked up together. */
export const RECODE_WINDOW_BLOBS = 64

/** Time between two looks at retiring pools whose blobs have all been re-encoded, but not removed yet. */
export const RECODE_POLL_MS = 15_000

/** Time after which blobs are looked at again that no record names, and that were left: as long as what was just deleted is. */
export const GROUP_AGEING_MS = 20 * 60 * 1000

/** Such blobs that are kept in mind of one group; the next deep pass finds the others. */
export const GROUP_SUSPECTS_MAX = 1000

/** Age from which on a blob that cannot be read from what all nodes list is told as lost: by then its write has long ended. */
export const BLOB_LOST_AGE_MS = 10 * 60 * 1000
