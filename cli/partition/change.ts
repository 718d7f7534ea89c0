import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type ChangePartitionsReply,
  type ChangePartitionsRequestSchema,
  FailureCode,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import type { MoveConfig, SplitConfig } from './commands.ts'

export type PartitionChange = NonNullable<MessageInitShape<typeof ChangePartitionsRequestSchema>['change']>

/** A change of the partitions, and what to say when it is made. */
export interface PlannedChange {
  readonly change: PartitionChange
  /** A sentence without its end. */
  readonly done: string
}

/** @throws {CommandError} the id is none */
export function planSplit(id: string, { at }: Pick<SplitConfig, 'at'>): PlannedChange {
  const value = { id: parseId(id), ...(at === undefined ? {} : { at: parsePosition(at) }) }
  return { change: { case: 'split', value }, done: `partition ${id} is split` }
}

/** @throws {CommandError} the id is none */
export function planMerge(left: string): PlannedChange {
  const value = { left: parseId(left) }
  return { change: { case: 'merge', value }, done: `partition ${left} has taken over its right neighbour` }
}

/** @throws {CommandError} the id is none */
export function planMove(id: string, { to, engine }: Pick<MoveConfig, 'to' | 'engine'>): PlannedChange {
  const value = { id: id === 'root' ? 0n : parseId(id), owner: to ?? '', engine: engine ?? '' }
  const where = [to, engine === undefined ? undefined : `engine ${engine}`].filter((one) => one !== undefined)
  const what = id === 'root' ? 'the root' : `partition ${id}`
  return { change: { case: 'move', value }, done: `${what} is moved to ${where.join(', ')}` }
}

/**
 * Has metadata change the partitions.
 * @throws {CommandError} refused
 */
export async function changePartitions(
  api: MetadataApi,
  change: PartitionChange,
): Promise<ChangePartitionsReply> {
  try {
    return await api.call('changePartitions', { change })
  } catch (error) {
    throw refusal(error)
  }
}

/** A refusal as a sentence for the person who asked; other errors as they are. */
function refusal(error: unknown): unknown {
  if (!(error instanceof MetadataError)) return error
  switch (error.code) {
    case FailureCode.PARTITION_REFUSED:
      return new CommandError(`refused: ${error.message}`, {
        hints: ['ashlar partition list shows the partitions and the processes.'],
        cause: error,
      })
    case FailureCode.STALE_EPOCH:
      return new CommandError('the partitions have changed meanwhile', {
        hints: ['Look again with ashlar partition list, and try again.'],
        cause: error,
      })
    case FailureCode.INVALID_REQUEST:
      return new CommandError(`refused: ${error.message}`, { cause: error })
    default:
      return error
  }
}

/** `bucket/key`; what comes after the first slash is the key, without one it is empty. */
function parsePosition(text: string): { bucket: string; key: string } {
  const slash = text.indexOf('/')
  return slash === -1
    ? { bucket: text, key: '' }
    : { bucket: text.slice(0, slash), key: text.slice(slash + 1) }
}

function parseId(text: string): bigint {
  if (/^[1-9][0-9]{0,15}$/.test(text)) return BigInt(text)
  throw new CommandError(`${text} is no id of a partition: expected a number from 1`, {
    exitCode: EXIT_USAGE,
    hints: ['ashlar partition list shows them.'],
  })
}
