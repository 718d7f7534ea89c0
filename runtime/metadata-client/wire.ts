import { type DescMethod, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { MethodDefinition } from '@grpc/grpc-js'
import {
  METADATA_CLOSE_GRACE_MS,
  METADATA_MESSAGE_BYTES_MAX,
  METADATA_RECONNECT_MAX_MS,
  METADATA_RECONNECT_MIN_MS,
} from '../../core/limits.ts'
import {
  type Reply,
  ReplyBatchSchema,
  ReplySchema,
  type Request,
  type RequestBatch,
  type ReplyBatch,
  RequestBatchSchema,
  RequestSchema,
  Metadata as MetadataServiceDescriptor,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'

/** The gRPC methods of metadata.proto, for client and server. */

/** Requests and replies of the stream travel as batches whose messages were encoded one by one: see {@link joinBatch}. */
export const sessionMethod: Pick<
  MethodDefinition<Uint8Array, Uint8Array>,
  'path' | 'requestStream' | 'responseStream' | 'requestSerialize' | 'responseSerialize'
> & {
  requestDeserialize: (bytes: Uint8Array) => RequestBatch
  responseDeserialize: (bytes: Uint8Array) => ReplyBatch
} = {
  path: pathOf(MetadataServiceDescriptor.method.session),
  requestStream: true,
  responseStream: true,
  requestSerialize: asBuffer,
  requestDeserialize: (bytes) => fromBinary(RequestBatchSchema, bytes),
  responseSerialize: asBuffer,
  responseDeserialize: (bytes) => fromBinary(ReplyBatchSchema, bytes),
}

export const callMethod: MethodDefinition<Request, Reply> = {
  path: pathOf(MetadataServiceDescriptor.method.call),
  requestStream: false,
  responseStream: false,
  requestSerialize: (request) => asBuffer(toBinary(RequestSchema, request)),
  requestDeserialize: (bytes) => fromBinary(RequestSchema, bytes),
  responseSerialize: (reply) => asBuffer(toBinary(ReplySchema, reply)),
  responseDeserialize: (bytes) => fromBinary(ReplySchema, bytes),
}

/** Options of the channel, the same at both ends where both know them. */
export const channelOptions = {
  'grpc.max_receive_message_length': METADATA_MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': METADATA_MESSAGE_BYTES_MAX,
  'grpc.initial_reconnect_backoff_ms': METADATA_RECONNECT_MIN_MS,
  'grpc.min_reconnect_backoff_ms': METADATA_RECONNECT_MIN_MS,
  'grpc.max_reconnect_backoff_ms': METADATA_RECONNECT_MAX_MS,
  'grpc.keepalive_time_ms': 2 * METADATA_CLOSE_GRACE_MS,
  'grpc.keepalive_timeout_ms': METADATA_CLOSE_GRACE_MS,
  'grpc.keepalive_permit_without_calls': 1,
} as const

/** Tag of field 1, length-delimited: `requests` of RequestBatch, `replies` of ReplyBatch. */
const BATCH_FIELD_TAG = (1 << 3) | 2

/** A RequestBatch or ReplyBatch of messages that are encoded already, so that its size is known before it is made. */
export function joinBatch(messages: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const message of messages) writer.uint32(BATCH_FIELD_TAG).bytes(message)
  return writer.finish()
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
