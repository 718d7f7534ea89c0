/** Bounds of how clients find metadata's partitions; a part of core/limits.ts, where all of them are found. */

/** Time without an answer after which a client asks whether the partition has another owner; as often while it waits. */
export const METADATA_OWNER_LOOK_MS = 200

/** Time for an answer about the partition map: a process that takes longer is not the one to ask. */
export const METADATA_MAP_TIMEOUT_MS = 1000

/** Time from one question about the map to the next: a thousand requests that are turned away ask no more often than one. */
export const METADATA_MAP_PAUSE_MS = 20

/** Processes that are asked for the map at once: one of them answers although another stands still and one is gone. */
export const METADATA_MAP_ASKED = 3

/** Pause before a request that was turned away goes out again: doubled from the first to the second. A move takes tens of ms. */
export const METADATA_REROUTE_MS_MIN = 10
export const METADATA_REROUTE_MS_MAX = 320

/** Partitions that one listing asks at once: its memory is bounded by as many pages. */
export const LIST_PARTITIONS_AT_ONCE = 4

/** Addresses of metadata that a process is given: enough for one in each zone, many times over. */
export const METADATA_ADDRESSES_MAX = 64
