/**
 * Every bound of the system, in one place, each with its reason. Sizes are bytes and times milliseconds unless a name
 * says otherwise.
 */

export * from './limits/admission.ts'
export * from './limits/backup.ts'
export * from './limits/blob-records.ts'
export * from './limits/etcd.ts'
export * from './limits/fsck.ts'
export * from './limits/garbage.ts'
export * from './limits/metadata-processes.ts'
export * from './limits/metadata-routing.ts'
export * from './limits/journal.ts'
export * from './limits/partitions.ts'
export * from './limits/postgres.ts'
export * from './limits/scrub.ts'
export * from './limits/work.ts'

// Erasure coding

/** Shards a stripe, data and parity: a placement group this wide is already hard to place over failure domains. */
export const ERASURE_SHARDS_MAX = 32

/** The largest shard: big enough to amortise a disk seek and a request, small enough that a few stripes fit in memory. */
export const SHARD_BYTES_MAX = 1024 * 1024

/** Shards other than copies are a multiple of this: the page of memory, of most file systems and of most disks. */
export const SHARD_ALIGN = 4096

/** Loss patterns whose decoding tables a kernel keeps: every pattern of up to m losses of the usual codes, under 1 MiB. */
export const ERASURE_RECOVERY_PLANS_MAX = 128

/**
 * Sets of shards that may have to be looked at to say how many a locally repairable code can lose: codes that take more (this is
 * half a second, once, when the first record or pool that names the code is met) are not offered.
 */
export const LOCAL_CODE_SETS_MAX = 500_000

/** Loss patterns of a locally repairable code of which it is remembered what they leave, a few bytes each. */
export const LOCAL_CODE_LOSSES_MAX = 16_384

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

/** Nodes and gateways are heard every second or so: when nobody is for this long, it was metadata that stood still. */
export const NODE_SILENCE_MS = 3000

/** Version of every persistent record; a record with a higher one was written by a newer program. */
export const RECORD_FORMAT = 1

// Signatures and the framing of bodies

/** How far a signed request's time may lie from ours, either way. Source: "RequestTimeTooSkewed" of S3. */
export const REQUEST_SKEW_MS = 15 * 60 * 1000

/** The longest life of a presigned URL, seven days. Source: S3, "Authenticating Requests: Using Query Parameters". */
export const PRESIGNED_SECONDS_MAX = 604_800

/** Derived signing keys kept: one a key, day, region and service; a few hundred bytes each. */
export const SIGNING_KEYS_MAX = 4096

/** An aws-chunked chunk header: sixteen hex digits and a signature are 97 bytes; room for CRLF and no more games. */
export const CHUNK_HEADER_BYTES_MAX = 128

/** Every chunk but the last holds at least this. Source: S3, `InvalidChunkSizeError`; it bounds the cost of a byte. */
export const CHUNK_BYTES_MIN = 8 * 1024

/** The trailers of an aws-chunked body, names and values: a handful of checksums and a signature. */
export const TRAILER_BYTES_MAX = 4 * 1024

// The command line and configuration

/** Names of nodes, zones and services become file names and metric labels: one DNS label. */
export const NAME_BYTES_MAX = 63

/** TCP. */
export const PORT_MAX = 65_535

/** Zones of one cluster: `zone-a` to `zone-z`, and far more than the failure domains of one region. */
export const ZONES_MAX = 26

/** Storage nodes of one cluster map, which every gateway holds in memory and reads whole. */
export const NODES_MAX = 1024

/** Storage nodes that `ashlar start` runs on one machine; more belong on machines of their own. */
export const LOCAL_NODES_MAX = 64

/** Gateways that `ashlar start --separate` runs: one each a core of a large machine. */
export const LOCAL_GATEWAYS_MAX = 16

/** Metadata processes that `ashlar start --separate` runs: enough to see them split, move and fail over. */
export const LOCAL_METADATA_MAX = 16

/** A configuration, credential or secret file: some lines of text. More was not written for Ashlar. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024

/** S3's own: access keys are 16 to 128 characters (IAM, AccessKeyId); shorter ones of other S3 servers start at 3. */
export const ACCESS_KEY_BYTES_MIN = 3
export const ACCESS_KEY_BYTES_MAX = 128

