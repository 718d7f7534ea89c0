/** What is to be said of operations beyond their tests: what lies outside, and what limits those that are built have. */

/** Areas of S3 by the names of their operations; the first that fits. */
const AREAS: readonly (readonly [area: string, names: RegExp])[] = [
  ['Object Lock', /ObjectLock|Retention|LegalHold/],
  ['Lifecycle and archives', /Lifecycle|RestoreObject/],
  ['Replication', /Replication/],
  ['Encryption', /Encryption/],
  ['Policies and public access', /Policy|PublicAccessBlock|Abac/],
  ['Events and logging', /Notification|Logging/],
  ['Website', /Website/],
  ['Analytics, inventory, metrics, tiering', /Analytics|Inventory|Metrics|IntelligentTiering/],
  ['Metadata tables', /Metadata(Table)?|Journal/],
  ['Directory buckets', /Session|Directory|RenameObject/],
  ['S3 Select and Object Lambda', /SelectObjectContent|WriteGetObjectResponse/],
  ['Acceleration, payment, torrents', /Accelerate|RequestPayment|Torrent/],
]

/** The area an operation belongs to. */
export function areaOf(operation: string): string {
  return AREAS.find(([, names]) => names.test(operation))?.[0] ?? 'Other'
}

/** Where a built operation does less than AWS's, or in another way. */
export const NOTES: Readonly<Record<string, string>> = {
  CreateBucket: 'Object Lock and account namespaces are refused with 501.',
  CreateMultipartUpload: 'Encryption and Object Lock are refused with 501.',
  PutObject: 'Encryption, Object Lock and appending (`x-amz-write-offset-bytes`) are refused with 501.',
  PutBucketVersioning: 'MFA delete is refused.',
  PutObjectAcl: 'Grantees are accounts and groups; an account has no e-mail address.',
  PutBucketAcl: 'Grantees are accounts and groups; an account has no e-mail address.',
}
