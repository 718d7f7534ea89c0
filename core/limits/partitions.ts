/** Bounds of partitions: how load is measured, and when ranges split, merge and move; a part of core/limits.ts. */

/** Seconds of a partition's rates that are kept: as many as a decision looks at, and some more. */
export const LOAD_SECONDS = 30

/** Positions kept of the requests seen lately: a share of a half is then known to about 2 %; with keys of 1 KiB, half a MiB. */
export const LOAD_SAMPLES_MAX = 512

/** Positions taken in a second, however many requests come: a full sample is about ten seconds of load. */
export const LOAD_SAMPLES_PER_SECOND = 50

/** Age at which a sampled position counts half. */
export const LOAD_SAMPLE_HALF_LIFE_MS = 10_000

/** Age at which it no longer counts. */
export const LOAD_SAMPLE_AGE_MS_MAX = LOAD_SECONDS * 1000

/** Positions from which on the sample says where the load is. */
export const SPLIT_SAMPLES_MIN = 32

/** Share of the load that the left half of a split gets at least, in percent, and the right half likewise … */
export const SPLIT_SHARE_PERCENT_MIN = 40

/** … or this, where no key lies so well. Where even that cannot be had, one key has more than half of the load. */
export const SPLIT_SHARE_PERCENT_FALLBACK = 25

/** Writes a second from which on a partition splits. Source: S3 User Guide, "Optimizing Amazon S3 performance", per prefix. */
export const SPLIT_WRITES_PER_SECOND_DEFAULT = 3500

/** Reads a second likewise. Source: the same. */
export const SPLIT_READS_PER_SECOND_DEFAULT = 5500

/** Seconds over which a rate must last to be a trigger: a burst is over by then, a heavy client is not. */
export const SPLIT_SUSTAINED_SECONDS_DEFAULT = 10

/** Share of these seconds in which it must be reached, in percent: a pause of a collection or of a disk changes nothing. */
export const SPLIT_SUSTAINED_PERCENT = 80

/** Entries of the engine from which on a partition splits: its share of a backup or of a move stays minutes. */
export const SPLIT_ENTRIES_DEFAULT = 20_000_000

/** Bytes of the engine likewise: about what as many small records take; an etcd of 8 GiB still holds two. */
export const SPLIT_BYTES_DEFAULT = 4 * 1024 * 1024 * 1024

/** Share of the triggers of a split, in percent, up to which two neighbours together are cold: a tenth cannot flap. */
export const MERGE_LOAD_PERCENT = 10

/** Share of the sizes of a split, in percent, up to which two neighbours together are small. */
export const MERGE_SIZE_PERCENT = 50

/** Time for which two neighbours must be cold, and their ranges unchanged: the quiet half hour of a daily job is no reason. */
export const MERGE_COLD_MS_DEFAULT = 60 * 60 * 1000

/** Time for which a partition that has changed is left alone: until its own rates tell of the state it is in now. */
export const PARTITION_SETTLE_MS_DEFAULT = 15_000

/** Moves that are begun together, or under way: each holds its range's requests for a moment. */
export const PARTITION_MOVES_MAX = 2

/** What a partition without load weighs against one at its trigger, in percent: a thousand idle ones are spread, too. */
export const PARTITION_IDLE_WEIGHT_PERCENT = 5

/** Difference between two nodes, in percent of the busier one's load, from which on partitions move: noise of the rates is less. */
export const BALANCE_DIFFERENCE_PERCENT_MIN = 10

/** What a move must leave of the difference, in percent of a trigger, so that none is made back: less than idle partitions weigh. */
export const BALANCE_LEFT_PERCENT_MIN = 4

/** Partitions of one map: every gateway holds it in memory and reads it whole, a few hundred KiB. */
export const PARTITIONS_MAX = 4096

/** Time after which a partition that was moved may be moved again to balance loads. */
export const PARTITION_REST_MS_DEFAULT = 60_000
