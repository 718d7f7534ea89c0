import type { BodyStream } from '../../schema/response-writer.ts'

/** The stream, its first piece fetched. */
export async function begunBody(size: number, stream: AsyncIterable<Uint8Array>): Promise<BodyStream> {
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
