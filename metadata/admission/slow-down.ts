import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'

/** Refused before anything was done. */
export function slowDown(why: string): MetadataError {
  return new MetadataError(FailureCode.SLOW_DOWN, why)
}
