/** For tests: signs requests as clients do, tampers with them, and says what became of them. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { canonicalRequest, parseQuery } from '../../core/signing/canonical.ts'
import type { SignableRequest } from '../../core/signing/request.ts'
import { stringToSign } from '../../core/signing/verify.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { createAuthenticator, type Authentication } from './authenticate.ts'

export const start = Date.UTC(2026, 0, 2, 3, 4, 5)
export const stamp = '20260102T030405Z'
export const key = 'AKIDEXAMPLE'
export const secret = 'sëcret'
export const scope = { date: '20260102', region: 'us-east-1', service: 's3' }
const known = new Map([
  [key, { secret, principal: 'root' }],
  ['ASIATEMPORARY', { secret, principal: 'guest', sessionToken: 'the/token+of=the&key' }],
])

export function authenticateAt(nowMs: number, request: SignableRequest): Promise<Authentication<string>> {
  return createAuthenticator({
    credentials: { find: (accessKey) => Promise.resolve(known.get(accessKey)) },
    endpoint: { region: 'us-east-1', services: ['s3'] },
    digests: nodeDigests,
    nowMs: () => nowMs,
  })(request)
}

/** HMAC by HMAC, as the documentation spells it out. */
function sign(toSign: string): string {
  const step = (k: string | Buffer, data: string): Buffer => createHmac('sha256', k).update(data).digest()
  const signingKey = step(step(step(step(`AWS4${secret}`, '20260102'), 'us-east-1'), 's3'), 'aws4_request')
  return step(signingKey, toSign).toString('hex')
}

export const plainHeaders: Record<string, string> = {
  host: 'localhost:9000',
  'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  'x-amz-date': stamp,
}

/** A request as a client would sign it, before anyone tampers with it; undefined leaves a header out. */
export function signed(headers: Record<string, string | undefined> = {}, accessKey = key): SignableRequest {
  const all: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...plainHeaders, ...headers })) {
    if (value !== undefined) all[name] = value
  }
  const names = Object.keys(all).toSorted()
  const bare: SignableRequest = { method: 'GET', rawPath: '/b/k', rawQuery: 'a=1', headers: fields(all) }
  const canonical = canonicalRequest(bare, parseQuery('a=1'), names, all['x-amz-content-sha256'] ?? '')
  const signature = sign(stringToSign(nodeDigests, stamp, scope, canonical))
  const credential = `${accessKey}/20260102/us-east-1/s3/aws4_request`
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...bare, headers: fields({ ...all, authorization }) }
}

export function presigned(
  expires: string,
  headers: Record<string, string> = {},
  token?: string,
  accessKey = key,
): SignableRequest {
  const credential = encodeURIComponent(`${accessKey}/20260102/us-east-1/s3/aws4_request`)
  const security = token === undefined ? '' : `&X-Amz-Security-Token=${encodeURIComponent(token)}`
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${stamp}&X-Amz-Expires=${expires}${security}&X-Amz-SignedHeaders=host`
  const bare: SignableRequest = {
    method: 'GET',
    rawPath: '/b/k',
    rawQuery: query,
    headers: fields({ host: 'h' }),
  }
  const canonical = canonicalRequest(bare, parseQuery(query), ['host'], 'UNSIGNED-PAYLOAD')
  const signature = sign(stringToSign(nodeDigests, stamp, scope, canonical))
  return {
    ...bare,
    rawQuery: `${query}&X-Amz-Signature=${signature}`,
    headers: fields({ host: 'h', ...headers }),
  }
}

export function fields(headers: Record<string, string>): SignableRequest['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}

export type Edit = (request: SignableRequest) => SignableRequest

export const setHeader =
  (name: string, value: string | undefined): Edit =>
  (request) => ({
    ...request,
    headers: { ...request.headers, [name]: value === undefined ? undefined : [value] },
  })
export const inAuthorization =
  (from: string | RegExp, to: string): Edit =>
  (request) =>
    setHeader('authorization', (request.headers['authorization']?.[0] ?? '').replace(from, to))(request)
export const inQuery =
  (from: string | RegExp, to: string): Edit =>
  (request) => ({
    ...request,
    rawQuery: request.rawQuery.replace(from, to),
  })

export async function refusal(nowMs: number, request: SignableRequest): Promise<S3Error> {
  try {
    await authenticateAt(nowMs, request)
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    assert.ok(!JSON.stringify([error.message, error.fields]).includes(secret), 'the secret leaked')
    return error
  }
  return assert.fail('the request was accepted')
}