/** A secret key is guessed offline from one signed request: eight characters is the least that other S3 servers take. */
export const SECRET_KEY_BYTES_MIN = 8
export const SECRET_KEY_BYTES_MAX = 128

/** Time that requests in flight get to end after SIGTERM; less than the 30 s after which Kubernetes kills. */
export const SHUTDOWN_GRACE_MS = 20_000

/** The part of it that requests get; after that their connections are cut, so that the stores can still close. */
export const GATEWAY_DRAIN_MS = 15_000

/** A second signal within this time of the first is the same Ctrl-C, sent by the terminal and again by npm. */
export const SIGNAL_REPEAT_MS = 500

/** Time between notes of what a start is waiting for. It is not given up: rebuilding the index of a full disk takes hours. */
export const START_NOTE_MS = 10_000

/** Time that `ashlar status` waits for metadata: an order of magnitude more than a loaded service takes. */
export const STATUS_TIMEOUT_MS = 5000

/** Time between two looks of `ashlar status --watch`, of what follows a drain, and of the admin interface: about one heartbeat. */
export const STATUS_WATCH_MS = 2000

/** Weight of a node against the others' 1: more than the largest disk differs from the smallest. */
export const WEIGHT_MAX = 1000

/** Time that `ashlar node add` waits for a node of this machine to come up: a start with an empty folder takes a second or two. */
export const NODE_START_WAIT_MS = 30_000

/** Connections to an admin interface: a few scrapers and people. */
export const ADMIN_CONNECTIONS_MAX = 64

/** Head of a request to it: a path and a token. */
export const ADMIN_HEADER_BYTES_MAX = 8 * 1024

/** Time for such a head to come, and for an idle connection to be kept. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000

/** Spans that are configured in seconds: a year is longer than anybody waits for a node. */
export const SPAN_SECONDS_MAX = 365 * 24 * 60 * 60

/** Time that a node may be down before its slots go to others: a reboot or an upgrade is over by then. */
export const NODE_GRACE_SECONDS_DEFAULT = 15 * 60

/** Time that garbage stays, for reads that began before it was garbage: longer than the largest takes on a usual line. */
export const GARBAGE_GRACE_SECONDS_DEFAULT = 15 * 60

/** The same; sweeps leave what was deleted alone for so long, however the workers are configured. */
export const GARBAGE_GRACE_MS = GARBAGE_GRACE_SECONDS_DEFAULT * 1000

/** Bytes a second of background work: a third of a disk or of a gigabit line, so that clients keep the rest. */
export const REPAIR_BYTES_PER_SECOND_DEFAULT = 100 * 1024 * 1024

/** Days in which every byte is read once: a sector that goes bad is found long before the next one of its stripe does. */
export const SCRUB_DAYS_DEFAULT = 14
export const SCRUB_DAYS_MAX = 3650

/** Time for a process of the same folder that is just ending to let go of its lock. */
export const LOCK_WAIT_MS = 10_000

// Storage node

/** A segment file: large enough that a node holds few of them, small enough to rewrite one in seconds. */
export const SEGMENT_BYTES_MAX = 256 * 1024 * 1024

/** Bytes of puts that wait for the log, pinned in memory: a second or two of a good disk; more is refused as overload. */
export const APPEND_QUEUE_BYTES_MAX = 256 * 1024 * 1024

/** Bytes in one write of the log: past a few MiB a larger one is no faster, and small puts wait behind it. */
export const APPEND_BATCH_BYTES_MAX = 8 * 1024 * 1024

/** Records in one write of the log: half of IOV_MAX, as a record is up to three buffers and most are two. */
export const APPEND_BATCH_RECORDS_MAX = 512

/** Log written between two checkpoints of the index, which is what a start after a crash reads again. */
export const INDEX_CHECKPOINT_BYTES = 64 * 1024 * 1024

/** Durable puts wait at most so long in memory for the index: at a few hundred a second dozens share one batch. */
export const INDEX_DELAY_MS = 200

/** Durable puts that wait in memory for the index: under a MiB, and a batch of a few milliseconds. */
export const INDEX_PENDING_RECORDS_MAX = 2048

/** Locations of shards that a node keeps in memory beside its index, a quarter of a KiB each: 4 MiB. */
export const INDEX_LOCATIONS_MAX = 16 * 1024

