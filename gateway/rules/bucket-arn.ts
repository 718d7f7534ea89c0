/**
 * The Amazon Resource Name of a bucket, as policies name it. The partition is `aws` for every cluster, since that is what
 * the policies and tools of clients are written with.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html
 */
export function bucketArn(name: string): string {
  return `arn:aws:s3:::${name}`
}
