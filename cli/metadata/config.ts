import { z } from 'zod'
import * as field from '../../runtime/config/fields.ts'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

/** Options of the commands that copy metadata and bring it back. */

const flag = (description: string) => z.boolean('expected true or false').default(false).describe(description)

export const backupConfig = z
  .strictObject({
    ...targetFields,
    to: field.path.optional().describe('File to write the backup to (required)'),
    force: flag('Write over a file that is there'),
  })
  .refine(wholeTarget, wholeTargetRule)

export const verifyConfig = z.strictObject({ json: flag('Print JSON') })

export const restoreConfig = z.strictObject({
  data: field.path
    .default('./data')
    .describe('Folder of a local cluster, or of a metadata service, that is not running'),
  engine: z
    .string()
    .min(1, 'expected an engine')
    .optional()
    .describe('Instead of --data: level:/folder, postgres://… or etcd://…'),
})

export const recoverConfig = z.strictObject({
  data: field.path
    .default('./data')
    .describe('Folder of a local cluster that is not running, or of a metadata service to be'),
  nodes: z
    .string()
    .min(1, 'expected addresses')
    .optional()
    .describe('Running storage nodes to ask, as host:port,host:port…; by default those in the folder'),
  secretFile: field.path.optional().describe("With --nodes: file of the cluster's secret"),
})

export const acceptRestoreConfig = z.strictObject(targetFields).refine(wholeTarget, wholeTargetRule)
