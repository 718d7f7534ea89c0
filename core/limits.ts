/**
 * Every bound of the system, in one place, each with its reason. Sizes are bytes and times milliseconds unless a name
 * says otherwise.
 */

// Erasure coding

/** Shards a stripe, data and parity: a placement group this wide is already hard to place over failure domains. */
export const ERASURE_SHARDS_MAX = 32

/** The largest shard: big enough to amortise a disk seek and a request, small enough that a few stripes fit in memory. */
export const SHARD_BYTES_MAX = 1024 * 1024

/** Reed–Solomon shards are a multiple of this: the page of memory, of most file systems and of most disks. */
export const SHARD_ALIGN = 4096

// Shards and objects

/** Bytes under one shard checksum: small reads verify little, and 64 KiB of CRC32C costs microseconds. */
export const SHARD_BLOCK_BYTES = 64 * 1024

/** Objects up to this size are kept as whole copies: cutting them would cost more padding and round trips than it saves. */
export const SMALL_OBJECT_BYTES_MAX = 32 * 1024

/** Placement groups of a pool in a new cluster: enough to spread over dozens of nodes, few enough for a small map. */
export const PLACEMENT_GROUPS_PER_POOL = 128

// Between the services

/** Age of a cluster token at which it is refused: longer than the clocks of one cluster may differ. */
export const CLUSTER_TOKEN_SKEW_MS = 5 * 60 * 1000

/** A storage node whose last heartbeat is older than this counts as down. */
export const NODE_LEASE_MS = 6000

/** Time between a storage node's heartbeats: three may be lost before the lease ends. */
export const NODE_HEARTBEAT_MS = 1500

/** Version of every persistent record; a record with a higher one was written by a newer program. */
export const RECORD_FORMAT = 1