/** Index entries that are read and checked at every start: about a second. Beyond, that is left to the scrub. */
export const INDEX_VERIFY_SHARDS_MAX = 1_000_000

/** Segment files open at once: enough that hot ones stay open, far below the usual limit of 1,024 descriptors. */
export const SEGMENT_FILES_OPEN_MAX = 256

/** Encoded owner of a shard: a key of 1,024 bytes, an annotation's name of 512, a bucket of 63, a version and the rest. */
export const SHARD_OWNER_BYTES_MAX = 2048

/** Shards in one page of a list. */
export const SHARD_LIST_MAX = 1000

/** Shards described by one request: so many of the longest owners fit into one control frame. */
export const SHARD_DESCRIBE_MAX = 28

/** Damaged shards in one page of their list, for the same reason. */
export const SHARD_DAMAGED_LIST_MAX = 200

/** Damaged shards whose names a node holds in memory, 150 bytes each; with more it asks its index. */
export const DAMAGED_SHARDS_CACHED_MAX = 16 * 1024

/** Findings of damage that wait in memory to be listed: as many as one batch of the index carries well. */
export const DAMAGE_REPORTS_WAITING_MAX = 4096

/** Characters of the reason why a shard is damaged. */
export const SHARD_DAMAGE_REASON_CHARACTERS_MAX = 200

/** Free space below which a node takes no more writes: room for its index to grow and for deletes to be written. */
export const DISK_RESERVE_BYTES = 128 * 1024 * 1024

/** The part of the reserve that compaction leaves to tombstones and the index. */
export const DISK_RESERVE_SHARE_LEFT = 0.25

/** Time between the first two attempts of a node to write again; it doubles from one to the next … */
export const READ_ONLY_PROBE_MS = 5000

/** … up to this: a disk that failed for an hour is not expected back within the minute. */
export const READ_ONLY_PROBE_MS_MAX = 60_000

/** Share of a segment that may still be needed when it is written anew: at half, a byte gained costs a byte written. */
export const COMPACTION_LIVE_PERCENT_MAX = 50

/** The same on a full disk: a byte gained may cost three. */
export const COMPACTION_LIVE_PERCENT_MAX_FULL = 75

/** Bytes that compaction copies together: as many as one write of the log takes, and deletes of their blobs wait for it. */
export const COMPACTION_BATCH_BYTES_MAX = 4 * 1024 * 1024

/** Records that compaction looks up together: one trip to the index, and as many as one write of the log takes. */
export const COMPACTION_BATCH_RECORDS_MAX = 512

/**
 * Bytes a second that compaction copies unless told otherwise: a tenth or so of a disk; what is deleted at twice that comes back
 * as fast.
 */
export const COMPACTION_BYTES_PER_SECOND_DEFAULT = 32 * 1024 * 1024

/** Time between two looks for something to compact: memory only, unless there is. */
export const COMPACTION_LOOK_MS = 5000

/** Time that a batch of compaction waits at most for puts and deletes to have a moment without: it goes on at 16 MiB/s. */
export const COMPACTION_YIELD_MS_MAX = 250

/** Time between two looks at whether they have. */
export const COMPACTION_YIELD_STEP_MS = 5

/** Time between two looks whether the next cycle is due, and before a scrub that failed goes on. */
export const SCRUB_IDLE_MS = 60_000

/** Syncs of a disk that say how quick it is now. */
export const DISK_SYNCS_REMEMBERED = 16

/** Of fewer it is not said. */
export const DISK_SYNCS_MIN = 8

/** Age at which they say nothing any more. */
export const DISK_SYNC_AGE_MS = 60_000

/** A disk half of whose syncs take this long is slow: a healthy one, under any load, takes a tenth of it. */
export const DISK_SLOW_SYNC_MS = 1000

/** One sync of this length is enough: it is longer than writers wait for a shard (SHARD_PUT_TIMEOUT_MS). */
export const DISK_HUNG_SYNC_MS = 5000

/** How long a read error is held against a disk: where there is one, there are often more. */
export const DISK_READ_ERROR_AGE_MS = 10 * 60 * 1000

/** Time between two reports of an inventory that goes on changing: some kilobytes each, and a few seconds old at most. */
export const INVENTORY_REPORT_MS = 3000

