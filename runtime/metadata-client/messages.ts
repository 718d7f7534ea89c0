import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  FailureCode,
  type MetadataFailure,
  type Reply,
  type Request,
  RequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'

type OperationInit = NonNullable<MessageInitShape<typeof RequestSchema>['operation']>

/** The message of a call. */
export function toRequest<K extends MetadataOperation>(
  operation: K,
  request: MetadataRequestInit<K>,
): Request {
  // The compiler does not follow that case and value belong together through the type parameter.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- K pairs the two by MetadataRequestInit's definition
  const pair = { case: operation, value: request } as OperationInit
  return create(RequestSchema, { operation: pair })
}

/** What a reply answers to a call. @throws {MetadataError} the failure it carries */
export function fromReply<K extends MetadataOperation>(operation: K, reply: Reply): MetadataReply<K> {
  const { result } = reply
  if (result.case === 'failure') throw toError(result.value)
  if (result.case !== operation) {
    throw new MetadataError(
      FailureCode.INTERNAL,
      `the reply to ${operation} is one to ${String(result.case)}`,
    )
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the case was compared above
  return result.value as MetadataReply<K>
}

function toError({ code, message, fields }: MetadataFailure): MetadataError {
  return new MetadataError(code, message, fields)
}
