/** Refusals of the signing code, as values: what S3 would answer. */

/** The error codes of S3 that authentication and body framing can end in. */
export type SigningErrorCode =
  | 'AccessDenied'
  | 'AuthorizationHeaderMalformed'
  | 'AuthorizationQueryParametersError'
  | 'IncompleteBody'
  | 'InvalidAccessKeyId'
  | 'InvalidArgument'
  | 'InvalidChunkSizeError'
  | 'InvalidRequest'
  | 'InvalidToken'
  | 'MalformedTrailerError'
  | 'NotImplemented'
  | 'RequestTimeTooSkewed'
  | 'SignatureDoesNotMatch'

export interface SigningFailure {
  readonly ok: false
  readonly code: SigningErrorCode
  /** Absent: the code's usual message. */
  readonly message?: string
  /** Further elements of the error document, in order. */
  readonly fields: Readonly<Record<string, string>>
}

export function refuse(
  code: SigningErrorCode,
  message?: string,
  fields: Readonly<Record<string, string>> = {},
): SigningFailure {
  return message === undefined ? { ok: false, code, fields } : { ok: false, code, message, fields }
}

/** `InvalidArgument` about a header or a parameter. */
export function refuseArgument(message: string, name: string, value: string): SigningFailure {
  return refuse('InvalidArgument', message, { ArgumentName: name, ArgumentValue: value })
}
