/** Records that go while a check looks at them. */

import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'

/** Failures that say that what was listed a moment ago is gone by now. */
const GONE: ReadonlySet<FailureCode> = new Set([
  FailureCode.NO_SUCH_BUCKET,
  FailureCode.NO_SUCH_KEY,
  FailureCode.NO_SUCH_VERSION,
  FailureCode.NO_SUCH_UPLOAD,
  FailureCode.METHOD_NOT_ALLOWED,
])

export function isGone(error: unknown): error is MetadataError {
  return error instanceof MetadataError && GONE.has(error.code)
}

/** Undefined: it is gone. @throws {MetadataError} for other reasons */
export async function unlessGone<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
