import type { ListBucketsCommandInput, ListBucketsCommandOutput } from '@aws-sdk/client-s3'
import { LIST_BUCKETS_MAX, LIST_ENTRIES_MAX } from '../../../core/limits.ts'
import type { BucketRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { invalidArgument, S3Error } from '../../errors/s3-error.ts'
import { bucketArn } from '../../rules/bucket-arn.ts'
import { formatContinuationToken, parseContinuationToken } from '../../rules/continuation-token.ts'
import { isRegion } from '../../rules/location-constraint.ts'
import { senderAccount } from '../sender-account.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
 * The Region is in the answer only when the request has at least one parameter, the ARN always; an empty token is none
 * (both recorded of the service by LocalStack's `test_delete_bucket_with_content` and
 * `test_list_buckets_when_continuation_token_is_empty`). A page has `max-buckets` buckets, or 10,000.
 */
export function listBuckets({
  store,
}: S3Services): S3Handler<ListBucketsCommandInput, ListBucketsCommandOutput> {
  return async (input, { region, sender, signal }) => {
    const { MaxBuckets, ContinuationToken, Prefix, BucketRegion } = input
    const account = senderAccount(sender)
    if (MaxBuckets !== undefined && (MaxBuckets < 1 || MaxBuckets > LIST_BUCKETS_MAX)) {
      const message = `Argument max-buckets must be an integer between 1 and ${LIST_BUCKETS_MAX}`
      throw invalidArgument('max-buckets', String(MaxBuckets), message)
    }
    if (BucketRegion !== undefined && !isRegion(BucketRegion, region)) throw unknownRegion(BucketRegion)
    const after = ContinuationToken ? parseContinuationToken(ContinuationToken) : ''
    const limit = MaxBuckets ?? LIST_BUCKETS_MAX
    // All buckets of a cluster are in its one Region.
    const page =
      BucketRegion === undefined || BucketRegion === region
        ? await collect(store.metadata, { owner: account.id, prefix: Prefix ?? '', after, limit }, signal)
        : { buckets: [], truncated: false }
    const last = page.buckets.at(-1)
    return {
      Buckets: page.buckets.map(({ name, createdMs }) => ({
        Name: name,
        CreationDate: new Date(Number(createdMs)),
        BucketArn: bucketArn(name),
        ...(Object.keys(input).length === 0 ? {} : { BucketRegion: region }),
      })),
      Owner: { ID: account.id },
      ...(Prefix === undefined ? {} : { Prefix }),
      ...(page.truncated && last !== undefined
        ? { ContinuationToken: formatContinuationToken(last.name) }
        : {}),
    }
  }
}

/** Without its value, unlike other arguments (LocalStack's `test_list_buckets_region_validation`). */
const unknownRegion = (name: string): S3Error =>
  new S3Error('InvalidArgument', {
    message: `Argument value ${name} is not a valid AWS Region`,
    fields: { ArgumentName: 'bucket-region' },
  })

interface BucketQuery {
  readonly owner: string
  readonly prefix: string
  /** Exclusive. */
  readonly after: string
  readonly limit: number
}

/** As many as wanted: metadata gives LIST_ENTRIES_MAX at a time. */
async function collect(
  metadata: MetadataApi,
  { owner, prefix, after, limit }: BucketQuery,
  signal: AbortSignal,
): Promise<{ buckets: BucketRecord[]; truncated: boolean }> {
  const buckets: BucketRecord[] = []
  for (;;) {
    const page = await metadata.call(
      'listBuckets',
      {
        owner,
        prefix,
        after: buckets.at(-1)?.name ?? after,
        limit: Math.min(limit - buckets.length, LIST_ENTRIES_MAX),
      },
      signal,
    )
    buckets.push(...page.buckets)
    if (!page.truncated || buckets.length >= limit) return { buckets, truncated: page.truncated }
  }
}
