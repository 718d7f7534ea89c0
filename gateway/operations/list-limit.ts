import { LIST_ENTRIES_MAX } from '../../core/limits.ts'
import { invalidArgument } from '../errors/s3-error.ts'

/**
 * How many entries a listing may return: what the client asks for, at most 1,000, which is also what it gets when it does
 * not ask.
 * @param name of the query parameter, such as `max-parts`
 * @throws {S3Error} InvalidArgument for less than none
 */
export function requireListLimit(name: string, asked: number | undefined): number {
  if (asked !== undefined && asked < 0) {
    throw invalidArgument(name, String(asked), `Argument ${name} must be an integer between 0 and 2147483647`)
  }
  return Math.min(asked ?? LIST_ENTRIES_MAX, LIST_ENTRIES_MAX)
}