/**
 * Time after the last commit into a pool before it may be removed: by then every node that answers has reported what it took
 * before, though a report or two should have been lost.
 */
export const POOL_QUIET_MS = 2 * INVENTORY_REPORT_MS + 4 * NODE_LEASE_MS

// Shard transport

/** Payload of one frame: at 1 GB/s a small request waits a quarter of a millisecond behind it. */
export const SHARD_FRAME_BYTES_MAX = 256 * 1024

/** Payload that is not shard data: an owner, sixteen checksums and an address fit many times. */
export const SHARD_CONTROL_BYTES_MAX = 64 * 1024

/** Shard bytes in flight on one connection, in both directions together: what a peer can make the other hold. */
export const SHARD_CONNECTION_BYTES_MAX = 16 * 1024 * 1024

/** Requests in flight on one connection. */
export const SHARD_CONNECTION_REQUESTS_MAX = 1024

/** Requests that wait for room on the connections to one node; more are refused at once. */
export const SHARD_WAITING_REQUESTS_MAX = 8192

/** Connections to one node: a second keeps the pipe full while the first is between two reads. */
export const SHARD_CONNECTIONS_PER_NODE = 2

/** Bytes handed to a socket at once: more would only queue small frames behind large ones. */
export const SHARD_SOCKET_BYTES_MAX = 1024 * 1024

/** What a caller may send before it has shown its token: a hello is under 400 bytes. */
export const SHARD_HELLO_BYTES_MAX = 1024

/** Time for that. */
export const SHARD_HELLO_TIMEOUT_MS = 5000

/** Callers that have not shown their token yet; more are hung up on. */
export const SHARD_STRANGERS_MAX = 64

/** Time to reach a node and be let in. */
export const SHARD_CONNECT_TIMEOUT_MS = 2000

/** Silence after which a node with requests in flight is asked for a sign of life. */
export const SHARD_PING_MS = 1000

/** Silence after which it counts as dead: longer than a pause of the garbage collector or a hiccup of a disk. */
export const SHARD_DEAD_PEER_MS = 4000

/** Time for one request, whatever the signs of life: a disk that takes longer for a MiB is a failed disk. */
export const SHARD_REQUEST_TIMEOUT_MS = 30_000

/** Wait before a node that could not be reached is tried again: doubles from the first to the second. */
export const SHARD_BACKOFF_MS_MIN = 50
export const SHARD_BACKOFF_MS_MAX = 1000

/** Time an aborted request may take to get its last bytes out of the socket before the connection is given up. */
export const SHARD_ABORT_FLUSH_MS = 250

/** Time that requests in flight get when a shard server closes. */
export const SHARD_CLOSE_GRACE_MS = 5000

// Metadata

/** Free bytes below which metadata takes nothing new: LevelDB's log and two tables, and room for deletes. Half of what nodes keep free. */
export const METADATA_RESERVE_BYTES = 64 * 1024 * 1024

/** Time between two looks at the free bytes: less than the reserve is written meanwhile. */
export const METADATA_SPACE_LOOK_MS = 250

/** How long a node must be up before the time it was down is forgotten: one that flaps is down most of the time, whatever it is now. */
export const NODE_FLAP_MS = 60_000

/** Time between two looks at who is down. */
export const NODE_LOOK_MS = 1000

/**
 * Nodes whose slots are being filled elsewhere at a time because they are away: two, or one in twenty. More at once are
 * seldom disks, and each one makes the whole cluster copy.
 */
export const NODES_SUBSTITUTED_MIN = 2
export const NODES_SUBSTITUTED_SHARE = 1 / 20

/** Operations that every engine must take in one batch: etcd's default --max-txn-ops, and the most that one request needs. */
export const ENGINE_BATCH_OPERATIONS_MIN = 128

/** Operations of one batch of the embedded engine: a group of a hundred small commits with all that follows from them. */
export const ENGINE_BATCH_OPERATIONS_MAX = 1024

/** Bytes of one batch, keys and values: the manifest of 10,000 parts (about 3 MB) and as much garbage. etcd needs --max-request-bytes of this. */
export const ENGINE_BATCH_BYTES_MAX = 8 * 1024 * 1024

/**
 * Keys and values of batches that wait at the same time and share one write of the embedded engine, and so one fsync; a larger batch
 * has one to itself. As in LevelDB's own groups: more would make the small ones wait for the large.
 */
