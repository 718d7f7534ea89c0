import type { GetObjectCommandInput, GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { begunBody } from './begun-body.ts'
import { openObject } from './open-object.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * The first piece is read before the head is sent, so that an object that cannot be read is an error and not a body cut
 * short.
 */
export function getObject({ store }: S3Services): S3Handler<GetObjectCommandInput, GetObjectCommandOutput> {
  return async (input, context) => {
    const { record, bytes, members } = await openObject(store.metadata, input, 'GET', context)
    const size = bytes.end - bytes.start
    return { ...members, Body: await begunBody(size, store.readObject(record, bytes, context.signal)) }
  }
}
