/** What handlers work with, and their type. */
import type { ObjectOwnership } from '@aws-sdk/client-s3'
import { BUCKETS_PER_ACCOUNT_DEFAULT } from '../../core/limits.ts'
import type { Store } from '../../store/api.ts'
import type { Handler, OperationInput, OperationOutput } from './operation.ts'

export interface S3Services {
  readonly store: Store
  /** A new upload id: 32 lower-case hex digits, in order of time, never given twice; see runtime/random/identifier.ts. */
  readonly newUploadId: () => string
  /** The same, for the version of a delete marker. */
  readonly newVersion: () => string
  readonly bucketDefaults: BucketDefaults
}

/** What the operator decides of buckets. */
export interface BucketDefaults {
  /** Of a bucket whose maker does not say. */
  readonly objectOwnership: ObjectOwnership
  /** Buckets that one account may have. */
  readonly limitPerOwner: number
}

/** What AWS decides. */
export const S3_BUCKET_DEFAULTS: BucketDefaults = {
  objectOwnership: 'BucketOwnerEnforced',
  limitPerOwner: BUCKETS_PER_ACCOUNT_DEFAULT,
}

/** The handler of an operation, by the SDK's types of its input and output. */
export type S3Handler<SdkInput, SdkOutput> = Handler<OperationInput<SdkInput>, OperationOutput<SdkOutput>>
