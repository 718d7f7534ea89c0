/**
 * Conditional writes and deletes, decided where the commit is made.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
 */

export interface Conditions {
  /** ETags without quotes, or `*`; empty: no condition. */
  readonly ifMatch: readonly string[]
  /** `If-None-Match: *`: only if there is no such object. */
  readonly ifNoneMatchAny: boolean
  /** Bytes. */
  readonly ifMatchSize?: bigint | undefined
  /** Unix time in milliseconds, compared in whole seconds: HTTP dates have no more. */
  readonly ifMatchLastModifiedMs?: bigint | undefined
  /** The version id that the caller saw when its write began; empty: there was none; absent: it did not look. */
  readonly observedVersion?: string | undefined
}

/** What the conditions are held against. */
export interface ConditionTarget {
  /** Without quotes. */
  readonly etag: string
  readonly size: bigint
  readonly lastModifiedMs: bigint
  readonly deleteMarker: boolean
}

export type ConditionName =
  | 'If-Match'
  | 'If-None-Match'
  | 'x-amz-if-match-size'
  | 'x-amz-if-match-last-modified-time'

export type Refusal =
  /** `If-Match` on an object that does not exist. */
  | { readonly refused: 'no-such-key' }
  /** `If-Match` on an object that was there when the write began, and has been deleted since. */
  | { readonly refused: 'conflict'; readonly condition: 'If-Match' }
  | { readonly refused: 'precondition-failed'; readonly condition: ConditionName }

/**
 * Why a write or a delete must not happen to what is there, or undefined when it may.
 *
 * A size or a time asks nothing of an object that is not there (so says DeleteObject of them), and nothing matches a
 * delete marker: "If the latest version of the object is a delete marker, the object doesn't exist and the DeleteObject
 * API will fail and return a 412". For a write a delete marker is as nothing: pass undefined.
 */
export function refusalOf(conditions: Conditions, target: ConditionTarget | undefined): Refusal | undefined {
  const { ifMatch, ifNoneMatchAny } = conditions
  if (target === undefined) {
    if (ifMatch.length === 0) return undefined
    const deletedSince = conditions.observedVersion !== undefined && conditions.observedVersion !== ''
    return deletedSince ? { refused: 'conflict', condition: 'If-Match' } : { refused: 'no-such-key' }
  }
  const condition = unmet(conditions, target) ?? (ifNoneMatchAny ? 'If-None-Match' : undefined)
  return condition === undefined ? undefined : { refused: 'precondition-failed', condition }
}

/**
 * The condition of a CompleteMultipartUpload that holds and yet must not be relied on, since the object it speaks of was
 * written or deleted after the upload began: S3 answers 409, and the upload has to be begun again.
 * Recorded of the service by LocalStack's `test_multipart_if_match_with_put` and its neighbours.
 * @param before version of the object when the upload began; empty: there was none; undefined: not known
 * @param now version of the object; undefined: there is none
 */
export function disturbedCondition(
  { ifMatch, ifNoneMatchAny }: Pick<Conditions, 'ifMatch' | 'ifNoneMatchAny'>,
  before: string | undefined,
  now: string | undefined,
): 'If-Match' | 'If-None-Match' | undefined {
  if (before === undefined || before === (now ?? '')) return undefined
  if (ifMatch.length > 0) return 'If-Match'
  return ifNoneMatchAny ? 'If-None-Match' : undefined
}

function unmet(conditions: Conditions, target: ConditionTarget): ConditionName | undefined {
  const { ifMatch, ifMatchSize, ifMatchLastModifiedMs } = conditions
  const { etag, size, lastModifiedMs, deleteMarker } = target
  if (ifMatch.length > 0 && (deleteMarker || (!ifMatch.includes('*') && !ifMatch.includes(etag)))) {
    return 'If-Match'
  }
  if (ifMatchSize !== undefined && (deleteMarker || ifMatchSize !== size)) return 'x-amz-if-match-size'
  if (
    ifMatchLastModifiedMs !== undefined &&
    (deleteMarker || ifMatchLastModifiedMs / 1000n !== lastModifiedMs / 1000n)
  ) {
    return 'x-amz-if-match-last-modified-time'
  }
  return undefined
}
