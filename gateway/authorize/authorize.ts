/** The stage of the pipeline that says whether the sender may, before any byte of a body is read. */
import { S3Error } from '../errors/s3-error.ts'
import type { AuthorizationRequest, Authorize } from '../http/ports.ts'
import { clusterFailure } from '../operations/failures.ts'
import { Access, type AccessPorts } from './access.ts'
import { needOf, neverAnonymous } from './needs.ts'

/**
 * Authorization by ownership and access control lists. A bucket that is not there is NoSuchBucket for everybody, before
 * anything else.
 */
export function createAuthorize(ports: AccessPorts): Authorize {
  return (request) => {
    const access = new Access(ports, request.sender, request.signal)
    // Of most clusters' one account nothing is asked, and so nothing is waited for.
    const mayAll = access.ownsEverything && request.input['ExpectedBucketOwner'] === undefined
    return mayAll ? access : checked(access, request)
  }
}

async function checked(access: Access, request: AuthorizationRequest): Promise<Access> {
  try {
    await check(access, request)
  } catch (error) {
    throw clusterFailure(error) ?? error
  }
  return access
}

async function check(
  access: Access,
  { sender, operation, bucket, key, input }: AuthorizationRequest,
): Promise<void> {
  const { ExpectedBucketOwner, UploadId, VersionId } = input
  const need = needOf(operation)
  if (bucket === undefined || need === 'ACCOUNT') {
    // The service itself sends browsers that list buckets unsigned to a page about S3; there is none to send them to.
    if (sender.kind !== 'signed') throw new S3Error('AccessDenied')
    return
  }
  await access.requireBucketOwner(bucket, text(ExpectedBucketOwner))
  if (access.ownsEverything) return
  const refusal = sender.kind === 'signed' ? undefined : neverAnonymous.get(operation)
  if (refusal !== undefined) {
    await access.bucket(bucket)
    throw new S3Error('AccessDenied', { message: refusal })
  }
  if ((need === 'WRITE' || need === 'PART') && text(input['IfMatch']) !== undefined) {
    await access.requireReadable(bucket, key ?? '')
  }
  switch (need) {
    case 'OBJECT':
      return
    case 'UPLOAD':
      return await access.requireUpload(bucket, key ?? '', text(UploadId) ?? '')
    case 'PART':
      await access.requireBucket(bucket, 'WRITE')
      return await access.requireUpload(bucket, key ?? '', text(UploadId) ?? '')
    case 'DELETE':
      return await access.requireDelete(bucket, key ?? '', text(VersionId))
    default:
      // Tags are no part of what WRITE grants: they need s3:PutObjectTagging.
      return await access.requireBucket(bucket, need === 'WRITE' && text(input['Tagging']) ? 'OWNER' : need)
  }
}

function text(member: unknown): string | undefined {
  return typeof member === 'string' ? member : undefined
}
