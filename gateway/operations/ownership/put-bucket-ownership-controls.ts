import type {
  PutBucketOwnershipControlsCommandInput,
  PutBucketOwnershipControlsCommandOutput,
} from '@aws-sdk/client-s3'
import type { AccessControlList } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../../errors/s3-error.ts'
import { readBucketSetting } from '../bucket-setting.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { ownershipRecord } from './object-ownership.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
 * A configuration has exactly one rule. Lists cannot be switched off while the bucket's own gives others anything
 * (S3 User Guide, "Prerequisites for disabling ACLs").
 */
export function putBucketOwnershipControls({
  store: { metadata },
}: S3Services): S3Handler<PutBucketOwnershipControlsCommandInput, PutBucketOwnershipControlsCommandOutput> {
  return async ({ Bucket, OwnershipControls: { Rules } }, { signal }) => {
    const [rule] = Rules
    if (rule === undefined || Rules.length > 1) throw new S3Error('MalformedXML')
    const { bucket, value: acl } = await readBucketSetting(metadata, Bucket, 'acl', signal)
    if (rule.ObjectOwnership === 'BucketOwnerEnforced' && grantsOthers(acl, bucket.owner)) {
      throw new S3Error('InvalidBucketAclWithObjectOwnership')
    }
    const objectOwnership = ownershipRecord(rule.ObjectOwnership)
    await metadata.call('updateBucket', { name: Bucket, objectOwnership }, signal)
    return {}
  }
}

/** A bucket without a list of its own gives nothing to anybody but its owner. */
function grantsOthers(acl: AccessControlList | undefined, owner: string): boolean {
  return acl?.grants.some(({ account, group }) => group !== '' || account !== owner) ?? false
}
