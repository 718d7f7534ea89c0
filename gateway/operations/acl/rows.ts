/** Access control lists. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type BodyRules, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { getBucketAcl } from './get-bucket-acl.ts'
import { getObjectAcl } from './get-object-acl.ts'
import { putBucketAcl } from './put-bucket-acl.ts'
import { putObjectAcl } from './put-object-acl.ts'

/** S3 has a name of its own for lists that break the schema. */
const aclDocument: BodyRules = { malformed: 'MalformedACLError' }

export function aclRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.GetBucketAclCommandInput, s3.GetBucketAclCommandOutput>(
      s3.GetBucketAcl$,
      's3:GetBucketAcl',
      getBucketAcl(),
    ),
    operation<s3.PutBucketAclCommandInput, s3.PutBucketAclCommandOutput>(
      s3.PutBucketAcl$,
      's3:PutBucketAcl',
      putBucketAcl(services),
      aclDocument,
    ),
    operation<s3.GetObjectAclCommandInput, s3.GetObjectAclCommandOutput>(
      s3.GetObjectAcl$,
      's3:GetObjectAcl',
      getObjectAcl(services),
    ),
    operation<s3.PutObjectAclCommandInput, s3.PutObjectAclCommandOutput>(
      s3.PutObjectAcl$,
      's3:PutObjectAcl',
      putObjectAcl(services),
      aclDocument,
    ),
  ]
}
