/**
 * An operation is one row: the SDK's schema, the policy action it needs, and a handler with typed input and output.
 * Handlers never see HTTP, XML or signatures.
 */
import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Access } from '../authorize/access.ts'
import type { VerifiedBody } from '../body/verified-body.ts'
import type { S3ErrorCode } from '../errors/table.ts'
import type { Sender } from '../http/ports.ts'
import type { InputFields } from '../schema/request-parser.ts'
import type { BodyStream } from '../schema/response-writer.ts'

export interface RequestContext {
  readonly requestId: string
  readonly sender: Sender
  /** What the sender may do: to be asked about every object that is read for it. */
  readonly access: Access
  /** The region this gateway answers for. */
  readonly region: string
  /** Unix milliseconds at which the request arrived: the one "now" of the request. */
  readonly nowMs: number
  /** Aborted when the client is gone; pass it to everything that waits. */
  readonly signal: AbortSignal
  /** Lines of this log carry the request id. */
  readonly log: Log
  /** Absolute URL of the bucket or object as the client addressed it, percent-encoded, without a query. */
  readonly resourceUrl: string
  /** Members of the output that are known before its end, for the headers of an answer that is late; see http/keep-alive.ts. */
  announce(output: object): void
}

/** Throws `S3Error` for whatever the client should be told; anything else becomes `InternalError`. */
export type Handler<Input, Output> = (input: Input, context: RequestContext) => Promise<Output>

type Leaf = Date | Uint8Array

/** Members the schema requires are there: the parser has refused the request otherwise. */
type Present<T> = T extends Leaf
  ? T
  : T extends readonly (infer Item)[]
    ? Present<Item>[]
    : T extends object
      ? { [K in keyof T]: {} extends Pick<T, K> ? Present<T[K]> : Present<Exclude<T[K], undefined>> }
      : T

/** Members that are streams, in inputs and outputs. */
type StreamMember = 'Body' | 'AnnotationPayload'

/**
 * What a handler gets for one of the SDK's input types: required members present, `Body` a checked stream, `Expires` also
 * as the text that came, and `If-Range` beside `Range`.
 */
export type OperationInput<SdkInput> = Present<Omit<SdkInput, StreamMember>> & {
  readonly [Member in StreamMember & keyof SdkInput]: VerifiedBody
} & ('Expires' extends keyof SdkInput ? { readonly ExpiresString?: string } : unknown) &
  ('Range' extends keyof SdkInput ? { readonly IfRange?: string } : unknown)

/** What a handler returns for one of the SDK's output types: `Body` a stream of known size. */
export type OperationOutput<SdkOutput> = Omit<SdkOutput, '$metadata' | StreamMember> & {
  readonly [Member in StreamMember & keyof SdkOutput]?: BodyStream
}

/** A row as the pipeline uses it; made by `operation`, which checks the types. */
export interface OperationRow {
  /** An operation schema of `@aws-sdk/client-s3`, such as `PutObject$`. */
  readonly schema: unknown
  /** The policy action, e.g. `s3:PutObject`. */
  readonly action: string
  readonly handle: (input: InputFields, context: RequestContext) => Promise<unknown>
  readonly body: BodyRules
  /** True when it may take long and answers with a document: see http/keep-alive.ts. */
  readonly keepAlive?: boolean
}

/** How the body of an operation is taken; see `openBody`. Documents have a bound of their own besides. */
export interface BodyRules {
  /** The largest stream, in bytes; a single upload of 5 GiB unless it says otherwise. */
  readonly maxBytes?: number
  /** The largest document, in bytes, where it is other than DOCUMENT_BYTES_MAX; XML_BODY_BYTES_MAX is the largest of all. */
  readonly documentBytesMax?: number
  /** Digests the handler wants besides those the request declares, e.g. MD5 for the ETag. */
  readonly wanted?: readonly ChecksumAlgorithm[]
  /** Digests the handler computes itself and gives to `Body.verify`. */
  readonly delegable?: ReadonlySet<ChecksumAlgorithm>
  /** False when `x-amz-checksum-*` does not speak about this body, as in CompleteMultipartUpload. */
  readonly checksumsDescribeBody?: boolean
  /** What a document that breaks the schema is answered with, where it is not `MalformedXML`. */
  readonly malformed?: S3ErrorCode
  /** Whether the request must declare `Content-MD5` or `x-amz-checksum-*`. */
  readonly checksumRequired?: boolean
}

/**
 * One row. `SdkInput` and `SdkOutput` are the SDK's types of the operation, e.g.
 * `operation<PutObjectCommandInput, PutObjectCommandOutput>(PutObject$, 's3:PutObject', putObject)`.
 */
export function operation<SdkInput, SdkOutput>(
  schema: unknown,
  action: string,
  handle: Handler<OperationInput<SdkInput>, OperationOutput<SdkOutput>>,
  body: BodyRules = {},
  traits: Pick<OperationRow, 'keepAlive'> = {},
): OperationRow {
  return {
    schema,
    action,
    body,
    ...traits,
    // The parser builds its fields from the schema that the SDK's types were generated from: the one place where that
    // knowledge becomes a type. The oracle test holds it to it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    handle: (input, context) => handle(input as OperationInput<SdkInput>, context),
  }
}