export const ENGINE_GROUP_BYTES_MAX = 1024 * 1024

/** Keys and values that one scan returns: a listing of 1,000 and one more to see that there is more, rounded up. */
export const ENGINE_SCAN_ENTRIES_MAX = 1024

/** How late a process may learn of a key that another has written: engines that cannot tell are asked so often. */
export const ENGINE_WATCH_MS = 500

/** Parts of an object in one manifest page: about 64 KiB of records, and the 40 pages of 10,000 parts fit in one batch. */
export const MANIFEST_PAGE_PARTS = 256

/** S3's own: part numbers are 1 to 10,000. */
export const PART_NUMBER_MAX = 10_000

/** S3's own: a listing has at most 1,000 entries. */
export const LIST_ENTRIES_MAX = 1000

/** One setting of a bucket as it is kept: S3's largest, a CORS document of 64 KiB, fits; all of them are read with requests. */
export const BUCKET_SETTING_BYTES_MAX = 64 * 1024

/** Bytes of an annotation's name in UTF-8. Source: S3 User Guide, "Annotating your objects". */
export const ANNOTATION_NAME_BYTES_MAX = 512

/** Bytes of an annotation, the least being one. Source: S3 User Guide, "Annotating your objects". */
export const ANNOTATION_BYTES_MAX = 1024 * 1024

/** Annotations of one version of an object, and of one page of their list. Source: S3 User Guide, "Annotating your objects". */
export const ANNOTATIONS_PER_VERSION_MAX = 1000

/** Annotations of one copy on their way at once: of at most a MiB each, so that a copy takes a few stripes of memory. */
export const ANNOTATION_COPIES_IN_FLIGHT_MAX = 4

/** Orders of versions reserved by one write: what a restart skips of the 2^53 there are does not matter. */
export const VERSION_ORDERS_RESERVED = 65_536

/** Bytes that the records which a partition keeps in memory may take, as estimated: about 50,000 objects. */
export const RECORD_CACHE_BYTES_MAX = 64 * 1024 * 1024

/** Records of an upload that one batch of a purge removes; each may carry one garbage task. Small, so that commits of users get between. */
export const PURGE_RECORDS_PER_BATCH = 50

/** Pause after which what failed to be removed is tried again: a metadata process that died is replaced in about as long. */
export const PURGE_RETRY_MS = 5000

/** A metadata request or reply, and a batch of them, on the wire: a CompleteUpload of 10,000 parts with checksums is about 2 MB. */
export const METADATA_MESSAGE_BYTES_MAX = 16 * 1024 * 1024

/** Encoded requests or replies after which a batch on the stream is sent and the next begun. */
export const METADATA_BATCH_BYTES = 256 * 1024

/** Messages of one batch on the stream: enough to spread its cost, few enough that the first need not wait for the last. */
export const METADATA_BATCH_MESSAGES_MAX = 256

/** Requests of one stream that the metadata service works on at once; it reads no more until some are answered. */
export const METADATA_STREAM_IN_FLIGHT_MAX = 1024

/** Requests that a client of metadata holds, sent or not; more are refused at once, since memory is bounded. */
export const METADATA_CLIENT_REQUESTS_MAX = 10_000

/** Time in which a metadata request is answered or fails, a restart of the service included. */
export const METADATA_REQUEST_TIMEOUT_MS = 15_000

/**
 * Time for a metadata process to take a client's stream; then it is tried anew, at the address that its name has by then. A machine
 * that is gone, or a pod's address that is nobody's any more, answers nothing at all, and a connection to it is given up by the
 * kernel only after two minutes. Enough for a process that is busy; the time in which this one stood still does not count.
 */
export const METADATA_OPEN_TIMEOUT_MS = 5000

/** Pause before a client opens the stream to metadata again: doubled from the first to the second after each failure. */
export const METADATA_RECONNECT_MIN_MS = 50
export const METADATA_RECONNECT_MAX_MS = 2000

/** Time that requests in flight get to end when the metadata service closes. */
export const METADATA_CLOSE_GRACE_MS = 5000

// The store: the cluster's client

/** Contents up to this size are encoded and hashed on the event loop: 0.1 ms, about what two messages to a thread cost. */
export const INLINE_CONTENT_BYTES_MAX = 64 * 1024

