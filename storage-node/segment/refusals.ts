import { ShardError } from '../../proto/shard-transport.ts'
import { messageOf } from '../calls.ts'

/** What is durable in the log does not get into the index. */
export class IndexRefusal extends Error {
  override readonly name = 'IndexRefusal'

  constructor(cause: unknown) {
    super(`the index takes nothing: ${messageOf(cause)}`, { cause })
  }
}

/** What callers hear once a write has failed. */
export function readOnly(error: unknown): ShardError {
  return new ShardError('read-only', `writing failed: ${messageOf(error)}`, { cause: error })
}
