/** Where CreateBucket may put a bucket: a cluster is one Region. Source: S3 API Reference, CreateBucket and "Error responses". */
import { BucketLocationConstraint } from '@aws-sdk/client-s3'
import { S3Error } from '../errors/s3-error.ts'

/** S3's first Region: buckets there have no location constraint, and naming it as one is an error. */
export const CLASSIC_REGION = 'us-east-1'

const awsRegions: ReadonlySet<string> = new Set(Object.values(BucketLocationConstraint))

/** Regions that have a second name as a constraint. */
const aliases: ReadonlyMap<string, string> = new Map([['EU', 'eu-west-1']])

/** Whether a request may name this Region: AWS's, or that of the endpoint, which may be of one's own making. */
export function isRegion(name: string, here: string): boolean {
  return name === here || name === CLASSIC_REGION || (awsRegions.has(name) && !aliases.has(name))
}

/**
 * Checks the constraint of a request against the Region of the endpoint.
 * @param constraint undefined or empty: none was given, which only the classic Region takes
 * @returns what the bucket keeps and GetBucketLocation answers: empty for the classic Region
 * @throws {S3Error} IllegalLocationConstraintException when it is not that of this endpoint; in the classic Region
 *   InvalidLocationConstraint for what is no constraint at all (recorded answers of AWS in localstack's
 *   `test_create_bucket_with_invalid_location_constraint`)
 */
export function acceptLocationConstraint(constraint: string | undefined, region: string): string {
  if (constraint === undefined || constraint === '') {
    if (region === CLASSIC_REGION) return ''
    throw new S3Error('IllegalLocationConstraintException')
  }
  if (constraint !== CLASSIC_REGION && (aliases.get(constraint) ?? constraint) === region) return constraint
  if (region === CLASSIC_REGION && !awsRegions.has(constraint)) {
    throw new S3Error('InvalidLocationConstraint', { fields: { LocationConstraint: constraint } })
  }
  throw new S3Error('IllegalLocationConstraintException', {
    message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  })
}
