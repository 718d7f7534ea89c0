/**
 * The commit and what is known of it afterwards. The record of a write becomes visible by one request to metadata; when
 * its answer is lost, we ask what became of it rather than send it again: sent twice, it could take effect again after
 * another client has already overwritten it, and bring back a blob that garbage collection is entitled to remove.
 */

import { COMMIT_INQUIRY_MS_MAX, COMMIT_INQUIRY_PAUSES_MS } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { StoreError } from '../api.ts'

export interface Commit<T> {
  /** Sends the commit, once. */
  send(): Promise<T>
  /** The record as it is there now, if it is ours; `undefined` if it is not. Rejects when the signal aborts. */
  find(signal: AbortSignal): Promise<T | undefined>
}

/** Metadata said no: nothing was committed, and what was written may be removed. */
export class CommitRefused extends Error {
  override readonly name = 'CommitRefused'
  readonly error: MetadataError

  constructor(error: MetadataError) {
    super(error.message, { cause: error })
    this.error = error
  }
}

/**
 * @throws {CommitRefused} with metadata's reason
 * @throws {StoreError} `unknown` when it may or may not be there: its shards must stay
 */
export async function commit<T>(clock: Clock, attempt: Commit<T>): Promise<T> {
  let lost: unknown
  try {
    return await attempt.send()
  } catch (error) {
    if (error instanceof MetadataError && isDefinite(error.code)) throw new CommitRefused(error)
    lost = error
  }
  const found = await inquire(clock, attempt)
  if (found !== undefined) return found
  // Not being there proves nothing: it may have been there and been replaced, or be on its way yet.
  throw new StoreError('unknown', 'the answer to the commit was lost; it may have taken effect', {
    cause: lost,
  })
}

/** Asks for the record again and again, for a bounded time, for metadata may be away for long. Never rejects. */
async function inquire<T>(clock: Clock, attempt: Commit<T>): Promise<T | undefined> {
  const late = new AbortController()
  const cancel = clock.after(COMMIT_INQUIRY_MS_MAX, () => {
    late.abort()
  })
  try {
    for (const pause of COMMIT_INQUIRY_PAUSES_MS) {
      try {
        await clock.sleep(pause, late.signal)
        const found = await attempt.find(late.signal)
        if (found !== undefined) return found
      } catch {
        // Out of reach still, or the bucket is gone meanwhile: neither says what became of the commit.
        if (late.signal.aborted) break
      }
    }
    return undefined
  } finally {
    cancel()
  }
}

/** Whether a failure says for sure that nothing was committed. */
function isDefinite(code: FailureCode): boolean {
  return code !== FailureCode.UNSPECIFIED && code !== FailureCode.INTERNAL && code !== FailureCode.UNAVAILABLE
}
