/** Buckets with versions. */
import assert from 'node:assert/strict'
import {
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type BucketVersioningStatus,
  type S3Client,
} from '@aws-sdk/client-s3'

/** A version id of the form that is given out, of a version that never was. */
export const ABSENT_VERSION = 'A'.repeat(32)

export async function setVersioning(
  client: S3Client,
  Bucket: string,
  Status: BucketVersioningStatus,
): Promise<void> {
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
}

/** Puts a version, and returns its id: `null` where the answer names none. */
export async function putVersion(
  client: S3Client,
  Bucket: string,
  Key: string,
  Body: string,
): Promise<string> {
  return (await client.send(new PutObjectCommand({ Bucket, Key, Body }))).VersionId ?? 'null'
}

/** Puts a delete marker over what is there, and returns its id. */
export async function putDeleteMarker(client: S3Client, Bucket: string, Key: string): Promise<string> {
  const { DeleteMarker, VersionId } = await client.send(new DeleteObjectCommand({ Bucket, Key }))
  assert.equal(DeleteMarker, true)
  assert.ok(VersionId)
  return VersionId
}
