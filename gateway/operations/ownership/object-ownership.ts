/** Object ownership by the names S3 gives it. */
import type { ObjectOwnership as OwnershipName } from '@aws-sdk/client-s3'
import { ObjectOwnership } from '../../../proto/gen/ashlar/v1/records_pb.js'

const records: Readonly<Record<OwnershipName, ObjectOwnership>> = {
  BucketOwnerEnforced: ObjectOwnership.BUCKET_OWNER_ENFORCED,
  BucketOwnerPreferred: ObjectOwnership.BUCKET_OWNER_PREFERRED,
  ObjectWriter: ObjectOwnership.OBJECT_WRITER,
}

export function ownershipRecord(name: OwnershipName): ObjectOwnership {
  return records[name]
}

/** Undefined when the bucket has no ownership controls. */
export function ownershipName(record: ObjectOwnership): OwnershipName | undefined {
  switch (record) {
    case ObjectOwnership.BUCKET_OWNER_ENFORCED:
      return 'BucketOwnerEnforced'
    case ObjectOwnership.BUCKET_OWNER_PREFERRED:
      return 'BucketOwnerPreferred'
    case ObjectOwnership.OBJECT_WRITER:
      return 'ObjectWriter'
    case ObjectOwnership.REMOVED:
      return undefined
  }
}
