import type { Reply, Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Random } from '../../runtime/ports/random.ts'
import { answerBackup } from '../backup/requests.ts'
import { createBucket, deleteBucket, getBucket, listBuckets } from '../buckets/buckets.ts'
import { deleteBucketSetting, getBucketSetting, putBucketSetting, updateBucket } from '../buckets/settings.ts'
import { invalidRequest } from '../failure.ts'
import type { Root } from '../host/root.ts'

/** Answers what is asked of whoever has the root. @throws {MetadataError} */
export async function answerRoot(
  { parts }: Root,
  random: Random,
  operation: Request['operation'],
): Promise<Reply['result']> {
  const { partition, contents, cluster, leases, ledger, grants, loads } = parts
  switch (operation.case) {
    case 'createBucket':
      return { case: 'createBucket', value: await createBucket(partition, contents, random, operation.value) }
    case 'getBucket':
      return { case: 'getBucket', value: await getBucket(partition, operation.value) }
    case 'deleteBucket':
      return { case: 'deleteBucket', value: await deleteBucket(partition, contents, operation.value) }
    case 'updateBucket':
      return { case: 'updateBucket', value: await updateBucket(partition, contents, operation.value) }
    case 'putBucketSetting':
      return { case: 'putBucketSetting', value: await putBucketSetting(partition, operation.value) }
    case 'getBucketSetting':
      return { case: 'getBucketSetting', value: await getBucketSetting(partition, operation.value) }
    case 'deleteBucketSetting':
      return { case: 'deleteBucketSetting', value: await deleteBucketSetting(partition, operation.value) }
    case 'listBuckets':
      return { case: 'listBuckets', value: await listBuckets(partition, operation.value) }
    case 'getCluster':
      return { case: 'getCluster', value: cluster.getCluster(operation.value) }
    case 'heartbeat':
      return { case: 'heartbeat', value: cluster.heartbeat(operation.value) }
    case 'keepLease':
      return { case: 'keepLease', value: leases.keep(operation.value) }
    case 'changeCluster':
      return { case: 'changeCluster', value: await cluster.changeCluster(operation.value) }
    case 'getRisk':
      return { case: 'getRisk', value: ledger.getRisk() }
    case 'leaseBucket':
      return { case: 'leaseBucket', value: await grants.lease(operation.value) }
    case 'reportLoad':
      return { case: 'reportLoad', value: loads.report(operation.value) }
    case 'openBackup':
    case 'readBackup':
    case 'closeBackup':
    case 'acceptRestore':
    case 'getBackupState':
      return answerBackup(parts.backup, operation)
    default:
      throw invalidRequest(`${String(operation.case)} is not asked of the root`)
  }
}
