import type { Reply, Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { invalidRequest } from '../failure.ts'
import type { OwnedPartition } from '../host/owned.ts'
import { deleteAnnotation, getAnnotation, listAnnotations, putAnnotation } from '../partition/annotations.ts'
import { replaceBlob, resolveBlobs } from '../partition/blob-requests.ts'
import { completeUpload } from '../partition/complete.ts'
import { deleteObject } from '../partition/delete-object.ts'
import { listVersions } from '../partition/list-versions.ts'
import { commitObject, getManifest, getObject, listObjects } from '../partition/objects.ts'
import { acknowledgeOutbox, readOutbox } from '../partition/outbox-requests.ts'
import { requestRepair } from '../partition/repair-requests.ts'
import { updateObject } from '../partition/update-object.ts'
import {
  abortUpload,
  commitPart,
  createUpload,
  getUpload,
  listParts,
  listUploads,
} from '../partition/uploads.ts'

/** Answers what is asked of a partition. @throws {MetadataError} */
export async function answerPartition(
  { partition, purger, room }: OwnedPartition,
  operation: Request['operation'],
): Promise<Reply['result']> {
  switch (operation.case) {
    case 'commitObject':
      return { case: 'commitObject', value: await commitObject(partition, operation.value) }
    case 'getObject':
      return { case: 'getObject', value: await getObject(partition, operation.value) }
    case 'deleteObject':
      return { case: 'deleteObject', value: await deleteObject(partition, room, operation.value) }
    case 'listObjects':
      return { case: 'listObjects', value: await listObjects(partition, operation.value) }
    case 'listVersions':
      return { case: 'listVersions', value: await listVersions(partition, operation.value) }
    case 'updateObject':
      return { case: 'updateObject', value: await updateObject(partition, operation.value) }
    case 'getManifest':
      return { case: 'getManifest', value: await getManifest(partition, operation.value) }
    case 'createUpload':
      return { case: 'createUpload', value: await createUpload(partition, operation.value) }
    case 'getUpload':
      return { case: 'getUpload', value: await getUpload(partition, operation.value) }
    case 'commitPart':
      return { case: 'commitPart', value: await commitPart(partition, operation.value) }
    case 'listParts':
      return { case: 'listParts', value: await listParts(partition, operation.value) }
    case 'completeUpload':
      return { case: 'completeUpload', value: await completeUpload(partition, purger, operation.value) }
    case 'abortUpload':
      return { case: 'abortUpload', value: await abortUpload(partition, purger, operation.value) }
    case 'listUploads':
      return { case: 'listUploads', value: await listUploads(partition, operation.value) }
    case 'putAnnotation':
      return { case: 'putAnnotation', value: await putAnnotation(partition, operation.value) }
    case 'getAnnotation':
      return { case: 'getAnnotation', value: await getAnnotation(partition, operation.value) }
    case 'listAnnotations':
      return { case: 'listAnnotations', value: await listAnnotations(partition, operation.value) }
    case 'deleteAnnotation':
      return { case: 'deleteAnnotation', value: await deleteAnnotation(partition, operation.value) }
    case 'readOutbox':
      return { case: 'readOutbox', value: await readOutbox(partition, operation.value) }
    case 'acknowledgeOutbox':
      return { case: 'acknowledgeOutbox', value: await acknowledgeOutbox(partition, operation.value) }
    case 'resolveBlobs':
      return { case: 'resolveBlobs', value: await resolveBlobs(partition, operation.value) }
    case 'replaceBlob':
      return { case: 'replaceBlob', value: await replaceBlob(partition, room, operation.value) }
    case 'requestRepair':
      return { case: 'requestRepair', value: await requestRepair(partition, operation.value) }
    default:
      throw invalidRequest(`${String(operation.case)} is not asked of a partition`)
  }
}
