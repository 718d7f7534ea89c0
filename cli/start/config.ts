import { z } from 'zod'
import {
  BUCKETS_PER_ACCOUNT_DEFAULT,
  LOCAL_GATEWAYS_MAX,
  LOCAL_METADATA_MAX,
  LOCAL_NODES_MAX,
  PORT_MAX,
  ZONES_MAX,
} from '../../core/limits.ts'
import * as field from '../../runtime/config/fields.ts'
import {
  compactionBytesPerSecond,
  engine,
  garbageGraceSeconds,
  isSharedEngine,
  nodeGraceSeconds,
  partitioning,
  repairBytesPerSecond,
  scrubDays,
} from '../../runtime/config/services.ts'
import type { Topology } from '../folder/cluster-file.ts'

/** What a new cluster is like unless told otherwise: any zone can be lost. */
export const DEFAULT_TOPOLOGY: Topology = { zones: 3, nodesPerZone: 2, code: 'rs-4-2' }

const count = (max: number) =>
  z.int('expected a whole number').min(1, 'expected 1 or more').max(max, `expected at most ${max}`)

const { zones, nodesPerZone, code } = DEFAULT_TOPOLOGY

/** Options of `ashlar start`; the same names work as ASHLAR_* in the environment. */
export const startConfig = z
  .strictObject({
    data: field.path.default('./data').describe('Folder of the cluster, made if it is not there'),
    host: field.host.default('127.0.0.1').describe('Address the gateway listens on; 0.0.0.0 for all'),
    port: field.port.default(9000).describe('Port of the gateway; 0 for any free one'),
    zones: count(ZONES_MAX).optional().describe(`Zones of a new cluster (${zones})`),
    nodesPerZone: count(LOCAL_NODES_MAX).optional().describe(`Storage nodes in each zone (${nodesPerZone})`),
    code: field.code
      .optional()
      .describe(
        `Erasure code, rs-<data>-<parity>, lrc-<data>-<groups>-<global parities> or replica-<copies> (${code})`,
      ),
    separate: z
      .boolean('expected true or false')
      .default(false)
      .describe('Every service a process of its own, to kill and watch'),
    gateways: count(LOCAL_GATEWAYS_MAX)
      .default(1)
      .describe('Gateways on ports from --port up, with --separate'),
    domain: field.domain.optional().describe('Serve buckets as <bucket>.<domain> as well'),
    accounts: field.path.optional().describe('File of further accounts and their key pairs'),
    defaultObjectOwnership: field.objectOwnership
      .default('BucketOwnerEnforced')
      .describe('Ownership of buckets made without one; the others switch access control lists on'),
    bucketsPerAccount: field.bucketsPerAccount
      .default(BUCKETS_PER_ACCOUNT_DEFAULT)
      .describe('Buckets that one account may have'),
    adminPort: field.port
      .min(1, 'expected 1 or more')
      .optional()
      .describe('Port of metrics and the admin interface (chosen at the first start)'),
    engine,
    metadataProcesses: count(LOCAL_METADATA_MAX)
      .default(1)
      .describe('Metadata processes that share the engine, with --separate and --engine'),
    ...partitioning,
    nodeGraceSeconds,
    scrubDays,
    compactionBytesPerSecond,
    garbageGraceSeconds,
    repairBytesPerSecond,
    region: field.region.default('us-east-1').describe('Region that clients sign'),
    logLevel: field.logLevel.default('warn').describe('Least severe log lines to write to stderr'),
  })
  .refine((config) => config.gateways === 1 || config.separate, {
    path: ['gateways'],
    message: 'more than one gateway needs --separate',
  })
  .refine((config) => config.metadataProcesses === 1 || config.separate, {
    path: ['metadataProcesses'],
    message: 'more than one metadata process needs --separate',
  })
  .refine((config) => config.metadataProcesses === 1 || isSharedEngine(config.engine), {
    path: ['metadataProcesses'],
    message: 'more than one metadata process needs --engine postgres://… or etcd://…, which they share',
  })
  .refine((config) => config.port === 0 || config.port + config.gateways - 1 <= PORT_MAX, {
    path: ['gateways'],
    message: `the ports from --port up end at ${PORT_MAX}`,
  })
  .refine((config) => (config.zones ?? zones) * (config.nodesPerZone ?? nodesPerZone) <= LOCAL_NODES_MAX, {
    path: ['nodesPerZone'],
    message: `at most ${LOCAL_NODES_MAX} storage nodes run on one machine`,
  })

export type StartConfig = z.output<typeof startConfig>

/** The parts of the topology that were asked for by name. */
export function wantedTopology(config: StartConfig): Partial<Topology> {
  return {
    ...(config.zones !== undefined && { zones: config.zones }),
    ...(config.nodesPerZone !== undefined && { nodesPerZone: config.nodesPerZone }),
    ...(config.code !== undefined && { code: config.code }),
  }
}
