/** Bounds of the metadata engine on PostgreSQL. */

/** Connections of one process for commits, and as many again for reads: four processes stay below the server's default of 100. */
export const POSTGRES_POOL_DEFAULT = 12

/** The most that a URL may ask for: beyond some hundred connections a server spends its time on switching between them. */
export const POSTGRES_POOL_MAX = 128

/** Snapshots of one process that are open at once, each on a connection of its own. */
export const POSTGRES_SNAPSHOTS_MAX = 4

/** Hosts of one URL: a primary and more standbys than anybody runs. */
export const POSTGRES_HOSTS_MAX = 16

/** How long one host may take to let a connection in; a host that is gone without a word costs this. */
export const POSTGRES_CONNECT_SECONDS_DEFAULT = 5

/** How long a statement may take before its connection is given up: a batch of 8 MiB on a loaded server, many times over. */
export const POSTGRES_REPLY_MS_DEFAULT = 30_000

/** Bounds of both times in a URL. */
export const POSTGRES_CONNECT_SECONDS_MAX = 300
export const POSTGRES_REPLY_MS_MIN = 1000
export const POSTGRES_REPLY_MS_MAX = 600_000

/** How long a call that has sent nothing yet waits for a host that takes writes: managed failovers take 5 to 30 s. */
export const POSTGRES_FAILOVER_MS = 30_000

/** Pause between two rounds over the hosts while none takes writes. */
export const POSTGRES_RECONNECT_MS = 250

/**
 * Time without an answer after which a process looks whether another host has become the primary: within the time that its members
 * serve (MEMBER_TTL_MS), and longer than all but the largest batches take.
 */
export const POSTGRES_SILENCE_MS = 1000

/**
 * Pause between two looks at another host meanwhile, a query each; and at the one that is used, a new connection each: a server that is
 * slow because it has too much to do gets little more.
 */
export const POSTGRES_SCOUT_MS = 500
export const POSTGRES_SCOUT_USED_MS = 2000

/** How long a server may take to close a connection that it was asked to close. */
export const POSTGRES_CLOSE_MS = 2000

/** Idle time after which TCP asks whether the other side is still there: shorter than what firewalls forget in. */
export const POSTGRES_KEEPALIVE_MS = 30_000

/** Attempts of a commit that the server has rolled back, or of a read whose connection was lost. */
export const POSTGRES_ATTEMPTS = 5

/** Rows that an estimate counts exactly before it asks the planner. */
export const POSTGRES_ESTIMATE_ROWS = 256
