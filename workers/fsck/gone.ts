/** Records that go while a check looks at them. */

import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Blind } from './context.ts'

/** Failures that say that what was listed a moment ago is gone by now. */
const GONE: ReadonlySet<FailureCode> = new Set([
  FailureCode.NO_SUCH_BUCKET,
  FailureCode.NO_SUCH_KEY,
  FailureCode.NO_SUCH_VERSION,
  FailureCode.NO_SUCH_UPLOAD,
  FailureCode.METHOD_NOT_ALLOWED,
])

function isGone(error: unknown): error is MetadataError {
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

/**
 * What is asked of records, where some of them may be damaged: then that is told as not looked at.
 * @returns undefined: it is gone, or cannot be read
 * @throws {MetadataError} metadata cannot be reached
 */
export async function unlessUnreadable<T>(
  { blind }: { readonly blind: Blind[] },
  what: string,
  asking: Promise<T>,
): Promise<T | undefined> {
  try {
    return await unlessGone(asking)
  } catch (error) {
    if (!(error instanceof MetadataError) || error.code !== FailureCode.INTERNAL) throw error
    if (!blind.some((one) => one.what === what)) blind.push({ what, why: 'a record of it cannot be read' })
    return undefined
  }
}
