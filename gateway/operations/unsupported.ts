/**
 * Members of requests that change what S3 does and that are not built: they are refused by name, never ignored.
 *
 * A value that asks for what happens anyway passes: `x-amz-object-lock-legal-hold: OFF`. Left out on purpose, because S3 ignores them too
 * where there is nothing they could act on: `x-amz-request-payer` without Requester Pays, `x-amz-mfa` without MFA delete,
 * `x-amz-optional-object-attributes` without archives.
 */
import { S3Error } from '../errors/s3-error.ts'

/** Where a client wrote what is refused; the element of the error document that names it. */
export type RequestPlace = 'Header' | 'Query' | 'Element'

interface Rule {
  readonly place: RequestPlace
  /** As the client writes it. */
  readonly name: string
  /** Values that change nothing. */
  readonly harmless: readonly unknown[]
}

const header = (name: string, ...harmless: readonly unknown[]): Rule => ({ place: 'Header', name, harmless })

/** By the SDK's name of the member. */
const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    BucketNamespace: header('x-amz-bucket-namespace', 'global'),
    // Object Lock
    ObjectLockEnabledForBucket: header('x-amz-bucket-object-lock-enabled', false),
    ObjectLockMode: header('x-amz-object-lock-mode'),
    ObjectLockRetainUntilDate: header('x-amz-object-lock-retain-until-date'),
    ObjectLockLegalHoldStatus: header('x-amz-object-lock-legal-hold', 'OFF'),
    ObjectLockEventHold: header('x-amz-object-lock-event-hold'),
    ObjectLockEventHoldDurationDays: header('x-amz-object-lock-event-hold-duration-days'),
    ObjectLockEventHoldDurationYears: header('x-amz-object-lock-event-hold-duration-years'),
    // Encryption
    ServerSideEncryption: header('x-amz-server-side-encryption'),
    SSECustomerAlgorithm: header('x-amz-server-side-encryption-customer-algorithm'),
    SSECustomerKey: header('x-amz-server-side-encryption-customer-key'),
    SSECustomerKeyMD5: header('x-amz-server-side-encryption-customer-key-MD5'),
    SSEKMSKeyId: header('x-amz-server-side-encryption-aws-kms-key-id'),
    SSEKMSEncryptionContext: header('x-amz-server-side-encryption-context'),
    BucketKeyEnabled: header('x-amz-server-side-encryption-bucket-key-enabled', false),
    CopySourceSSECustomerAlgorithm: header('x-amz-copy-source-server-side-encryption-customer-algorithm'),
    CopySourceSSECustomerKey: header('x-amz-copy-source-server-side-encryption-customer-key'),
    CopySourceSSECustomerKeyMD5: header('x-amz-copy-source-server-side-encryption-customer-key-MD5'),
    // The rest
    WriteOffsetBytes: header('x-amz-write-offset-bytes'),
    // Only directory buckets have this condition.
    IfMatchInitiatedTime: header('x-amz-if-match-initiated-time'),
  }),
)

/**
 * Checks the members of an operation's input, one level deep. The table does it for every row; handlers look into nested
 * documents themselves, with `notBuilt`.
 * @throws {S3Error} NotImplemented
 */
export function refuseUnsupported(input: Readonly<Record<string, unknown>>): void {
  for (const [member, value] of Object.entries(input)) {
    const rule = rules.get(member)
    if (rule === undefined || value === undefined || rule.harmless.includes(value)) continue
    throw notBuilt(rule.place, rule.name)
  }
}

/** `NotImplemented`, with the header, query parameter or element that asked for it. */
export function notBuilt(place: RequestPlace, name: string): S3Error {
  const what = { Header: 'A header', Query: 'A query parameter', Element: 'An element' }[place]
  return new S3Error('NotImplemented', {
    message: `${what} you provided implies functionality that is not implemented`,
    fields: { [place]: name },
  })
}
