import { z } from 'zod'
import { WEIGHT_MAX } from '../../core/limits.ts'
import * as field from '../../runtime/config/fields.ts'
import { targetFields, wholeTarget, wholeTargetRule } from '../target.ts'

/** Options of the commands that show or change what a cluster is made of. */

const flag = (description: string) => z.boolean('expected true or false').default(false).describe(description)

const json = flag('Print JSON')

const look = { ...targetFields, json }

const change = {
  ...look,
  dryRun: flag('Say what would be done, and do nothing'),
  force: flag('Also where redundancy falls below what the pool asks for; never where data would be lost'),
}

const wait = flag('Follow it until it is done; Ctrl-C leaves it going on')

export const listConfig = z.strictObject(look).refine(wholeTarget, wholeTargetRule)

export const changeConfig = z.strictObject(change).refine(wholeTarget, wholeTargetRule)

export const weight = z
  .number('expected a number')
  .positive('expected more than 0')
  .max(WEIGHT_MAX, `expected at most ${WEIGHT_MAX}`)

export const nodeAddConfig = z
  .strictObject({
    zone: field.name.describe('Zone of the node; a new one is made'),
    weight: weight.default(1).describe('Relative capacity: 2 for a disk twice the size of the others'),
    start: flag('Start it as a process of its own, where the others are processes as well'),
    wait,
    ...change,
  })
  .refine(wholeTarget, wholeTargetRule)

export const drainConfig = z.strictObject({ wait, ...change }).refine(wholeTarget, wholeTargetRule)

export const nodeRemoveConfig = z
  .strictObject({
    wait: flag('Drain it first and follow that; Ctrl-C leaves the drain going on'),
    lost: flag(
      'It will not come back: rebuild what it held from the other nodes, and give up what only it had',
    ),
    yes: flag('With --lost: do not ask'),
    ...change,
  })
  .refine(wholeTarget, wholeTargetRule)

export const setCodeConfig = z
  .strictObject({
    groups: z
      .int('expected a whole number')
      .min(0, 'expected 0 or more')
      .default(0)
      .describe('Placement groups of the pool; 0: as many as before'),
    ...change,
  })
  .refine(wholeTarget, wholeTargetRule)

export const rebalanceConfig = z.strictObject({ wait, ...change }).refine(wholeTarget, wholeTargetRule)

export type ListConfig = z.output<typeof listConfig>
export type ChangeConfig = z.output<typeof changeConfig>
export type NodeAddConfig = z.output<typeof nodeAddConfig>
export type DrainConfig = z.output<typeof drainConfig>
export type NodeRemoveConfig = z.output<typeof nodeRemoveConfig>
