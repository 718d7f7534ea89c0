/**
 * The signature of a browser's POST form: it covers the policy document, and the policy covers the fields.
 * Source: S3 API Reference, "Authenticating Requests in Browser-Based Uploads Using POST (AWS Signature Version 4)".
 * Refusals are the service's own where public test suites recorded them.
 */
import { POST_SIGNATURE_MS_MAX } from '../limits.ts'
import { ALGORITHM, VERSION_2_REFUSED } from './claim.ts'
import { parseCredential, refuseCredential, type Credential, type EndpointScope } from './credential.ts'
import type { SigningDigests } from './digests.ts'
import { equalInConstantTime, toHex } from './encoding.ts'
import { refuse, refuseArgument, type SigningFailure } from './failure.ts'
import { parseAmzDate } from './time.ts'
import { mismatchFields } from './verify.ts'

/** The fields of a form by lower-case name, values as byte strings. */
export type FormFields = ReadonlyMap<string, string>

/** What a form claims about who allowed it. */
export interface FormClaim extends Credential {
  readonly ok: true
  readonly kind: 'signed'
  /** Base64 as sent: the string to sign. */
  readonly policy: string
  readonly signature: string
  /** Unix milliseconds of `x-amz-date`. */
  readonly timeMs: number
  readonly securityToken?: string
}

/** A form that is not signed: allowed only where anybody may write. */
export interface AnonymousForm {
  readonly ok: true
  readonly kind: 'anonymous'
}

/**
 * A form that has one of these must have them all, and a policy; a policy alone claims nothing. In lower case as they are
 * looked for; refusals name them as here (recorded of the service by LocalStack's `test_post_request_missing_fields`).
 */
const signedFields = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Signature']

/** Reads the claim of a form at this endpoint, or S3's refusal of it. Nothing is believed yet. */
export function readFormClaim(
  fields: FormFields,
  endpoint: EndpointScope,
): FormClaim | AnonymousForm | SigningFailure {
  if (fields.has('awsaccesskeyid') || fields.has('signature')) {
    return refuse('InvalidRequest', VERSION_2_REFUSED)
  }
  const isGiven = (name: string): boolean => fields.has(name.toLowerCase())
  if (!signedFields.some(isGiven)) return { ok: true, kind: 'anonymous' }
  const missing = ['policy', ...signedFields].find((name) => !isGiven(name))
  if (missing !== undefined) return missingField(missing)

  const get = (name: string): string => fields.get(name) ?? ''
  const algorithm = get('x-amz-algorithm')
  if (algorithm !== ALGORITHM) {
    return refuseArgument(`Only ${ALGORITHM} is supported`, 'X-Amz-Algorithm', algorithm)
  }
  const timestamp = get('x-amz-date')
  const timeMs = parseAmzDate(timestamp)
  if (timeMs === undefined) {
    // "formated" is how the service writes it.
    return refuseArgument('X-Amz-Date must be formated via ISO8601 Long format', 'X-Amz-Date', timestamp)
  }
  const credential = parseCredential(get('x-amz-credential'), 'form', endpoint)
  if ('ok' in credential) return credential
  const { date } = credential.scope
  const day = timestamp.slice(0, 8)
  if (day !== date) {
    const rule = `This date is not the same as X-Amz-Date: "${day}".`
    return refuseCredential('form', `Invalid credential date "${date}". ${rule}`, {}, get('x-amz-credential'))
  }
  const securityToken = fields.get('x-amz-security-token')
  return {
    ok: true,
    kind: 'signed',
    ...credential,
    policy: get('policy'),
    signature: get('x-amz-signature'),
    timeMs,
    ...(securityToken === undefined ? {} : { securityToken }),
  }
}

/** S3's refusal of a form that lacks a field; both blanks of the message are the service's. */
export function missingField(name: string): SigningFailure {
  const message = `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`
  return refuseArgument(message, name, '')
}

/**
 * Judges a form's claim with the signing key of its access key and scope. The policy's own expiration is another matter.
 * @param nowMs the server's Unix time in milliseconds
 */
export function verifyFormClaim(
  { accessKey, policy, signature, timeMs }: FormClaim,
  signingKey: Uint8Array,
  nowMs: number,
  digests: SigningDigests,
): { readonly ok: true } | SigningFailure {
  const expected = toHex(digests.hmacSha256(signingKey, policy))
  if (!equalInConstantTime(signature.toLowerCase(), expected)) {
    return refuse('SignatureDoesNotMatch', undefined, mismatchFields(accessKey, policy, signature))
  }
  if (nowMs - timeMs > POST_SIGNATURE_MS_MAX) {
    return refuse('AccessDenied', 'Invalid according to Policy: Policy expired.')
  }
  return { ok: true }
}
