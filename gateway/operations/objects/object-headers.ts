/**
 * What S3 calls an object's metadata, from the request that sets it to the record that keeps it.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
 */
import { REDIRECT_LOCATION_MAX } from '../../../core/limits.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { checkUserMetadata } from '../../rules/metadata.ts'
import { DEFAULT_CONTENT_TYPE } from './object-members.ts'

/** The members that PutObject, CopyObject and CreateMultipartUpload have in common. */
export interface MetadataInput {
  readonly ContentType?: string | undefined
  readonly ContentEncoding?: string | undefined
  readonly ContentDisposition?: string | undefined
  readonly ContentLanguage?: string | undefined
  readonly CacheControl?: string | undefined
  readonly ExpiresString?: string | undefined
  readonly WebsiteRedirectLocation?: string | undefined
  readonly Metadata?: Readonly<Record<string, string>> | undefined
}

/** The fields of ObjectHeaders in records.proto; empty is absent. */
export interface RecordedHeaders {
  readonly contentType: string
  readonly contentEncoding: string
  readonly contentDisposition: string
  readonly contentLanguage: string
  readonly cacheControl: string
  /** As the client sent it. */
  readonly expires: string
  readonly websiteRedirectLocation: string
  readonly user: Readonly<Record<string, string>>
}

/** @throws {S3Error} MetadataTooLarge, InvalidRedirectLocation, InvalidRequest */
export function objectHeaders(input: MetadataInput): RecordedHeaders {
  checkUserMetadata(input.Metadata)
  return {
    contentType: input.ContentType || DEFAULT_CONTENT_TYPE,
    contentEncoding: input.ContentEncoding ?? '',
    contentDisposition: input.ContentDisposition ?? '',
    contentLanguage: input.ContentLanguage ?? '',
    cacheControl: input.CacheControl ?? '',
    expires: input.ExpiresString ?? '',
    websiteRedirectLocation: redirectLocation(input.WebsiteRedirectLocation),
    user: { ...input.Metadata },
  }
}

/**
 * The location to keep, empty for none.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html
 * @throws {S3Error} InvalidRedirectLocation, InvalidRequest
 */
export function redirectLocation(given: string | undefined): string {
  if (given === undefined || given === '') return ''
  if (given.length > REDIRECT_LOCATION_MAX) {
    throw new S3Error('InvalidRequest', {
      message: `The length of website redirect location cannot exceed ${REDIRECT_LOCATION_MAX} characters.`,
    })
  }
  if (!/^(?:\/|https?:\/\/)/.test(given)) throw new S3Error('InvalidRedirectLocation')
  return given
}
