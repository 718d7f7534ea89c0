import { request } from 'node:http'
import { canonicalRequest } from '../../core/signing/canonical.ts'
import { scopeText } from '../../core/signing/credential.ts'
import { toHex } from '../../core/signing/encoding.ts'
import { formatAmzDate } from '../../core/signing/time.ts'
import { deriveSigningKey, stringToSign } from '../../core/signing/verify.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Credentials } from '../folder/credentials.ts'

/** What a probe signs with. */
export interface ProbeSigning {
  readonly credentials: Credentials
  readonly region: string
  readonly clock: Clock
}

const PAYLOAD = 'UNSIGNED-PAYLOAD'
const SIGNED_HEADERS = ['host', 'x-amz-content-sha256', 'x-amz-date']

/** The headers of a signed ListBuckets (`GET /`) to a gateway at `host` (its Host header). */
export function probeHeaders(
  host: string,
  { credentials, region, clock }: ProbeSigning,
): Record<string, string> {
  const timestamp = formatAmzDate(clock.nowMs())
  const scope = { date: timestamp.slice(0, 8), region, service: 's3' }
  const headers = { host, 'x-amz-content-sha256': PAYLOAD, 'x-amz-date': timestamp }
  const signable = {
    method: 'GET',
    rawPath: '/',
    rawQuery: '',
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
  }
  const canonical = canonicalRequest(signable, [], SIGNED_HEADERS, PAYLOAD)
  const key = deriveSigningKey(nodeDigests, credentials.secretAccessKey, scope)
  const signature = toHex(nodeDigests.hmacSha256(key, stringToSign(nodeDigests, timestamp, scope, canonical)))
  const credential = `${credentials.accessKeyId}/${scopeText(scope)}`
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${SIGNED_HEADERS.join(';')}, Signature=${signature}`,
  }
}

/**
 * Asks a gateway for its buckets, as a client would: the answer takes the whole way through authentication to metadata.
 * @param endpoint `http://host:port`
 * @returns the HTTP status; undefined when nothing answered
 */
export async function probe(
  endpoint: string,
  signing: ProbeSigning,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const headers = probeHeaders(new URL(endpoint).host, signing)
  const sent = request(endpoint, { headers, agent: false, signal }, (response) => {
    response.resume()
    response.once('end', () => {
      resolve(response.statusCode)
    })
    response.once('error', () => {
      resolve(undefined)
    })
  })
  sent.once('error', () => {
    resolve(undefined)
  })
  sent.end()
  return await promise
}
