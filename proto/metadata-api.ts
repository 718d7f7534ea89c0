import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FailureCode, Reply, Request, RequestSchema } from './gen/ashlar/v1/metadata_pb.js'

/**
 * What the metadata service answers, whether it runs in this process or behind gRPC. An operation is one case of
 * `Request` and of `Reply` in metadata.proto; its messages are the records themselves, so nothing is converted.
 */

/** Names of the operations: `commitObject`, `listObjects` … */
export type MetadataOperation = NonNullable<Request['operation']['case']>

export type MetadataReply<K extends MetadataOperation> = Extract<Reply['result'], { case: K }>['value']

/** What a caller gives: the message or a plain object of its shape; absent fields take protobuf's defaults. */
export type MetadataRequestInit<K extends MetadataOperation> = Extract<
  NonNullable<MessageInitShape<typeof RequestSchema>['operation']>,
  { case: K }
>['value']

export interface MetadataApi {
  /**
   * @throws {MetadataError} when the service refuses or cannot be reached. `UNAVAILABLE` on a write means that the
   * outcome is unknown: it may have been committed.
   */
  call<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Promise<MetadataReply<K>>
}

export class MetadataError extends Error {
  override readonly name = 'MetadataError'
  readonly code: FailureCode
  /** What the S3 error wants to name, such as `Condition` or `PartNumber`. */
  readonly fields: Readonly<Record<string, string>>

  constructor(
    code: FailureCode,
    message: string,
    fields: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.fields = fields
  }
}
