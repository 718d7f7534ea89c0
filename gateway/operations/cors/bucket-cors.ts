import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import type { CorsLookup } from '../../http/cross-origin.ts'
import { readBucketSetting } from '../bucket-setting.ts'
import { clusterFailure } from '../failures.ts'

/** Reads the CORS configuration of buckets. */
export function corsLookup(metadata: MetadataApi): CorsLookup {
  return async (name, signal) => {
    try {
      const { value } = await readBucketSetting(metadata, name, 'cors', signal)
      return { bucketExists: true, rules: value?.rules }
    } catch (error) {
      if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_BUCKET) {
        return { bucketExists: false, rules: undefined }
      }
      throw clusterFailure(error) ?? error
    }
  }
}
