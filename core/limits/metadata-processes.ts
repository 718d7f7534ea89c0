/** Bounds of the metadata processes, and of partitions that go from one to another; a part of core/limits.ts, where all of them are found. */

/**
 * Time for which a metadata process serves after it began to renew its record. Others wait a little longer before they take its
 * partitions: so long nothing is served when it dies.
 */
export const MEMBER_TTL_MS = 3000

/** A renewal every so often: two may be lost, or late, before the time is over. */
export const MEMBER_RENEW_MS = 800

/** How often a process looks at the records of the others. */
export const MEMBER_LOOK_MS = 400

/** Beyond its time before a process is taken for dead: for clocks that run at different rates (a tenth would be a broken one). */
export const MEMBER_MARGIN_MS = 500

/** Metadata processes of a cluster: each reads the records of all. */
export const MEMBERS_MAX = 256

/** Attempts to change the partition map while others change it too; each that fails saw somebody else succeed, or the engine away. */
export const PARTITION_MAP_ATTEMPTS = 20

/** Pause before the partition map is read or changed again after the engine failed. */
export const PARTITION_MAP_RETRY_MS = 200

/** Changes of which the map keeps the marks: more than are made while one who lost an answer asks again. */
export const PARTITION_MAP_CHANGES_KEPT = 64

/** Pause before a partition is opened again whose engine failed: doubled from the first to the second. */
export const PARTITION_REOPEN_MS_MIN = 50
export const PARTITION_REOPEN_MS_MAX = 2000

/** Time for which requests wait for a partition that is being opened or changed here, before they are sent elsewhere. */
export const PARTITION_HOLD_MS_MAX = 2000

/** A change of partitions that waits longer for the requests under way is given up: one that lists or purges may be slow. */
export const PARTITION_DRAIN_MS_MAX = 1500

/** Between two reads of the partition map that are made because somebody asked for what is another's here. */
export const PARTITION_MAP_FRESH_MS = 50

/** Time for which a copy of a bucket's record may be gone by; one that is used is renewed before. */
export const BUCKET_COPY_LEASE_MS = 5000

/** Time in which all partitions of a bucket are asked about it: longer than it takes until others have what a dead process owned. */
export const BUCKET_CONTENTS_MS_MAX = 8000

/** Copies of bucket records in a process. */
export const BUCKET_COPIES_MAX = 10_000

/** Holders of copies that the root remembers of one bucket: one a process. */
export const BUCKET_COPY_WAIT_MS = 500

/** One call from a metadata process to another. */
export const PEER_TIMEOUT_MS = 2000

/** What partitions do is told to the coordinator so often. */
export const LOAD_REPORT_MS = 500

/** A report older than this says nothing of now. */
export const LOAD_REPORT_AGE_MS_MAX = 5000

/** Objects that are walked through to find where a partition is halved by size; of a larger one only steps of a bisection are looked at. */
export const SPLIT_WALK_ENTRIES = 8192

/** Steps of that bisection: each halves what it may be off by. */
export const SPLIT_BISECTIONS = 24

/** The sizes of partitions are asked for so often. */
export const PARTITION_SIZE_LOOK_MS = 10_000

/** The coordinator looks at the loads of partitions so often. */
export const PARTITION_LOOK_MS = 1000

/** Keys written while a partition is copied to another engine that are remembered, some 100 bytes each; of more, all is compared again. */
export const ENGINE_MOVE_KEYS_MAX = 100_000

/** Keys that are copied while requests are held: some hundred milliseconds where each takes a round trip or two for a few dozen. */
export const ENGINE_MOVE_HELD_KEYS = 500

/** Time for which requests are held for that; then they go on, and the copy does another round. */
export const ENGINE_MOVE_HOLD_MS_MAX = 1000

/** Rounds of a copy, each of what was written during the last; one that needs more never catches up. */
export const ENGINE_MOVE_ROUNDS_MAX = 30

/** Times that requests are held for the end of a copy, before the move is given up. */
export const ENGINE_MOVE_HOLDS_MAX = 5

/** Keys read at once for a copy. */
export const ENGINE_MOVE_READS = 32

/** Whoever asked for a move between engines is answered after this at the latest, be it that it goes on: less than clients wait. */
export const ENGINE_MOVE_ANSWER_MS = 8000

/** How often it is looked for what moves and merges have left behind. */
export const LEFTOVERS_LOOK_MS = 2000

/** Records of a leftover removed in one batch, or fewer where the engine takes fewer. */
export const LEFTOVERS_BATCH = 500

/** Time in which a process that ends gives away what it owns; what is left then waits until it is taken for dead. */
export const LEAVE_MS_MAX = 5000

/** Partitions that a process which ends gives away at once. */
export const LEAVE_AT_ONCE = 4

/** Pause before a partition that could not be given away is tried again. */
export const LEAVE_RETRY_MS = 50
