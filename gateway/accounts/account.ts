/**
 * Whose credentials signed a request, and who owns what it makes.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/finding-canonical-user-id.html
 */
export interface Account {
  /** Canonical user id: 64 lower-case hex digits. What records name as owner, and clients see as `Owner.ID`. */
  readonly id: string
  /** 12 decimal digits: what `x-amz-expected-bucket-owner` and ARNs name. */
  readonly accountId: string
  /** For people; S3 has not told it to clients since November 2025 (API Reference, "Owner"). */
  readonly displayName: string
}

/**
 * The canonical id under which S3 has unsigned requests write: the owner of what they upload.
 * @see https://repost.aws/knowledge-center/s3-object-change-anonymous-ownership
 */
export const ANONYMOUS_ID = '65a011a29cdf8ec533ec3d1ccaae921c'
