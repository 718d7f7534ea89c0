import type { LoadKind } from '../../core/partitioning/load.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import type { Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataOperation } from '../../proto/metadata-api.ts'
import { locate } from '../../runtime/metadata-client/locate.ts'

/** How an operation counts, and who answers for it. */
export interface OperationClass {
  /**
   * `client`: a request of S3 for a key or a range of keys. `step`: one of several that such a request makes, and not the one by
   * which it is counted. `background`: of workers. `control`: the cluster's own, few and never refused.
   */
  readonly sender: 'client' | 'step' | 'background' | 'control'
  readonly kind: LoadKind
}

const client = (kind: LoadKind): OperationClass => ({ sender: 'client', kind })
const step = (kind: LoadKind): OperationClass => ({ sender: 'step', kind })
const background = (kind: LoadKind): OperationClass => ({ sender: 'background', kind })
const control = (kind: LoadKind): OperationClass => ({ sender: 'control', kind })

/**
 * What counts as a write and as a read: "at least 3,500 PUT/COPY/POST/DELETE or 5,500 GET/HEAD requests per second per
 * partitioned prefix" (S3 User Guide, "Optimizing Amazon S3 performance"). The methods are those of S3's operations: uploads are
 * begun and completed by POST, parts and tags put, listings got. Operations on buckets belong to no prefix.
 */
export const OPERATION_CLASSES: Readonly<Record<MetadataOperation, OperationClass>> = {
  // Counts for the commit that comes with the admission.
  admitWrite: client('write'),
  commitObject: client('write'),
  deleteObject: client('write'),
  updateObject: client('write'),
  createUpload: client('write'),
  commitPart: client('write'),
  completeUpload: client('write'),
  abortUpload: client('write'),
  putAnnotation: client('write'),
  deleteAnnotation: client('write'),
  getObject: client('read'),
  listObjects: client('read'),
  listVersions: client('read'),
  listParts: client('read'),
  listUploads: client('read'),
  getAnnotation: client('read'),
  listAnnotations: client('read'),
  // Of a GET of an object with many parts, whose record was got before.
  getManifest: step('read'),
  // Before a part is taken, and before an upload is completed.
  getUpload: step('read'),
  readOutbox: background('read'),
  acknowledgeOutbox: background('write'),
  resolveBlobs: background('read'),
  replaceBlob: background('write'),
  requestRepair: background('write'),
  createBucket: control('write'),
  getBucket: control('read'),
  deleteBucket: control('write'),
  listBuckets: control('read'),
  updateBucket: control('write'),
  putBucketSetting: control('write'),
  getBucketSetting: control('read'),
  deleteBucketSetting: control('write'),
  getCluster: control('read'),
  heartbeat: control('write'),
  changeCluster: control('write'),
  keepLease: control('write'),
  getRisk: control('read'),
  getPartitions: control('read'),
  changePartitions: control('write'),
  leaseBucket: control('read'),
  revokeBucket: control('write'),
  probeBucket: control('write'),
  holdCommits: control('write'),
  releaseCommits: control('write'),
  reportLoad: control('write'),
  openBackup: control('read'),
  readBackup: control('read'),
  closeBackup: control('read'),
  acceptRestore: control('write'),
  getBackupState: control('read'),
}

/** Where a client's operation is done; of a listing, where it begins. Undefined for all others, and where the request names none. */
export function positionOf(operation: Request['operation']): Position | undefined {
  switch (operation.case) {
    case 'commitObject':
      return operation.value.object
    case 'createUpload':
      return operation.value.upload
    case 'admitWrite':
    case 'deleteObject':
    case 'updateObject':
    case 'commitPart':
    case 'completeUpload':
    case 'abortUpload':
    case 'putAnnotation':
    case 'deleteAnnotation':
    case 'getObject':
    case 'listParts':
    case 'getAnnotation':
    case 'listAnnotations':
    case 'getManifest':
    case 'getUpload':
      return operation.value
    case 'listObjects':
    case 'listVersions':
    case 'listUploads': {
      const route = locate(operation.case, operation.value)
      return route.to === 'listing' ? route.position : undefined
    }
    default:
      return undefined
  }
}

/** What a commit brings that was admitted beforehand; 0: nothing. */
export function admissionOf(operation: Request['operation']): bigint {
  switch (operation.case) {
    case 'commitObject':
    case 'commitPart':
    case 'putAnnotation':
      return operation.value.admission
    default:
      return 0n
  }
}
