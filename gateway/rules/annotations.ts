/**
 * What S3 takes as an annotation, and what it says of the rest.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-overview.html "Annotation naming guidelines"
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-managing.html
 */
import { ANNOTATION_NAME_BYTES_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'

/** Letters and digits of any script, and `_.-`. */
const characters = /^[\p{L}\p{Nd}_.-]*$/u
const reserved = /^(?:aws|s3)/i

/** @throws {S3Error} AnnotationNameTooLong, InvalidAnnotationName */
export function requireAnnotationName(name: string): void {
  if (Buffer.byteLength(name) > ANNOTATION_NAME_BYTES_MAX) throw new S3Error('AnnotationNameTooLong')
  if (name === '' || !characters.test(name) || reserved.test(name)) throw new S3Error('InvalidAnnotationName')
}

/**
 * The prefix of a list: what a name can begin with. Not documented; chosen by the rules of names.
 * @throws {S3Error} InvalidPrefix
 */
export function requireAnnotationPrefix(prefix: string): void {
  if (Buffer.byteLength(prefix) > ANNOTATION_NAME_BYTES_MAX || !characters.test(prefix)) {
    throw new S3Error('InvalidPrefix')
  }
}

/** Passes bytes on that are UTF-8. @throws {S3Error} UnsupportedMediaType, from `next`, at the first that are not */
export async function* utf8Only(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for await (const piece of bytes) {
    check(() => decoder.decode(piece, { stream: true }))
    yield piece
  }
  check(() => decoder.decode())
}

function check(decode: () => string): void {
  try {
    decode()
  } catch (cause) {
    const message = 'The annotation payload is not valid UTF-8 encoded text.'
    const error = new S3Error('UnsupportedMediaType', { message })
    error.cause = cause
    throw error
  }
}
