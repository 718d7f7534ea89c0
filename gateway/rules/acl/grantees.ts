/** Whom a client may name in a grant, and what it is told of others. */
import { ANONYMOUS_ID } from '../../accounts/account.ts'
import { invalidArgument, S3Error } from '../../errors/s3-error.ts'
import { EC2_IMAGES_ID } from './canned.ts'
import { groups } from './grants.ts'

/** Whether an account has that canonical id. */
export type IsAccount = (canonicalId: string) => boolean

/** How the error document names the argument: one way for headers, another for documents. */
export interface ArgumentNames {
  readonly id: string
  readonly uri: string
}

export const inHeaders: ArgumentNames = { id: 'id', uri: 'uri' }
export const inDocuments: ArgumentNames = { id: 'CanonicalUser/ID', uri: 'Group/URI' }

/**
 * A canonical id as records have it; S3 takes upper-case digits too.
 * @throws {S3Error} InvalidArgument, "Invalid id", where there is no such account
 */
export function requireAccountId(given: string, isAccount: IsAccount, names: ArgumentNames): string {
  const id = given.toLowerCase()
  if (isAccount(id) || id === ANONYMOUS_ID || id === EC2_IMAGES_ID) return id
  throw invalidArgument(names.id, given, 'Invalid id')
}

/** @throws {S3Error} InvalidArgument, "Invalid group uri" */
export function requireGroup(uri: string, names: ArgumentNames): string {
  if (groups.has(uri)) return uri
  throw invalidArgument(names.uri, uri, 'Invalid group uri')
}

/**
 * S3 resolves e-mail addresses no more: since October 2025 they are answered with 405.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
 */
export function refuseEmail(): S3Error {
  return new S3Error('MethodNotAllowed', {
    message: 'Access control lists that name a grantee by e-mail address are not supported.',
  })
}
