import { z } from 'zod'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

const flag = (description: string) => z.boolean('expected true or false').default(false).describe(description)

/** Options of `ashlar fsck`. */
export const fsckConfig = z
  .strictObject({
    ...targetFields,
    bucket: z.string().min(1).optional().describe('Only this bucket'),
    prefix: z.string().optional().describe('With --bucket: only keys that begin so'),
    deep: flag('Read every shard, and every object against its ETag and checksums'),
    json: flag('Print a JSON line for every disagreement, and one for the result'),
  })
  .refine(wholeTarget, wholeTargetRule)
  .refine(({ bucket, prefix }) => prefix === undefined || bucket !== undefined, {
    path: ['prefix'],
    message: 'give --bucket with --prefix',
  })

export type FsckConfig = z.output<typeof fsckConfig>
