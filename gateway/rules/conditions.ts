/**
 * Conditions on reads, in the order of RFC 9110 §13.2.2, which is also S3's (API Reference, GetObject: If-Match true and
 * If-Unmodified-Since false is 200; If-None-Match false and If-Modified-Since true is 304).
 */
import { S3Error } from '../errors/s3-error.ts'
import { parseHttpDate } from '../schema/values.ts'

export interface ReadConditions {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
  readonly IfModifiedSince?: Date | undefined
  readonly IfUnmodifiedSince?: Date | undefined
}

/** What is compared: an entity tag without quotes, and the time of the last change in Unix milliseconds. */
export interface Validators {
  readonly etag: string
  readonly lastModifiedMs: number
}

/** `proceed`; `not-modified` is 304 for GET and HEAD; `failed` is 412 and names the condition that did not hold. */
export type ConditionOutcome =
  | { readonly kind: 'proceed' }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'failed'; readonly condition: string }

/**
 * A date after now is none that anything can have been changed since: If-Modified-Since is ignored then (recorded of the
 * service by LocalStack's `test_s3_get_object_preconditions`; RFC 9110 §13.1.3 speaks of it as a way to be lenient).
 * @param nowMs Unix milliseconds
 */
export function evaluateReadConditions(
  conditions: ReadConditions,
  current: Validators,
  nowMs: number,
): ConditionOutcome {
  const { IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince } = conditions
  if (IfMatch !== undefined) {
    if (!matchesEntityTag(IfMatch, current.etag)) return { kind: 'failed', condition: 'If-Match' }
  } else if (IfUnmodifiedSince !== undefined && isAfter(current.lastModifiedMs, IfUnmodifiedSince)) {
    return { kind: 'failed', condition: 'If-Unmodified-Since' }
  }
  if (IfNoneMatch !== undefined) {
    if (matchesEntityTag(IfNoneMatch, current.etag)) return { kind: 'not-modified' }
  } else if (IfModifiedSince !== undefined && IfModifiedSince.getTime() <= nowMs) {
    if (!isAfter(current.lastModifiedMs, IfModifiedSince)) return { kind: 'not-modified' }
  }
  return { kind: 'proceed' }
}

/**
 * Applies the outcome to a GET or HEAD: throws `PreconditionFailed` (412) or `NotModified` (304, with the validators).
 * @param nowMs Unix milliseconds
 * @param unchanged further headers of a 304, lower-case names
 */
export function requireReadConditions(
  conditions: ReadConditions,
  current: Validators,
  nowMs: number,
  unchanged: () => Readonly<Record<string, string>> = () => ({}),
): void {
  const outcome = evaluateReadConditions(conditions, current, nowMs)
  if (outcome.kind === 'failed') throw preconditionFailed(outcome.condition)
  if (outcome.kind === 'not-modified') {
    throw new S3Error('NotModified', {
      headers: {
        ...unchanged(),
        etag: `"${current.etag}"`,
        'last-modified': new Date(current.lastModifiedMs).toUTCString(),
      },
    })
  }
}

/**
 * Whether `If-Range` has the Range ignored: the object is another than the one the client has the beginning of. A weak tag
 * never holds, nor does a date that is not exactly the object's (RFC 9110 §13.1.5).
 */
export function isRangeStale(ifRange: string | undefined, { etag, lastModifiedMs }: Validators): boolean {
  if (ifRange === undefined) return false
  const date = parseHttpDate(ifRange)
  if (date !== undefined) return Math.floor(date.getTime() / 1000) !== Math.floor(lastModifiedMs / 1000)
  return ifRange.trim() !== `"${etag}"`
}

/**
 * Conditions of CopyObject and UploadPartCopy on their source: every one that does not hold is 412.
 */
export function requireCopyConditions(
  input: {
    readonly CopySourceIfMatch?: string | undefined
    readonly CopySourceIfNoneMatch?: string | undefined
    readonly CopySourceIfModifiedSince?: Date | undefined
    readonly CopySourceIfUnmodifiedSince?: Date | undefined
  },
  current: Validators,
  nowMs: number,
): void {
  const outcome = evaluateReadConditions(
    {
      IfMatch: input.CopySourceIfMatch,
      IfNoneMatch: input.CopySourceIfNoneMatch,
      IfModifiedSince: input.CopySourceIfModifiedSince,
      IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    },
    current,
    nowMs,
  )
  if (outcome.kind === 'proceed') return
  const held =
    outcome.kind === 'failed'
      ? outcome.condition
      : input.CopySourceIfNoneMatch
        ? 'If-None-Match'
        : 'If-Modified-Since'
  throw preconditionFailed(`x-amz-copy-source-${held}`)
}

/** 412, naming the condition that did not hold as the client wrote it. */
export function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', { fields: { Condition: condition } })
}

/**
 * True when the tag is in the header's list, or the header is `*`. Quotes are optional, as S3 has it; weak tags compare by
 * their value.
 */
export function matchesEntityTag(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  return entityTags(header).includes(etag)
}

/** The tags of a list such as If-Match's, without `W/` and quotes; `*` stays what it is. */
export function entityTags(header: string): string[] {
  return header.split(',').map(bareEntityTag)
}

/** An entity tag without `W/` and quotes. */
export function bareEntityTag(text: string): string {
  const match = /^\s*(?:W\/)?"?([^"]*)"?\s*$/.exec(text)
  return match?.[1]?.trimEnd() ?? text
}

/** HTTP dates have whole seconds: a change within the same second is not after. */
function isAfter(ms: number, date: Date): boolean {
  return Math.floor(ms / 1000) > Math.floor(date.getTime() / 1000)
}
