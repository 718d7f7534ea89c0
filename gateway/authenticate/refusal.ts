import type { SigningFailure } from '../../core/signing/failure.ts'
import { S3Error } from '../errors/s3-error.ts'

/**
 * The refusal as the error the client sees. One that names the right region says it in `x-amz-bucket-region` as well: an
 * answer to HEAD has no document, and SDKs follow the header.
 */
export function refusalError({ code, message, fields }: SigningFailure): S3Error {
  const region = fields['Region']
  return new S3Error(code, {
    ...(message === undefined ? {} : { message }),
    fields,
    ...(region === undefined ? {} : { headers: { 'x-amz-bucket-region': region } }),
  })
}
