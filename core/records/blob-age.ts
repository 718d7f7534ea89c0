/**
 * What the age of a blob says of it. Its id begins with the time at which its writer began (48 bits of Unix milliseconds), by
 * the writer's clock; ages are by that of metadata. Pure.
 */
import { BLOB_AHEAD_MS_MAX, BLOB_COMMIT_AGE_MS_MAX, BLOB_ORPHAN_AGE_MS_MIN } from '../limits.ts'

const TIME_DIGITS = 12

/** Unix milliseconds. @param id 32 lower-case hex digits */
export function blobTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, TIME_DIGITS), 16)
}

/** Whether a blob may still be committed; one from the future would be young for too long. */
export function isCommittable(id: string, nowMs: number): boolean {
  const age = nowMs - blobTimeMs(id)
  return age < BLOB_COMMIT_AGE_MS_MAX && age >= -BLOB_AHEAD_MS_MAX
}

/** Whether a blob that no record names never will be named any more. */
export function isOrphan(id: string, nowMs: number): boolean {
  return nowMs - blobTimeMs(id) >= BLOB_ORPHAN_AGE_MS_MIN
}
