import type { SigningFailure } from '../../core/signing/failure.ts'
import { S3Error } from '../errors/s3-error.ts'

/** The refusal as the error the client sees. */
export function refusalError({ code, message, fields }: SigningFailure): S3Error {
  return new S3Error(code, { ...(message === undefined ? {} : { message }), fields })
}
