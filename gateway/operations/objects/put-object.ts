import type { PutObjectCommandInput, PutObjectCommandOutput } from '@aws-sdk/client-s3'
import { defaultChecksumAlgorithm } from '../../../core/checksum/algorithms.ts'
import { parseTaggingHeader } from '../../rules/tags.ts'
import { readWriteConditions } from '../../rules/write-conditions.ts'
import { contentOf } from './content.ts'
import { accessOfNewObject } from '../acl/new-object.ts'
import { writtenVersionId } from './find-object.ts'
import { objectHeaders } from './object-headers.ts'
import { checksumMembers } from './object-members.ts'
import { refuseEarly } from './observed-version.ts'
import { storageClassOf } from './storage-class.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * Stores an object. Everything that the head alone can refuse is refused before the first byte of the body; digests and
 * signatures of the body are confirmed before the commit, and conditions inside it. An object whose writer declares no
 * checksum gets S3's default, CRC64NVME.
 *
 * The answer names no encryption: shards lie on disk as they are, and `x-amz-server-side-encryption` is refused
 * (unsupported.ts) rather than promised.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
export function putObject({ store }: S3Services): S3Handler<PutObjectCommandInput, PutObjectCommandOutput> {
  return async (input, context) => {
    const { Bucket, Key, Body } = input
    const { signal } = context
    const headers = objectHeaders(input)
    const conditions = readWriteConditions(input)
    const tags = parseTaggingHeader(input.Tagging ?? '')
    const storageClass = storageClassOf(input.StorageClass)
    const access = await accessOfNewObject(input, context)
    const observed = await refuseEarly(store.metadata, input, conditions, signal)
    const object = await store.putObject(
      {
        bucket: Bucket,
        key: Key,
        ...access,
        headers,
        storageClass,
        tags,
        conditions: { ...conditions, ...observed },
        content: contentOf(Body, Body.checksumAlgorithm ?? defaultChecksumAlgorithm),
      },
      signal,
    )
    return { ETag: `"${object.etag}"`, ...checksumMembers(object.checksums), ...writtenVersionId(object) }
  }
}
