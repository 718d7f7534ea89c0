import type { Reply, Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { fromReply, toRequest } from './messages.ts'
import { orAborted } from './or-aborted.ts'

/** Whoever answers requests: the metadata service of this process. Never rejects. */
export interface RequestHandler {
  handle(request: Request): Promise<Reply>
}

/**
 * The metadata service of this process. What it answers may be shared with its cache, and is frozen then: a caller
 * that wants to change a record copies it.
 */
export function inProcessMetadata(handler: RequestHandler): MetadataApi {
  return {
    async call(operation, request, signal) {
      signal?.throwIfAborted()
      const answered = handler.handle(toRequest(operation, request))
      return fromReply(operation, await (signal === undefined ? answered : orAborted(answered, signal)))
    },
  }
}
