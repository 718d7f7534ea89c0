import { create } from '@bufbuild/protobuf'
import {
  FailureCode,
  type UpdateObjectReply,
  UpdateObjectReplySchema,
  type UpdateObjectRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { encodeRecord, objectKind } from '../records.ts'
import { viewVersion } from './find-version.ts'
import type { Partition } from './partition.ts'

/**
 * Replaces a version's tags or its access control list, whichever is given. Neither makes another version nor touches
 * its time, as in S3.
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION, METHOD_NOT_ALLOWED for a delete marker by its id,
 *   PRECONDITION_FAILED
 */
export async function updateObject(
  partition: Partition,
  request: UpdateObjectRequest,
): Promise<UpdateObjectReply> {
  const { bucket, key, ifMatch, tags, acl } = request
  return partition.onKey(bucket, key, async () => {
    const { at, object } = await viewVersion(partition, request)
    if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== object.etag) {
      throw new MetadataError(FailureCode.PRECONDITION_FAILED, 'the condition If-Match does not hold', {
        Condition: 'If-Match',
      })
    }
    const { $typeName: _, ...fields } = object
    const updated = create(ObjectRecordSchema, {
      ...fields,
      ...(tags === undefined ? {} : { tags: tags.tags }),
      ...(acl === undefined ? {} : { acl }),
    })
    partition.enqueue({ puts: [{ key: at, value: encodeRecord(objectKind, updated) }] })
    return create(UpdateObjectReplySchema, { object: updated })
  })
}
