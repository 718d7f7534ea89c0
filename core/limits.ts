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

/** Loss patterns whose decoding tables a kernel keeps: every pattern of up to m losses of the usual codes, under 1 MiB. */
export const ERASURE_RECOVERY_PLANS_MAX = 128

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

/** A second signal within this time of the first is the same Ctrl-C, sent by the terminal and again by npm. */
export const SIGNAL_REPEAT_MS = 500

/** Time within which a whole local cluster is ready, after which its start is reported as failed. */
export const START_TIMEOUT_MS = 60_000

/** Time for a process of the same folder that is just ending to let go of its lock. */
export const LOCK_WAIT_MS = 10_000
