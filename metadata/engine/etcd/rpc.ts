import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { ETCD_ANSWER_BYTES_MAX, ETCD_PING_MS, ETCD_PING_TIMEOUT_MS } from '../../../core/limits.ts'

/** One method of etcd's API as grpc-js takes it. */
export interface Method<I, O> {
  readonly path: string
  readonly write: (request: I) => Buffer
  readonly read: (bytes: Uint8Array) => O
}

export function methodOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
): Method<MessageShape<I>, MessageShape<O>> {
  const { input, output } = method
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    write: (request) => {
      const bytes = toBinary(input, request)
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },
    read: (bytes) => fromBinary(output, bytes),
  }
}

/** Attempts are ours, and so is the choice of the member: what was sent once is known to have been sent once. */
export const channelOptions = {
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': ETCD_ANSWER_BYTES_MAX,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.keepalive_time_ms': ETCD_PING_MS,
  'grpc.keepalive_timeout_ms': ETCD_PING_TIMEOUT_MS,
  'grpc.use_local_subchannel_pool': 1,
} as const
