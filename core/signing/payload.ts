/**
 * What `x-amz-content-sha256` says about the body.
 * Source: S3, "Authenticating Requests: Using the Authorization Header", table of its values.
 */
import { refuseArgument, refuse, type SigningFailure } from './failure.ts'

/** How the body is framed and what guards it. */
export type PayloadMode =
  /** Plain bytes, not covered by the signature. */
  | { readonly kind: 'unsigned' }
  /** Plain bytes whose SHA-256 is this, in lower-case hex. */
  | { readonly kind: 'sha256'; readonly hex: string }
  /** aws-chunked, a signature a chunk; with `trailer`, signed trailers follow. */
  | { readonly kind: 'signed-chunks'; readonly trailer: boolean }
  /** aws-chunked without signatures, trailers may follow. */
  | { readonly kind: 'unsigned-chunks' }

const named: Readonly<Record<string, PayloadMode>> = {
  'UNSIGNED-PAYLOAD': { kind: 'unsigned' },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { kind: 'unsigned-chunks' },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { kind: 'signed-chunks', trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { kind: 'signed-chunks', trailer: true },
}

const asymmetric = new Set([
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER',
])

const allowed = [...Object.keys(named), ...asymmetric].join(', ')

/** Reads the header's value; S3 names every permitted one when it refuses another. */
export function parsePayloadMode(value: string): PayloadMode | SigningFailure {
  const mode = Object.hasOwn(named, value) ? named[value] : undefined
  if (mode !== undefined) return mode
  if (/^[0-9a-f]{64}$/i.test(value)) return { kind: 'sha256', hex: value.toLowerCase() }
  if (asymmetric.has(value)) {
    return refuse('NotImplemented', undefined, { Header: 'x-amz-content-sha256' })
  }
  const message = `x-amz-content-sha256 must be ${allowed} or a valid sha256 value.`
  return refuseArgument(message, 'x-amz-content-sha256', value)
}
