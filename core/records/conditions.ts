/**
 * Conditional writes, decided where the commit is made.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
 */

export interface Conditions {
  /** ETags without quotes, or `*`; empty: no condition. */
  readonly ifMatch: readonly string[]
  /** `If-None-Match: *`: only if there is no such object. */
  readonly ifNoneMatchAny: boolean
}

export type Refusal =
  /** `If-Match` on an object that does not exist. */
  | { readonly refused: 'no-such-key' }
  | { readonly refused: 'precondition-failed'; readonly condition: 'If-Match' | 'If-None-Match' }

/** Why a write must not happen to an object with this ETag (undefined: there is none), or undefined when it may. */
export function refusalOf(conditions: Conditions, etag: string | undefined): Refusal | undefined {
  const { ifMatch, ifNoneMatchAny } = conditions
  if (ifMatch.length > 0) {
    if (etag === undefined) return { refused: 'no-such-key' }
    if (!ifMatch.includes('*') && !ifMatch.includes(etag)) {
      return { refused: 'precondition-failed', condition: 'If-Match' }
    }
  }
  if (ifNoneMatchAny && etag !== undefined) {
    return { refused: 'precondition-failed', condition: 'If-None-Match' }
  }
  return undefined
}
