import { z } from 'zod'
import {
  BUCKETS_PER_ACCOUNT_DEFAULT,
  GARBAGE_GRACE_SECONDS_DEFAULT,
  NODE_GRACE_SECONDS_DEFAULT,
  NODES_MAX,
  COMPACTION_BYTES_PER_SECOND_DEFAULT,
  LOAD_SECONDS,
  MERGE_COLD_MS_DEFAULT,
  REPAIR_BYTES_PER_SECOND_DEFAULT,
  S3_SCALE_MIN,
  SCRUB_DAYS_DEFAULT,
  SCRUB_DAYS_MAX,
  SPLIT_READS_PER_SECOND_DEFAULT,
  SPLIT_SUSTAINED_SECONDS_DEFAULT,
  SPLIT_WRITES_PER_SECOND_DEFAULT,
  ZONES_MAX,
} from '../../core/limits.ts'
import {
  address,
  addresses,
  bucketsPerAccount,
  bytes,
  code,
  domain,
  host,
  isWildcard,
  logLevel,
  name,
  objectOwnership,
  path,
  port,
  region,
  seconds,
} from './fields.ts'

/**
 * The configuration of each service: the fields of its file, each of which can also be given in the environment and on
 * the command line. Their descriptions are the documentation that `--help` prints.
 */

const secretFile = path.describe("File that holds the cluster's secret; the same on every machine")
const level = logLevel.default('info').describe('Least severe log lines to write')
const pidFile = path.optional().describe('File to write the process id to while it runs')
const clusterId = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 lower-case hex digits')
const metadata = addresses.describe(
  'host:port of the metadata service; of several processes one or more, with commas between',
)

/** Internal ports listen on loopback unless told otherwise: they are for the cluster alone. */
const internalHost = host.default('127.0.0.1').describe('Address to listen on')

/** Others cannot call what stands for all addresses of a machine, so that who listens there says by what address it is reached. */
const reachable = {
  path: ['advertise'],
  message: 'it listens on all addresses, which are none that others can call',
} satisfies Parameters<z.ZodType['refine']>[1]

function isReachable({ host: at, advertise }: { host: string; advertise?: string | undefined }): boolean {
  return advertise !== undefined || !isWildcard(at)
}

/** Metrics and the admin interface, which every service has and none opens unless told to. */
const admin = {
  adminHost: host
    .default('127.0.0.1')
    .describe("Address of metrics and the admin interface; others than loopback ask for the cluster's token"),
  adminPort: port.optional().describe('Port of metrics and the admin interface; off without it'),
}

export const nodeGraceSeconds = seconds
  .default(NODE_GRACE_SECONDS_DEFAULT)
  .describe('Seconds that a storage node may be down before others take its place')

export const scrubDays = z
  .number('expected a number of days')
  .min(0, 'expected 0 (never) or more')
  .max(SCRUB_DAYS_MAX, `expected at most ${SCRUB_DAYS_MAX}`)
  .default(SCRUB_DAYS_DEFAULT)
  .describe('Days in which every byte on disk is read and checked once; 0: never')

export const garbageGraceSeconds = seconds
  .default(GARBAGE_GRACE_SECONDS_DEFAULT)
  .describe('Seconds that deleted data stays for reads that are under way')

export const compactionBytesPerSecond = bytes
  .default(COMPACTION_BYTES_PER_SECOND_DEFAULT)
  .describe('Most bytes a second that a node copies to bring back deleted space, such as 32MiB; 0: no limit')

export const repairBytesPerSecond = bytes
  .default(REPAIR_BYTES_PER_SECOND_DEFAULT)
  .describe('Most bytes a second that background work reads and writes, such as 100MiB; 0: no limit')

/** Where metadata is kept instead of in a folder; several, with spaces between, the first one for what is the cluster's. */
export const engine = z
  .string()
  .regex(/\S/, 'expected an address')
  .optional()
  .describe(
    'Address of the engine that keeps the metadata: postgres://user:password@host/database or etcd://h1:2379,h2:2379,h3:2379; several with spaces between',
  )

/** The addresses of several engines, one by one. */
export function splitEngines(text: string): string[] {
  return text.trim().split(/\s+/)
}

/** Whether several processes can have the engines at the same time. */
export function isSharedEngine(text: string | undefined): boolean {
  return text !== undefined && splitEngines(text).every((one) => /^(postgres(ql)?|etcd):/.test(one))
}

const s3Scale = `expected true, false or a scale from ${S3_SCALE_MIN} to 1`

