/** Bounds of the engine `etcd`; a part of core/limits.ts, where all of them are found. */

/** Operations of one transaction, compares apart: etcd's default --max-txn-ops. */
export const ETCD_TXN_OPERATIONS_DEFAULT = 128

/** Bytes of one request: etcd's default --max-request-bytes. */
export const ETCD_REQUEST_BYTES_DEFAULT = 1.5 * 1024 * 1024

/** Of a request, for what is not keys and values of a batch: the fence, the mark, the frame of each operation but its prefix. */
export const ETCD_REQUEST_OVERHEAD_BYTES = 16 * 1024

/** Frame of one operation in a request: tags and lengths of three nested messages, rounded up. */
export const ETCD_OPERATION_OVERHEAD_BYTES = 32

/** Letters of the prefix of all keys: each key carries it. */
export const ETCD_PREFIX_LENGTH_MAX = 64

/** Space of an ensemble: etcd's default --quota-backend-bytes. Its manual advises 8 GiB at the most. */
export const ETCD_QUOTA_BYTES_DEFAULT = 2 * 1024 * 1024 * 1024

/** Share of the quota from which requests that add records are refused; what is left is for deletes, which write, too. */
export const ETCD_QUOTA_FULL_SHARE = 0.9

/** Share of the quota from which batches that put are refused: past the quota etcd raises an alarm that only a person ends. */
export const ETCD_QUOTA_STOP_SHARE = 0.95

/**
 * The same for batches of at most so many bytes: renewals of members, fences of partitions, single small records. A hundred processes
 * that renew their records put 20 KB a second, of which compaction leaves one record each: of 2 GiB 3 % are an hour of it.
 */
export const ETCD_QUOTA_LAST_SHARE = 0.98
export const ETCD_SMALL_BATCH_BYTES = 4096

/** Share of the quota from which old revisions are kept for a short time only, and members are defragmented sooner. */
export const ETCD_QUOTA_PRESSED_SHARE = 0.8

/** How old a reading of the space used may be when a batch is let through; what this process puts meanwhile is added to it. */
export const ETCD_SPACE_LOOK_MS = 5000

/** Time for a connection to a member to be made. */
export const ETCD_CONNECT_MS = 1000

/**
 * Time for a first answer, doubled with each further attempt: a member that follows a dead leader passes requests on into nothing
 * for up to its election timeout (1 s by default), and then says nothing of it for seconds.
 */
export const ETCD_ATTEMPT_MS = 2000

/** Time after which a call fails, all attempts together: an ensemble that loses its leader has another after three seconds. */
export const ETCD_CALL_MS = 20_000

/** Pause after all members have failed once: doubled from the first to the second. */
export const ETCD_RETRY_MS_MIN = 20
export const ETCD_RETRY_MS_MAX = 500

/** Pings of an idle connection. etcd closes connections that are pinged more often than every 5 s. */
export const ETCD_PING_MS = 10_000
export const ETCD_PING_TIMEOUT_MS = 3000

/** Bytes of one answer: a page of 1,024 entries of a few KiB; where entries are larger, pages are made shorter. */
export const ETCD_ANSWER_BYTES_MAX = 8 * 1024 * 1024

/** How long a member that sends watched keys may be silent, though it is asked every ENGINE_WATCH_MS whether it is there. */
export const ETCD_WATCH_SILENCE_MS = 2000

/**
 * One key in so many is a signpost (metadata/engine/etcd/signposts.ts). A scan from the end reads so many entries at the least, and
 * each signpost is a key more in the ensemble and in the memory of each process.
 */
export const ETCD_SIGNPOST_EVERY = 256

/** Signposts kept in memory: those of 30 million keys, about 30 MB. */
export const ETCD_SIGNPOSTS_MAX = 131_072

/** Keys between two known signposts by which a scan sees that it knows too few of them. */
export const ETCD_SIGNPOST_GAP_MAX = 32 * ETCD_SIGNPOST_EVERY

/** Pause between two readings of all signposts. */
export const ETCD_SIGNPOSTS_LOAD_MS = 10_000

/** Commits that a mark names (metadata/engine/etcd/commits.ts): so many of others may lie between two looks at it. */
export const ETCD_MARK_COMMITS = 8

/** Marks kept in memory: one for each fence in use, which is one for each partition. */
export const ETCD_MARKS_MAX = 4096

/** Time for which revisions are kept: a snapshot lasts at least as long. */
export const ETCD_RETAIN_MS = 10 * 60 * 1000
export const ETCD_RETAIN_PRESSED_MS = 60 * 1000

/** Pause between two compactions, by whichever process: each looks at every key's entry in the index. */
export const ETCD_COMPACT_MS = 5 * 60 * 1000

/** Pause between two rounds of defragmentation, by whichever process: a member stands still for seconds per GiB. */
export const ETCD_DEFRAGMENT_MS = 6 * 60 * 60 * 1000
export const ETCD_DEFRAGMENT_PRESSED_MS = 10 * 60 * 1000

/** Unused space of a member, in bytes and as share of its file, from which it is defragmented. */
export const ETCD_DEFRAGMENT_BYTES_MIN = 128 * 1024 * 1024
export const ETCD_DEFRAGMENT_SHARE_MIN = 0.5
export const ETCD_DEFRAGMENT_PRESSED_SHARE_MIN = 0.1

/** Time for one member to be defragmented. */
export const ETCD_DEFRAGMENT_CALL_MS = 10 * 60 * 1000

/** How often a process looks whether there is something to compact or to defragment. */
export const ETCD_UPKEEP_MS = 30_000

/** Time to live of a key that is held: etcd gives no less than its election timeout and a half. */
export const ETCD_HOLD_MS_MIN = 2000
