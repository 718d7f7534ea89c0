/** What each operation needs before it is handled. */
import type { BucketNeed } from './decide.ts'

export type Need =
  /** To be signed by some account. */
  | 'ACCOUNT'
  /** Of the bucket. */
  | BucketNeed
  /** To have begun the upload, or to own the bucket. */
  | 'UPLOAD'
  /**
   * That, and WRITE of the bucket. The object will be the initiator's, with the list that the initiator gave it, and so
   * must its bytes be: whoever may write there and learns the upload's id would else speak in another's name.
   */
  | 'PART'
  /** To be let delete the key. */
  | 'DELETE'
  /** Nothing yet: the handler asks, about each object as it reads it. */
  | 'OBJECT'

const needs: ReadonlyMap<string, Need> = new Map<string, Need>([
  ['CreateBucket', 'ACCOUNT'],
  ['ListBuckets', 'ACCOUNT'],
  ['HeadBucket', 'READ'],
  ['ListObjects', 'READ'],
  ['ListObjectsV2', 'READ'],
  ['ListObjectVersions', 'READ'],
  ['ListMultipartUploads', 'READ'],
  ['GetBucketAcl', 'READ_ACP'],
  ['PutBucketAcl', 'WRITE_ACP'],
  ['PutObject', 'WRITE'],
  ['CopyObject', 'WRITE'],
  ['CreateMultipartUpload', 'WRITE'],
  ['UploadPart', 'PART'],
  ['UploadPartCopy', 'PART'],
  ['CompleteMultipartUpload', 'PART'],
  ['AbortMultipartUpload', 'UPLOAD'],
  ['ListParts', 'UPLOAD'],
  ['DeleteObject', 'DELETE'],
  ['DeleteObjects', 'OBJECT'],
  ['GetObject', 'OBJECT'],
  ['HeadObject', 'OBJECT'],
  ['GetObjectAcl', 'OBJECT'],
  ['PutObjectAcl', 'OBJECT'],
])

/** What is not in the table, lists cannot grant: it is the bucket owner's. */
export function needOf(operation: string): Need {
  return needs.get(operation) ?? 'OWNER'
}

/** For the test that each of them is an operation. */
export const operationsWithNeeds: readonly string[] = [...needs.keys()]

/**
 * What nobody may do unsigned, wherever lists would allow it, in the words of S3.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html "Multipart upload initiation"
 */
export const neverAnonymous: ReadonlyMap<string, string> = new Map([
  ['CreateMultipartUpload', 'Anonymous users cannot initiate multipart uploads.  Please authenticate.'],
  ['CopyObject', 'Anonymous users cannot copy objects.  Please authenticate.'],
  ['UploadPartCopy', 'Anonymous users cannot copy objects.  Please authenticate.'],
])
