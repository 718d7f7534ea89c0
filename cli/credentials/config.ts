import { z } from 'zod'
import * as field from '../../runtime/config/fields.ts'

/** Options of `ashlar credentials`. */
export const credentialsConfig = z.strictObject({
  data: field.path.default('./data').describe('Folder of the cluster'),
  json: z.boolean('expected true or false').default(false).describe('Print JSON'),
  env: z.boolean('expected true or false').default(false).describe('Print NAME=value lines for the shell'),
  admin: z
    .boolean('expected true or false')
    .default(false)
    .describe('Print the token of the admin interface instead, for when it listens beyond loopback'),
  secretFile: field.path.optional().describe("With --admin, instead of --data: file of the cluster's secret"),
})
