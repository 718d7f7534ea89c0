import { canonicalRequest, parseQuery } from '../../../core/signing/canonical.ts'
import { scopeText } from '../../../core/signing/credential.ts'
import { toHex } from '../../../core/signing/encoding.ts'
import { formatAmzDate } from '../../../core/signing/time.ts'
import { deriveSigningKey, stringToSign } from '../../../core/signing/verify.ts'
import { nodeDigests } from '../../../runtime/crypto/digests.ts'

export interface Signer {
  readonly host: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const PAYLOAD = 'UNSIGNED-PAYLOAD'
const SIGNED_HEADERS = ['host', 'x-amz-content-sha256', 'x-amz-date']

/** Makes heads of requests with Signature Version 4 over everything but the body. */
export function headSigner({
  host,
  accessKeyId,
  secretAccessKey,
}: Signer): (method: string, path: string, query: string, bytes: number) => string {
  let day = ''
  let signingKey = new Uint8Array(0)
  return (method, rawPath, rawQuery, bytes) => {
    const timestamp = formatAmzDate(Date.now())
    const scope = { date: timestamp.slice(0, 8), region: 'us-east-1', service: 's3' }
    if (scope.date !== day) {
      day = scope.date
      signingKey = new Uint8Array(deriveSigningKey(nodeDigests, secretAccessKey, scope))
    }
    const headers = { host: [host], 'x-amz-content-sha256': [PAYLOAD], 'x-amz-date': [timestamp] }
    const request = { method, rawPath, rawQuery, headers }
    const canonical = canonicalRequest(request, parseQuery(rawQuery), SIGNED_HEADERS, PAYLOAD)
    const toSign = stringToSign(nodeDigests, timestamp, scope, canonical)
    const signature = toHex(nodeDigests.hmacSha256(signingKey, toSign))
    const credential = `${accessKeyId}/${scopeText(scope)}`
    return [
      `${method} ${rawPath}${rawQuery === '' ? '' : `?${rawQuery}`} HTTP/1.1`,
      `host: ${host}`,
      `x-amz-content-sha256: ${PAYLOAD}`,
      `x-amz-date: ${timestamp}`,
      `authorization: AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${SIGNED_HEADERS.join(';')}, Signature=${signature}`,
      `content-length: ${bytes}`,
      '',
      '',
    ].join('\r\n')
  }
}