/** Windows up to this size are reconstructed on the event loop: tens of microseconds. */
export const INLINE_WINDOW_BYTES_MAX = 64 * 1024

/** Stripes one write holds: one being filled, one being encoded, one on its way. More only moves the waiting. */
export const WRITE_STRIPES_MAX = 3

/** Stripes one read holds: the one being sent and the one that comes after it. */
export const READ_STRIPES_MAX = 2

/** Memory for the stripes of all writes of a process: a dozen at full depth, forty at one stripe each (rs-4-2). */
export const WRITE_MEMORY_BYTES = 256 * 1024 * 1024

/** Memory for the stripes of all reads that reconstruct; each holds its part for a millisecond. */
export const READ_MEMORY_BYTES = 64 * 1024 * 1024

/** Stripes that all reads of a process hold for their consumers: 256 slow readers (rs-4-2); without it, RAM is the bound. */
export const READ_BUFFER_BYTES = 1024 * 1024 * 1024

/** Memory for the stripes of all repairs and re-encodings of a process: five at once (rs-8-4), one of the widest code. */
export const REPAIR_MEMORY_BYTES = 64 * 1024 * 1024

/** Blobs that readers found damaged, waiting to be told to metadata: when more are found within a second, scrub finds the rest. */
export const REPAIR_HINTS_QUEUED_MAX = 1000

/** Time between the first such finding and the request that tells it, with what was found meanwhile. */
export const REPAIR_HINT_SEND_MS = 1000

/** Blobs remembered as told: each a hundred bytes. */
export const REPAIR_HINTS_TOLD_MAX = 10_000

/** Time after which a blob that is still damaged is told of again: repair has had its turn, or has lost it. */
export const REPAIR_HINT_QUIET_MS = 10 * 60 * 1000

/** How long a request waits for stripe memory before it is told to come again: less than a client's own patience. */
export const STRIPE_MEMORY_WAIT_MS = 10_000

/** How long a stripe may be filled however slowly it likes, though others wait for memory; half of what those wait. */
export const STRIPE_FILL_GRACE_MS = 5000

/**
 * Bytes a second that a stripe must be filled with from then on, or it is given up for those who wait: forty writers hold
 * all of the memory, and so need 2.5 MiB/s together, which is less than even a slow line that they might share.
 */
export const STRIPE_FILL_BYTES_PER_S_MIN = 64 * 1024

/** Time between two looks for a stripe to give up, while somebody waits: one frees memory enough for many that are fast. */
export const STRIPE_FILL_LOOK_MS = 250

/** Requests that may wait for stripe memory; past it, waiting would only end in the timeout. */
export const STRIPE_MEMORY_WAITERS_MAX = 1024

/** Time between two looks at the cluster: a node's lease lasts NODE_LEASE_MS, and suspicion bridges the gap. */
export const CLUSTER_POLL_MS = 1000

/** How long the first request waits for the first look at the cluster. */
export const CLUSTER_FIRST_WAIT_MS = 10_000

/** Map refreshes one shard write or read may cause by "stale map" before it counts as failed. */
export const STALE_MAP_RETRIES_MAX = 3

/** A node that takes longer for one shard, while k others of the stripe were taken, is passed over: it is not the load. */
export const SHARD_PUT_TIMEOUT_MS = 4000

/** When all are slow, sending their shards elsewhere would make it worse; but a client does not wait for ever. */
export const SHARD_PUT_TIMEOUT_MS_MAX = 30_000

/** After this the read of a shard counts as failed; hedging has gone round a single slow node long before. */
export const SHARD_GET_TIMEOUT_MS = 8000

/** Time to remove the shards of a write that failed; garbage collection finds what is left. */
export const SHARD_DELETE_TIMEOUT_MS = 4000

/** Nodes tried for one shard, the slot's own included: with three failures the trouble is not one node. */
export const SHARD_PUT_NODES_MAX = 3

/**
 * Times that shards of a stripe are sent once more, to other nodes or to those that were late, when it was taken but lies so
 * that it may not be acknowledged. Each waits twice as long as the one before: 4, 8 and 16 s are what SHARD_PUT_TIMEOUT_MS_MAX has
 * room for.
 */
export const STRIPE_MENDS_MAX = 3

