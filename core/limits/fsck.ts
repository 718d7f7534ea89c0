/** Bounds of `ashlar fsck`; a part of core/limits.ts, where all of them are found. */

/**
 * Blobs that are held in memory between the look at the nodes and the look at the records, 32 bytes each: for more, the
 * records are gone through again.
 */
export const FSCK_ROUND_BLOBS_MAX = 2_000_000

/** Blobs found on nodes that are looked up together, and the shards of them: those of large blobs are thousands. */
export const FSCK_WINDOW_BLOBS = 512
export const FSCK_WINDOW_SHARDS = 16_384

/** Blobs that are looked at a second time together, after one pause. */
export const FSCK_SUSPECTS_MAX = 4096

/** Pause before the second look: longer than a write, a delete or a repair of a small blob leaves nodes and records apart. */
export const FSCK_SECOND_LOOK_MS = 2000

/** Snapshots of metadata in a row that are let go before a check of its records has come on by a key. */
export const FSCK_SNAPSHOTS_MAX = 3

/** Attempts at a second look that sees nothing change while it lasts. */
export const FSCK_LOOKS_MAX = 5

/** Blobs, or records, that are asked about at once. */
export const FSCK_REQUESTS_IN_FLIGHT_MAX = 32

/** Shards, and contents of objects, that are read at once: up to a few MiB each. */
export const FSCK_READS_IN_FLIGHT_MAX = 8

/** Bytes that `--deep` reads in a second by default: a part of what a few disks give, and as much as repair may take. */
export const FSCK_BYTES_PER_SECOND_DEFAULT = 100 * 1024 * 1024

/** Pauses of a check after metadata has refused it for load; each is twice as long as the one before, up to the second. */
export const FSCK_REST_MS = 50
export const FSCK_REST_MS_MAX = 2000

/** Records of one bucket that are fetched together. */
export const FSCK_PAGE_RECORDS = 1000

/** Time between two lines about how far it is. */
export const FSCK_PROGRESS_MS = 5000

/** Examples of each kind of disagreement that are shown to people. */
export const FSCK_EXAMPLES_MAX = 5

/** Ids of pools in a row of which no node has shards, after which no further ones are looked for. */
export const REBUILD_POOLS_EMPTY_MAX = 8

/** Keys of which the records are made at once when metadata is rebuilt. */
export const REBUILD_KEYS_IN_FLIGHT_MAX = 16
