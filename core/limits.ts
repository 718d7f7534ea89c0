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
