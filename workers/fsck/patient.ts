import { FSCK_REST_MS, FSCK_REST_MS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** Metadata that has too much to do is asked again, after pauses that grow: a check gives way to requests, and does not end by them. */
export function patient(metadata: MetadataApi, clock: Clock): MetadataApi {
  return {
    async call(operation, request, signal) {
      for (let restMs = FSCK_REST_MS; ; restMs = Math.min(2 * restMs, FSCK_REST_MS_MAX)) {
        try {
          return await metadata.call(operation, request, signal)
        } catch (error) {
          // Nothing was done.
          if (!(error instanceof MetadataError) || error.code !== FailureCode.SLOW_DOWN) throw error
          await clock.sleep(restMs, signal)
        }
      }
    },
  }
}