/** A node that failed is left alone this long, twice as long after each further failure, up to the second figure. */
export const SUSPICION_MS_MIN = 1000
export const SUSPICION_MS_MAX = 8000

/** Reads in a row that were quicker another way, after which a node is left alone for a while. */
export const SLOW_READS_MAX = 3

/** Bounds of the wait before a slow shard is fetched another way; in between, twice the 95th percentile of late. */
export const HEDGE_DELAY_MS_MIN = 15
export const HEDGE_DELAY_MS_MAX = 1000

/** Latencies remembered for the hedge delay. */
export const HEDGE_SAMPLES = 256

/** Hedges in hand at the start and at most, and what each read that needed none adds: under overload, hedges stay few. */
export const HEDGE_TOKENS_MAX = 64
export const HEDGE_TOKENS_PER_READ = 0.2

/** Pauses between the questions whether a commit, whose answer was lost, took effect. */
export const COMMIT_INQUIRY_PAUSES_MS: readonly number[] = [50, 200, 500, 1000, 2000]

/** Versions of a key among which a commit is looked for whose answer was lost: as many must supersede it meanwhile to hide it. */
export const COMMIT_INQUIRY_VERSIONS_MAX = 100

/** Time for all of these questions together: clients give a request up after a minute, and would rather be told. */
export const COMMIT_INQUIRY_MS_MAX = 10_000

// Gateway: what one HTTP request may be

/** Request line and headers together. Presigned URLs with session tokens reach 8 KiB, S3 allows 8 KiB of headers. */
export const HTTP_HEAD_BYTES_MAX = 32 * 1024

/** Time for the whole head of a request to arrive: generous for a phone, too short to hold sockets for nothing. */
export const HTTP_HEAD_TIMEOUT_MS = 30_000

/** Silence on a socket, while it is the client's turn, after which the request is given up; S3 answers RequestTimeout. */
export const HTTP_IDLE_TIMEOUT_MS = 60_000

/** How long an idle connection is kept for the next request: above the 60 s of common load balancers. */
export const HTTP_KEEP_ALIVE_MS = 65_000

/** Sockets of one gateway: each idle one costs some 20 KiB. */
export const HTTP_CONNECTIONS_MAX = 10_000

/** Unread request body that is read and thrown away to keep a connection or to let an early answer arrive. */
export const HTTP_DRAIN_BYTES_MAX = 4 * 1024 * 1024

/**
 * An object in one PUT, or one part. 10,000 such parts are 48.8 TiB, S3's largest object: no other bound is needed.
 * Source: S3 User Guide, "Amazon S3 multipart upload limits" (as of 2026).
 */
export const SINGLE_PUT_BYTES_MAX = 5 * 1024 ** 3

/** A document in a request body: 50 tags of nothing but escapes are 160 KiB, and 100 grants 40 KiB. */
export const DOCUMENT_BYTES_MAX = 256 * 1024

/**
 * The documents of CompleteMultipartUpload, of which 10,000 parts with checksums take about 5 MiB, and DeleteObjects, of
 * which 1,000 keys full of escapes take 6 MiB.
 */
export const XML_BODY_BYTES_MAX = 8 * 1024 * 1024

/** All such documents that one gateway holds at once: thirty of the largest, or some thousands of usual ones. */
export const DOCUMENTS_BYTES_MAX = 256 * 1024 * 1024

/** A document of no more counts for nothing in that: with HTTP_CONNECTIONS_MAX of them it is 160 MiB. */
export const DOCUMENT_BYTES_UNCOUNTED = 16 * 1024

/** Of what an error document quotes of the request: no more than a signature's canonical request may need, in hex. */
export const ERROR_FIELD_LENGTH_MAX = 256 * 1024

/** Elements and attributes of such a document: 10,000 parts of up to 14 elements. */
export const XML_NODES_MAX = 150_000

/** Nesting of such a document; S3's deepest has 8. */
export const XML_DEPTH_MAX = 16

/** Bytes of an object's key in UTF-8. Source: S3 User Guide, "Naming Amazon S3 objects". */
export const OBJECT_KEY_BYTES_MAX = 1024

/** Bytes of user metadata, names and values. Source: S3 User Guide, "Working with object metadata". */
export const USER_METADATA_BYTES_MAX = 2048

