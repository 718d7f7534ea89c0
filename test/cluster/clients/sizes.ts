/** Sizes of what is moved; ASHLAR_TEST_FULL=1 takes those of a real load. */
const full = process.env['ASHLAR_TEST_FULL'] === '1'

const MIB = 1024 * 1024

/** Bytes of a large object: many parts, and not a multiple of any part, stripe or shard. */
export const LARGE_BYTES = (full ? 1100 * MIB : 48 * MIB) + 12_345

/** Files of a tree that is synchronised. */
export const TREE_FILES = full ? 2100 : 200