/** When ranges of keys are split and merged; for experiments, too. */
export const partitioning = {
  splitWritesPerSecond: z
    .int('expected a whole number')
    .min(1, 'expected 1 or more')
    .optional()
    .describe(
      `Writes a second from which on a range of keys is split in two (${SPLIT_WRITES_PER_SECOND_DEFAULT}, times the scale of --emulate-s3-limits)`,
    ),
  splitReadsPerSecond: z
    .int('expected a whole number')
    .min(1, 'expected 1 or more')
    .optional()
    .describe(
      `Reads a second from which on a range of keys is split in two (${SPLIT_READS_PER_SECOND_DEFAULT}, times the scale of --emulate-s3-limits)`,
    ),
  splitAfterSeconds: z
    .int('expected a whole number')
    .min(2, 'expected 2 or more')
    .max(LOAD_SECONDS, `expected at most ${LOAD_SECONDS}`)
    .default(SPLIT_SUSTAINED_SECONDS_DEFAULT)
    .describe('Seconds that such a rate must last'),
  mergeAfterSeconds: seconds
    .default(MERGE_COLD_MS_DEFAULT / 1000)
    .describe('Seconds that neighbouring ranges must be cold before they are merged'),
  emulateS3Limits: z
    .union([z.boolean(), z.number().min(S3_SCALE_MIN, s3Scale).max(1, s3Scale)], s3Scale)
    .default(false)
    .describe(
      'Refuse with 503 SlowDown what goes beyond 3,500 writes or 5,500 reads a second of a range, as S3 does; with a scale such as 0.1, beyond that part of it',
    ),
}

export const metadataConfig = z
  .strictObject({
    data: path.optional().describe('Folder of the metadata; not with --engine'),
    engine,
    nodeId: name
      .default('metadata')
      .describe('Name of this process among those that share an engine; each has its own'),
    host: internalHost,
    port: port.default(9101).describe('Port to listen on'),
    advertise: address
      .optional()
      .describe(
        'host:port the others reach this process by; by default what it listens on, unless that is all addresses',
      ),
    ...partitioning,
    secretFile,
    clusterId: clusterId.describe('Identity of the cluster; a folder of another one is refused'),
    nodes: z
      .record(name, z.array(name).min(1, 'expected at least one node'))
      .refine((zones) => Object.keys(zones).length >= 1, 'expected at least one zone')
      .refine((zones) => Object.keys(zones).length <= ZONES_MAX, `expected at most ${ZONES_MAX} zones`)
      .refine(
        (zones) => Object.values(zones).flat().length <= NODES_MAX,
        `expected at most ${NODES_MAX} nodes`,
      )
      .refine(
        (zones) => new Set(Object.values(zones).flat()).size === Object.values(zones).flat().length,
        'a node is named twice',
      )
      .describe('Storage nodes of a new cluster by zone, as JSON: {"zone-a": ["zone-a-1"]}'),
    existing: z
      .boolean('expected true or false')
      .default(false)
      .describe('Refuse to start, and to begin a new cluster, where there is none yet'),
    code: code
      .default('rs-4-2')
      .describe(
        'Erasure code of a new cluster: rs-<data>-<parity>, lrc-<data>-<groups>-<global parities> or replica-<copies>',
      ),
    nodeGraceSeconds,
    ...admin,
    pidFile,
    logLevel: level,
  })
  .refine(isReachable, reachable)

export const storageNodeConfig = z
  .strictObject({
    node: name.describe('Name of this node, as the cluster map knows it'),
    zone: name.describe('Zone of this node'),
    clusterId: clusterId
      .optional()
      .describe('Identity of the cluster, which then must be that of its metadata; by default any is taken'),
    data: path.describe('Folder of the shards'),
    host: internalHost,
    port: port.default(9102).describe('Port to listen on'),
    advertise: address
      .optional()
      .describe(
        'host:port the others reach this node by; by default what it listens on, unless that is all addresses',
      ),
    metadata,
    secretFile,
    scrubDays,
    compactionBytesPerSecond,
    ...admin,
    pidFile,
    logLevel: level,
  })
  .refine(isReachable, reachable)

export const gatewayConfig = z.strictObject({
  host: host.default('127.0.0.1').describe('Address to listen on'),
  port: port.default(9000).describe('Port to listen on'),
  domain: domain.optional().describe('Serve buckets as <bucket>.<domain> as well (virtual-host style)'),
  region: region.default('us-east-1').describe('Region of the cluster, as clients sign it'),
  metadata,
  secretFile,
  credentialsFile: path
    .optional()
    .describe(
      'File of the root credentials, unless ASHLAR_ROOT_ACCESS_KEY and ASHLAR_ROOT_SECRET_KEY are set',
    ),
  accounts: path.optional().describe('File of further accounts and their key pairs'),
  defaultObjectOwnership: objectOwnership
    .default('BucketOwnerEnforced')
    .describe('Ownership of buckets made without one; the others switch access control lists on'),
  bucketsPerAccount: bucketsPerAccount
    .default(BUCKETS_PER_ACCOUNT_DEFAULT)
    .describe('Buckets that one account may have'),
  ...admin,
  pidFile,
  logLevel: level,
})

export const workerConfig = z.strictObject({
  metadata,
  secretFile,
  repairBytesPerSecond,
  garbageGraceSeconds,
  ...admin,
  pidFile,
  logLevel: level,
})

export type MetadataConfig = z.output<typeof metadataConfig>
export type StorageNodeConfig = z.output<typeof storageNodeConfig>
export type GatewayConfig = z.output<typeof gatewayConfig>

export type WorkerConfig = z.output<typeof workerConfig>

export const serviceConfigs = {
  gateway: gatewayConfig,
  metadata: metadataConfig,
  'storage-node': storageNodeConfig,
  worker: workerConfig,
} as const

export type ServiceKind = keyof typeof serviceConfigs
