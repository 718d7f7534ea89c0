/** The `x-amz-grant-*` headers. */
import { ACL_GRANTS_MAX } from '../../../core/limits.ts'
import { invalidArgument, S3Error } from '../../errors/s3-error.ts'
import { inHeaders, refuseEmail, requireAccountId, requireGroup, type IsAccount } from './grantees.ts'
import { toAccount, toGroup, type GrantedPermission, type GrantInit } from './grants.ts'

/** Members of inputs that the headers become. Buckets alone have `GrantWrite`. */
export interface GrantHeaders {
  readonly GrantFullControl?: string | undefined
  readonly GrantRead?: string | undefined
  readonly GrantReadACP?: string | undefined
  readonly GrantWrite?: string | undefined
  readonly GrantWriteACP?: string | undefined
}

const headers: readonly (readonly [keyof GrantHeaders, string, GrantedPermission])[] = [
  ['GrantRead', 'x-amz-grant-read', 'READ'],
  ['GrantWrite', 'x-amz-grant-write', 'WRITE'],
  ['GrantReadACP', 'x-amz-grant-read-acp', 'READ_ACP'],
  ['GrantWriteACP', 'x-amz-grant-write-acp', 'WRITE_ACP'],
  ['GrantFullControl', 'x-amz-grant-full-control', 'FULL_CONTROL'],
]

export function hasGrantHeaders(input: GrantHeaders): boolean {
  return headers.some(([member]) => input[member] !== undefined)
}

/**
 * The grants of the headers, each a list of `type="value"` separated by commas; quotes may be left out.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
 * @throws {S3Error} InvalidArgument, MethodNotAllowed for e-mail addresses, MalformedACLError for more than 100 grants
 */
export function readGrantHeaders(input: GrantHeaders, isAccount: IsAccount): readonly GrantInit[] {
  const grants = headers.flatMap(([member, header, permission]) => {
    const value = input[member]
    if (value === undefined) return []
    return value.split(',').map((part) => readGrantee(header, value, part, permission, isAccount))
  })
  if (grants.length > ACL_GRANTS_MAX) throw new S3Error('MalformedACLError')
  return grants
}

function readGrantee(
  header: string,
  whole: string,
  part: string,
  permission: GrantedPermission,
  isAccount: IsAccount,
): GrantInit {
  const { type, quoted, bare } =
    /^\s*(?<type>[A-Za-z]+)\s*=\s*(?:"(?<quoted>[^"]*)"|(?<bare>[^"\s]*))\s*$/.exec(part)?.groups ?? {}
  const value = quoted ?? bare ?? ''
  switch (type?.toLowerCase()) {
    case 'id':
      return toAccount(requireAccountId(value, isAccount, inHeaders), permission)
    case 'uri':
      return toGroup(requireGroup(value, inHeaders), permission)
    case 'emailaddress':
      throw refuseEmail()
    default:
      throw invalidArgument(header, whole, 'Argument format not recognized')
  }
}