/** Every part of an upload but the last. Source: S3 User Guide, "Amazon S3 multipart upload limits". */
export const PART_BYTES_MIN = 5 * 1024 * 1024

/** Characters of `x-amz-website-redirect-location`. Source: S3 User Guide, "(Optional) Configuring a webpage redirect". */
export const REDIRECT_LOCATION_MAX = 2048

/** Buckets of one account unless its operator says otherwise. Source: S3 User Guide, "Bucket quotas, limitations, and restrictions". */
export const BUCKETS_PER_ACCOUNT_DEFAULT = 10_000

/** Buckets of one account at most, the most for which AWS raises its own limit. Source: the same. */
export const BUCKETS_PER_ACCOUNT_MAX = 1_000_000

/** The largest page of ListBuckets. Source: S3 API Reference, ListBuckets, `max-buckets`. */
export const LIST_BUCKETS_MAX = 10_000

/** Keys of one DeleteObjects. Source: S3 API Reference, DeleteObjects. */
export const DELETE_OBJECTS_KEYS_MAX = 1000

/** Of them in flight at once: enough to fill a group commit, few enough that other requests get between. */
export const DELETE_OBJECTS_IN_FLIGHT_MAX = 64

// Tags. Source: S3 User Guide, "Categorizing your objects using tags"

/** Tags of one object. */
export const OBJECT_TAGS_MAX = 10

/** Tags of one bucket. Source: S3 User Guide, "Using cost allocation S3 bucket tags". */
export const BUCKET_TAGS_MAX = 50

/** A tag's key, in UTF-16 code units. */
export const TAG_KEY_LENGTH_MAX = 128

/** A tag's value, in UTF-16 code units. */
export const TAG_VALUE_LENGTH_MAX = 256

// Browser uploads and the conduct of one HTTP exchange

/** All of a browser's form but the file. Source: S3 API Reference, "Creating an HTML Form": 20 KB, boundaries included. */
export const POST_FORM_BYTES_MAX = 20 * 1024

/** A multipart boundary. Source: RFC 2046 §5.1.1. */
export const FORM_BOUNDARY_BYTES_MAX = 70

/** Conditions of one POST policy: each costs a comparison, and the form's bound leaves room for more than are sane. */
export const POST_POLICY_CONDITIONS_MAX = 256

/** A policy's signature ends with its signing key, which S3 lets live for seven days, as a presigned URL's. */
export const POST_SIGNATURE_MS_MAX = PRESIGNED_SECONDS_MAX * 1000

/** Silence after which a long operation commits to 200 and sends blanks: below the 10 s at which the first proxies give up. */
export const KEEP_ALIVE_AFTER_MS = 5000

/** Time between two blanks of such an answer. */
export const KEEP_ALIVE_INTERVAL_MS = 5000

/** Window over which the rate of a request body is judged: a phone in a tunnel stands still for as long. */
export const BODY_RATE_WINDOW_MS = 60_000

/** Bytes a client must send in each such window, 1 KiB/s: a body holds stripe memory, and trickled bytes would pin it all. */
export const BODY_RATE_WINDOW_BYTES_MIN = 60 * 1024

// Accounts and access

/** Accounts of one file: until they lie in metadata, every gateway holds them all in memory. */
export const ACCOUNTS_MAX = 1000

/** Key pairs of one account: the old and the new while clients change over. Source: IAM User Guide, quotas, has two a user. */
export const ACCESS_KEYS_PER_ACCOUNT_MAX = 16

/** Characters of an account's display name: as IAM's longest names. */
export const DISPLAY_NAME_LENGTH_MAX = 64

/** Grants of one access control list. Source: S3 User Guide, "Access control list (ACL) overview". */
export const ACL_GRANTS_MAX = 100

// Cross-origin resource sharing. Source: S3 API Reference, PutBucketCors and CORSRule

/** A CORS configuration as it is sent. */
export const CORS_DOCUMENT_BYTES_MAX = 64 * 1024

/** Rules of one configuration. */
export const CORS_RULES_MAX = 100

/** A rule's ID, in UTF-16 code units. */
export const CORS_RULE_ID_LENGTH_MAX = 255

/** Seconds a browser may be told to remember a preflight: S3's schema has a 32-bit integer. */
export const CORS_MAX_AGE_SECONDS_MAX = 2 ** 31 - 1
