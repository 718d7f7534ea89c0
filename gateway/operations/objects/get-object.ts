import type { GetObjectCommandInput, GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { BodyStream } from '../../schema/response-writer.ts'
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
    return { ...members, Body: await begun(size, store.readObject(record, bytes, context.signal)) }
  }
}

/** The stream, its first piece fetched. */
async function begun(size: number, stream: AsyncIterable<Uint8Array>): Promise<BodyStream> {
  const iterator = stream[Symbol.asyncIterator]()
  let first: IteratorResult<Uint8Array> | undefined = await iterator.next()
  const rest: AsyncIterator<Uint8Array> = {
    next() {
      if (first === undefined) return iterator.next()
      const result = first
      first = undefined
      return Promise.resolve(result)
    },
    async return() {
      await iterator.return?.()
      return { done: true, value: undefined }
    },
  }
  return { size, stream: { [Symbol.asyncIterator]: () => rest } }
}
