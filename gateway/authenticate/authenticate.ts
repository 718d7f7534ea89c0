/**
 * The stage of the pipeline that says who sent a request and how its body is guarded. It decides nothing about what
 * the sender may do. Secrets stay inside: they are in no result, error or log.
 */
import { readClaim, type SignatureClaim } from '../../core/signing/claim.ts'
import type { ChunkSigning } from '../../core/signing/chunk-signing.ts'
import { scopeText, type EndpointScope, type Scope } from '../../core/signing/credential.ts'
import {
  readFormClaim,
  verifyFormClaim,
  type FormClaim,
  type FormFields,
} from '../../core/signing/form-claim.ts'
import type { SigningDigests } from '../../core/signing/digests.ts'
import { equalInConstantTime } from '../../core/signing/encoding.ts'
import type { PayloadMode } from '../../core/signing/payload.ts'
import type { SignableRequest } from '../../core/signing/request.ts'
import { verifyClaim } from '../../core/signing/verify.ts'
import { S3Error } from '../errors/s3-error.ts'
import { refusalError } from './refusal.ts'
import { SigningKeys } from './signing-keys.ts'

/** What is kept under an access key. */
export interface StoredCredential<Principal> {
  readonly secret: string
  readonly principal: Principal
  /** Temporary credentials only: the token every request must carry. */
  readonly sessionToken?: string
}

/** Where credentials come from. */
export interface Credentials<Principal> {
  /** The credential of an access key; undefined when there is none (any more). */
  find(accessKey: string): Promise<StoredCredential<Principal> | undefined>
}

export interface AuthenticatorOptions<Principal> {
  readonly credentials: Credentials<Principal>
  readonly endpoint: EndpointScope
  readonly digests: SigningDigests
  /** Unix time in milliseconds. */
  readonly nowMs: () => number
}

/** Who sent the request. */
export type Authentication<Principal> = AnonymousSender | SignedSender<Principal>

export interface AnonymousSender {
  readonly kind: 'anonymous'
  readonly payload: PayloadMode
}

export interface SignedSender<Principal> {
  readonly kind: 'signed'
  readonly accessKey: string
  readonly principal: Principal
  readonly scope: Scope
  /** True when the signature came in the query or a form: it may have been passed on. */
  readonly presigned: boolean
  readonly payload: PayloadMode
  /** What the chunks of the body continue from; present when `payload` is signed chunks. */
  readonly chunkSigning?: ChunkSigning
}

/** Answers who sent a request. @throws {S3Error} with S3's code when the claim does not hold */
export interface Authenticator<Principal> {
  (request: SignableRequest): Promise<Authentication<Principal>>
  /** The same for a browser's form, whose claim stands in its fields. The policy's conditions are not judged here. */
  form(fields: FormFields): Promise<Authentication<Principal>>
}

export function createAuthenticator<Principal>(
  options: AuthenticatorOptions<Principal>,
): Authenticator<Principal> {
  const { credentials, endpoint, digests, nowMs } = options
  const signingKeys = new SigningKeys(digests)

  async function authenticate(request: SignableRequest): Promise<Authentication<Principal>> {
    const claim = readClaim(request, endpoint)
    if (!claim.ok) throw refusalError(claim)
    if (claim.kind === 'anonymous') return { kind: 'anonymous', payload: claim.payload }

    const stored = await credentials.find(claim.accessKey)
    requireCredential(stored, claim)
    const signingKey = signingKeys.get(claim, stored.secret)
    const verdict = verifyClaim(claim, request, signingKey, nowMs(), digests)
    if (!verdict.ok) throw refusalError(verdict)
    return {
      kind: 'signed',
      accessKey: claim.accessKey,
      principal: stored.principal,
      scope: claim.scope,
      presigned: claim.mechanism === 'query',
      payload: claim.payload,
      ...(claim.payload.kind === 'signed-chunks' ? { chunkSigning: chunkSigning(claim, signingKey) } : {}),
    }
  }

  async function form(fields: FormFields): Promise<Authentication<Principal>> {
    const claim = readFormClaim(fields, endpoint)
    if (!claim.ok) throw refusalError(claim)
    const payload = { kind: 'unsigned' } as const
    if (claim.kind === 'anonymous') return { kind: 'anonymous', payload }
    const stored = await credentials.find(claim.accessKey)
    requireCredential(stored, claim)
    const verdict = verifyFormClaim(claim, signingKeys.get(claim, stored.secret), nowMs(), digests)
    if (!verdict.ok) throw refusalError(verdict)
    const { accessKey, scope } = claim
    return { kind: 'signed', accessKey, principal: stored.principal, scope, presigned: true, payload }
  }

  return Object.assign(authenticate, { form })
}

function chunkSigning(claim: SignatureClaim, signingKey: Uint8Array): ChunkSigning {
  return {
    accessKey: claim.accessKey,
    signingKey,
    timestamp: claim.timestamp,
    scope: scopeText(claim.scope),
    seedSignature: claim.signature.toLowerCase(),
  }
}

function unknownAccessKey(accessKey: string): S3Error {
  return new S3Error('InvalidAccessKeyId', { fields: { AWSAccessKeyId: accessKey } })
}

/** A temporary key exists only together with its token; a lasting key has none. */
function requireCredential<Principal>(
  stored: StoredCredential<Principal> | undefined,
  { securityToken, accessKey }: SignatureClaim | FormClaim,
): asserts stored is StoredCredential<Principal> {
  if (stored === undefined) throw unknownAccessKey(accessKey)
  const expected = stored.sessionToken
  if (expected === undefined && securityToken === undefined) return
  if (securityToken === undefined) throw unknownAccessKey(accessKey)
  if (expected === undefined || !equalInConstantTime(securityToken, expected)) {
    throw new S3Error('InvalidToken', { fields: { 'Token-0': securityToken } })
  }
}
