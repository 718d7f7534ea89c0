import { z } from 'zod'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

/** Options of `ashlar status`. */
export const statusConfig = z
  .strictObject({
    ...targetFields,
    json: z.boolean('expected true or false').default(false).describe('Print JSON'),
    watch: z
      .boolean('expected true or false')
      .default(false)
      .describe('Print it anew every 2 s, until Ctrl-C'),
  })
  .refine(wholeTarget, wholeTargetRule)

export type StatusConfig = z.output<typeof statusConfig>
