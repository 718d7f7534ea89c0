/**
 * The one exception type of the gateway: whatever a client should be told is an `S3Error`; anything else that
 * is thrown is a bug or an outage, answered as `InternalError` without its message and logged with the request id.
 */
import { s3Errors, type S3ErrorCode } from './table.ts'

/** What a thrower may add to the table's row. */
export interface S3ErrorDetails {
  /** Replaces the table's message. Reaches the client: never a stack, a path or a secret. */
  readonly message?: string
  /**
   * Further elements of the error document, in order, e.g. `{ ArgumentName, ArgumentValue }`. Names must be
   * XML names; values are escaped by the writer.
   */
  readonly fields?: Readonly<Record<string, string>>
  /** Further response headers, lower-case names, e.g. `{ 'x-amz-delete-marker': 'true' }`. */
  readonly headers?: Readonly<Record<string, string>>
}

export class S3Error extends Error {
  /** The `<Code>` of the error document. */
  readonly code: S3ErrorCode
  /** HTTP status of the answer, from the table. */
  readonly status: number
  /** Further elements of the error document, in order. */
  readonly fields: Readonly<Record<string, string>>
  /** Further response headers, lower-case names. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: S3ErrorCode, details: S3ErrorDetails = {}) {
    super(details.message ?? s3Errors[code].message)
    this.name = 'S3Error'
    this.code = code
    this.status = s3Errors[code].status
    this.fields = details.fields ?? {}
    this.headers = details.headers ?? {}
  }
}

/** `InvalidArgument` in S3's usual shape: the argument's name as the client wrote it, and its value. */
export function invalidArgument(name: string, value: string, message?: string): S3Error {
  return new S3Error('InvalidArgument', {
    ...(message === undefined ? {} : { message }),
    fields: { ArgumentName: name, ArgumentValue: value },
  })
}
