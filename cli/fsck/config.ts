import { z } from 'zod'
import { ZONES_MAX } from '../../core/limits.ts'
import * as field from '../../runtime/config/fields.ts'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

const flag = (description: string) => z.boolean('expected true or false').default(false).describe(description)

const zones = z
  .record(field.name, z.record(field.name, field.address))
  .refine((all) => Object.keys(all).length <= ZONES_MAX, `expected at most ${ZONES_MAX} zones`)

/** As other rates are given, and `unlimited`. */
const rate = z.preprocess((given) => (given === 'unlimited' ? 0 : given), field.bytes)

/** What is for a rebuild alone. */
const rebuildFields = {
  engine: z
    .string()
    .min(1, 'expected an engine')
    .optional()
    .describe('With --rebuild: the empty engine to fill, such as level:/folder, instead of that of --data'),
  nodes: zones
    .optional()
    .describe(
      'With --rebuild: where the storage nodes are, by zone, as JSON: {"zone-a": {"a-1": "10.0.0.8:9102"}}; otherwise those of --data are opened',
    ),
  clusterId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'expected 32 lower-case hex digits')
    .optional()
    .describe('With --nodes: identity of the cluster'),
  owner: z
    .string()
    .min(1)
    .optional()
    .describe('With --rebuild: canonical id of the account that owns all buckets; by default root'),
  unversioned: z
    .string()
    .optional()
    .describe(
      'With --rebuild: buckets without versions, with commas, or *: only the newest of a key is kept',
    ),
  noDigests: flag('With --rebuild: do not read all data for its ETags and checksums'),
  code: field.code.optional().describe('With --rebuild: erasure code that the cluster was made with'),
} as const

/** Options of `ashlar fsck`. */
export const fsckConfig = z
  .strictObject({
    ...targetFields,
    bucket: z.string().min(1).optional().describe('Only this bucket'),
    prefix: z.string().optional().describe('With --bucket: only keys that begin so'),
    deep: flag('Read every shard, and every object against its ETag and checksums'),
    bytesPerSecond: rate
      .optional()
      .describe(
        'With --deep: most bytes read in a second, such as 100MiB (the default); 0 or unlimited: no limit',
      ),
    rebuild: flag('Make metadata anew, of the shards alone, in an empty engine; the cluster is not running'),
    ...rebuildFields,
    json: flag('Print a JSON line for everything found, and one for the result'),
  })
  .refine((config) => config.rebuild || wholeTarget(config), wholeTargetRule)
  .refine(({ bucket, prefix }) => prefix === undefined || bucket !== undefined, {
    path: ['prefix'],
    message: 'give --bucket with --prefix',
  })
  .refine(({ deep, bytesPerSecond }) => deep || bytesPerSecond === undefined, {
    path: ['bytesPerSecond'],
    message: 'give --deep with --bytes-per-second',
  })
  .superRefine((config, context) => {
    const { rebuild, nodes, engine, secretFile, clusterId } = config
    const fault = (path: string, message: string) => {
      context.addIssue({ code: 'custom', path: [path], message })
    }
    if (!rebuild) {
      // The others may be in the environment for the sake of services.
      for (const name of ['engine', 'owner', 'unversioned', 'noDigests'] as const) {
        if (config[name] !== undefined && config[name] !== false) fault(name, 'this is for --rebuild')
      }
      return
    }
    if (config.metadata !== undefined) fault('metadata', 'a rebuild asks no metadata service')
    if (config.deep) fault('deep', 'check the cluster with it when it runs again')
    if (config.bucket !== undefined) fault('bucket', 'a rebuild is of all buckets')
    if (nodes === undefined) return
    if (engine === undefined) fault('engine', 'give --engine with --nodes')
    if (secretFile === undefined) fault('secretFile', 'give --secret-file with --nodes')
    if (clusterId === undefined) fault('clusterId', 'give --cluster-id with --nodes')
  })

export type FsckConfig = z.output<typeof fsckConfig>
