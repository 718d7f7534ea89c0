import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import type { CorsLookup } from '../../http/cross-origin.ts'
import { readBucketSetting } from '../bucket-setting.ts'

/** Reads the CORS configuration of buckets. @throws {MetadataError} but for NO_SUCH_BUCKET */
export function corsLookup(metadata: MetadataApi): CorsLookup {
  return async (name, signal) => {
    try {
      const { value } = await readBucketSetting(metadata, name, 'cors', signal)
      return { bucketExists: true, rules: value?.rules }
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.NO_SUCH_BUCKET) throw error
      return { bucketExists: false, rules: undefined }
    }
  }
}
