import { z } from 'zod'
import * as field from '../../runtime/config/fields.ts'
import type { ConfigSchema } from '../../runtime/config/layers.ts'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

const shared = {
  ...targetFields,
  json: z.boolean('expected true or false').default(false).describe('Print JSON'),
}

/** Options of `ashlar partition list` and `merge`. */
export const partitionConfig = z.strictObject(shared).refine(wholeTarget, wholeTargetRule)

export const splitConfig = z
  .strictObject({
    at: z
      .string()
      .min(1, 'expected bucket/key')
      .optional()
      .describe(
        'First position of the new partition; by default where its load, or else its size, is halved',
      ),
    ...shared,
  })
  .refine(wholeTarget, wholeTargetRule)

export const moveConfig = z
  .strictObject({
    to: field.name.optional().describe('Metadata node that is to own it'),
    engine: z.string().min(1, 'expected an id').optional().describe('Engine that is to keep its records'),
    ...shared,
  })
  .refine(wholeTarget, wholeTargetRule)
  .refine(({ to, engine }) => to !== undefined || engine !== undefined, {
    path: ['to'],
    message: 'give --to, --engine, or both',
  })

export type SplitConfig = z.output<typeof splitConfig>
export type MoveConfig = z.output<typeof moveConfig>

/** A command on how metadata is divided: `ashlar partition split 3`. */
export interface PartitionCommand {
  readonly name: 'list' | 'split' | 'merge' | 'move'
  /** Names of what must be given, in order. */
  readonly args: readonly string[]
  readonly schema: ConfigSchema
  readonly description: string
}

export const partitionGroup = {
  description: 'show, split, merge and move the partitions of metadata',
  examples: `Partitions split, merge and move by themselves; these commands are for experiments and for people who know better.

Examples:
  ashlar partition list
  ashlar partition split 1 --at photos/2024/
  ashlar partition merge 1                    it takes over its right neighbour
  ashlar partition move 2 --to metadata-b
  ashlar partition move root --to metadata-c
`,
} as const

export const partitionCommands: readonly PartitionCommand[] = [
  {
    name: 'list',
    args: [],
    schema: partitionConfig,
    description: 'show the partitions with their ranges, owners and load, and the metadata processes',
  },
  { name: 'split', args: ['id'], schema: splitConfig, description: 'cut a partition in two' },
  {
    name: 'merge',
    args: ['left-id'],
    schema: partitionConfig,
    description: 'let a partition take over its right neighbour',
  },
  {
    name: 'move',
    args: ['id|root'],
    schema: moveConfig,
    description: 'give a partition to another metadata process, or another engine',
  },
]
