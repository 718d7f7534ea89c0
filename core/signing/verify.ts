/**
 * Decides whether a signature is genuine and in time.
 * Source: S3, "Authenticating Requests (AWS Signature Version 4)". The access key and the signature are judged before
 * the time, as S3 does: only the holder of the secret learns about clocks and expiry.
 */
import { REQUEST_SKEW_MS } from '../limits.ts'
import { canonicalRequest } from './canonical.ts'
import type { SignatureClaim } from './claim.ts'
import { scopeText, type Scope } from './credential.ts'
import type { SigningDigests } from './digests.ts'
import { equalInConstantTime, hexDump, readableText, toHex, utf8 } from './encoding.ts'
import { refuse, type SigningFailure } from './failure.ts'
import { headerValues, type SignableRequest } from './request.ts'
import { formatAmzDate, formatIsoSeconds } from './time.ts'

/** The key that signs for one secret, day, region and service. */
export function deriveSigningKey(digests: SigningDigests, secret: string, scope: Scope): Uint8Array {
  const day = digests.hmacSha256(utf8(`AWS4${secret}`), scope.date)
  const region = digests.hmacSha256(day, scope.region)
  const service = digests.hmacSha256(region, scope.service)
  return digests.hmacSha256(service, 'aws4_request')
}

/** The string to sign of a canonical request. */
export function stringToSign(
  digests: SigningDigests,
  timestamp: string,
  scope: Scope,
  canonical: string,
): string {
  return ['AWS4-HMAC-SHA256', timestamp, scopeText(scope), toHex(digests.sha256(canonical))].join('\n')
}

/**
 * Judges a claim with the signing key of its access key and scope.
 * @param nowMs the server's Unix time in milliseconds
 */
export function verifyClaim(
  claim: SignatureClaim,
  request: SignableRequest,
  signingKey: Uint8Array,
  nowMs: number,
  digests: SigningDigests,
): { readonly ok: true } | SigningFailure {
  const unsigned = unsignedHeaders(claim, request)
  if (unsigned.length > 0) {
    const message = 'There were headers present in the request which were not signed'
    return refuse('AccessDenied', message, { HeadersNotSigned: unsigned.join(', ') })
  }
  const canonical = canonicalRequest(request, claim.parameters, claim.signedHeaders, claim.payloadHash)
  const toSign = stringToSign(digests, claim.timestamp, claim.scope, canonical)
  const expected = toHex(digests.hmacSha256(signingKey, toSign))
  if (!equalInConstantTime(claim.signature.toLowerCase(), expected)) {
    return refuse('SignatureDoesNotMatch', undefined, {
      ...mismatchFields(claim.accessKey, toSign, claim.signature),
      CanonicalRequest: readableText(canonical),
      CanonicalRequestBytes: hexDump(canonical),
    })
  }
  return claim.expiresSeconds === undefined
    ? checkSkew(claim, nowMs)
    : checkExpiry(claim, claim.expiresSeconds, nowMs)
}

/** The elements S3 adds to SignatureDoesNotMatch, so that the client can compare. */
export function mismatchFields(
  accessKey: string,
  toSign: string,
  signature: string,
): Readonly<Record<string, string>> {
  return {
    AWSAccessKeyId: accessKey,
    StringToSign: readableText(toSign),
    SignatureProvided: signature,
    StringToSignBytes: hexDump(toSign),
  }
}

/** `host` and every `x-amz-*` header must be signed, or someone on the way could have added them. */
function unsignedHeaders(claim: SignatureClaim, { headers }: SignableRequest): readonly string[] {
  const signed = new Set(claim.signedHeaders)
  return Object.keys(headers)
    .filter((name) => name === 'host' || name.startsWith('x-amz-'))
    .filter((name) => !signed.has(name) && headerValues(headers, name).length > 0)
    .filter((name) => name !== 'x-amz-content-sha256') // The canonical request ends with its value.
    .sort()
}

function checkSkew(claim: SignatureClaim, nowMs: number): { readonly ok: true } | SigningFailure {
  if (Math.abs(nowMs - claim.timeMs) <= REQUEST_SKEW_MS) return { ok: true }
  return refuse('RequestTimeTooSkewed', undefined, {
    RequestTime: formatAmzDate(claim.timeMs),
    ServerTime: formatIsoSeconds(nowMs),
    MaxAllowedSkewMilliseconds: String(REQUEST_SKEW_MS),
  })
}

function checkExpiry(
  claim: SignatureClaim,
  expiresSeconds: number,
  nowMs: number,
): { readonly ok: true } | SigningFailure {
  if (claim.timeMs - nowMs > REQUEST_SKEW_MS) {
    return refuse('AccessDenied', 'Request is not yet valid', {
      'X-Amz-Date': claim.timestamp,
      ServerTime: formatIsoSeconds(nowMs),
    })
  }
  const endMs = claim.timeMs + expiresSeconds * 1000
  if (nowMs <= endMs && expiresSeconds > 0) return { ok: true }
  return refuse('AccessDenied', 'Request has expired', {
    'X-Amz-Expires': String(expiresSeconds),
    Expires: formatIsoSeconds(endMs),
    ServerTime: formatIsoSeconds(nowMs),
  })
}
