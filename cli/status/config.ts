import { z } from 'zod'
import * as field from '../../runtime/config/fields.ts'

/** Options of `ashlar status`. */
export const statusConfig = z
  .strictObject({
    data: field.path.default('./data').describe('Folder of a local cluster'),
    metadata: field.address.optional().describe('Instead of --data: host:port of the metadata service'),
    secretFile: field.path.optional().describe("With --metadata: file of the cluster's secret"),
    json: z.boolean('expected true or false').default(false).describe('Print JSON'),
  })
  .refine((config) => (config.metadata === undefined) === (config.secretFile === undefined), {
    path: ['metadata'],
    message: 'give --metadata and --secret-file together',
  })

export type StatusConfig = z.output<typeof statusConfig>
