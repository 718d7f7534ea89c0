/**
 * Tag sets of objects and buckets: what S3 takes, and what it says of the rest.
 *
 * Lengths are in UTF-16 code units (S3 User Guide, "Categorizing your objects using tags": tags are "internally
 * represented in UTF-16"), which is what a string's `length` counts. The characters are those of S3 Control's `Tag`
 * data type: letters, separators and digits of any script, and `_.:/=+-@`.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_S3Tag.html
 */
import {
  BUCKET_TAGS_MAX,
  OBJECT_TAGS_MAX,
  TAG_KEY_LENGTH_MAX,
  TAG_VALUE_LENGTH_MAX,
} from '../../core/limits.ts'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'

/** As records keep it. */
export interface Tag {
  readonly key: string
  readonly value: string
}

/** What carries the tags; each has its own limit and messages. */
export type TaggedKind = 'object' | 'bucket' | 'new-bucket'

const kinds = {
  object: {
    countMax: OBJECT_TAGS_MAX,
    tooMany: `Object tags cannot be greater than ${OBJECT_TAGS_MAX}`,
    system: 'Your TagKey cannot be prefixed with aws:',
  },
  bucket: {
    countMax: BUCKET_TAGS_MAX,
    tooMany: `Bucket tag count cannot be greater than ${BUCKET_TAGS_MAX}`,
    system: 'System tags cannot be added/updated by requester',
  },
  'new-bucket': {
    countMax: BUCKET_TAGS_MAX,
    tooMany: `Bucket tag count cannot be greater than ${BUCKET_TAGS_MAX}`,
    system:
      'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" from your tag keys and try again.',
  },
} as const

/**
 * The tags of a document, in its order.
 * @throws {S3Error} BadRequest for too many; InvalidTag for a key or value that is too long, has other characters, is
 *   Amazon's own (`aws:`), or a key that stands twice
 */
export function checkTagSet(
  tags: readonly { readonly Key: string; readonly Value: string }[],
  kind: TaggedKind,
): Tag[] {
  const { countMax, tooMany } = kinds[kind]
  if (tags.length > countMax) throw new S3Error('BadRequest', { message: tooMany })
  const seen = new Set<string>()
  return tags.map(({ Key: key, Value: value }) => {
    checkTag({ key, value }, kind)
    if (seen.has(key)) {
      throw new S3Error('InvalidTag', {
        message: 'Cannot provide multiple Tags with the same key',
        fields: { TagKey: key },
      })
    }
    seen.add(key)
    return { key, value }
  })
}

/**
 * The tags of `x-amz-tagging`, in its order: `key=value` pairs joined by `&`, both as in the query of a URL. Empty
 * pairs are passed over, and a pair without `=` has the empty value.
 * @param header as text; see `decodeHeader`
 * @throws {S3Error} InvalidArgument for what is no such query or has a key twice, and as {@link checkTagSet}
 */
export function parseTaggingHeader(header: string): Tag[] {
  const tags = new Map<string, string>()
  for (const pair of header.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const key = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeQueryText(pair.slice(equals + 1))
    // A character that no tag may have is no tag here, but the header's fault (LocalStack's `test_object_tagging_exc`).
    const isText = key !== undefined && value !== undefined && allowed.test(key) && allowed.test(value)
    if (!isText || key === '' || tags.has(key)) {
      throw invalidArgument(
        'x-amz-tagging',
        header,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      )
    }
    tags.set(key, value)
  }
  return checkTagSet(
    Array.from(tags, ([Key, Value]) => ({ Key, Value })),
    'object',
  )
}

const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** @throws {S3Error} InvalidTag */
function checkTag({ key, value }: Tag, kind: TaggedKind): void {
  if (key === '' || key.length > TAG_KEY_LENGTH_MAX || !allowed.test(key)) {
    throw new S3Error('InvalidTag', { fields: { TagKey: key } })
  }
  if (key.toLowerCase().startsWith('aws:')) {
    const fields = kind === 'new-bucket' ? {} : { TagKey: key }
    throw new S3Error('InvalidTag', { message: kinds[kind].system, fields })
  }
  if (value.length > TAG_VALUE_LENGTH_MAX || !allowed.test(value)) {
    throw new S3Error('InvalidTag', {
      message: 'The TagValue you have provided is invalid',
      fields: { TagKey: key, TagValue: value },
    })
  }
}

/** Undefined for text that is not percent-encoded UTF-8. */
function decodeQueryText(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
