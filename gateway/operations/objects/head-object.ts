import type { HeadObjectCommandInput, HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { openObject } from './open-object.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export function headObject({
  store,
}: S3Services): S3Handler<HeadObjectCommandInput, HeadObjectCommandOutput> {
  return async (input, context) => (await openObject(store.metadata, input, 'HEAD', context)).members
}
