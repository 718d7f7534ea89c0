/** HTTP requests as text, signed: for what no SDK would send. */
import { type Agent, request } from 'node:http'
import { canonicalRequest, parseQuery } from '../../core/signing/canonical.ts'
import { scopeText } from '../../core/signing/credential.ts'
import { toHex } from '../../core/signing/encoding.ts'
import { formatAmzDate } from '../../core/signing/time.ts'
import { deriveSigningKey, stringToSign } from '../../core/signing/verify.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'

export interface RawRequest {
  readonly method?: string
  /** Path and query, sent as it is. */
  readonly target: string
  /** Beside those that signing adds. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** False: anonymous. */
  readonly signed?: boolean
}

export interface RawResponse {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** The `<Code>` of an error document. */
  readonly code: string | undefined
}

export interface Signer {
  /** `host:port`. */
  readonly address: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Sends a request with `Connection: close`, and reads all of the answer. */
export async function sendRaw(signer: Signer, raw: RawRequest): Promise<RawResponse> {
  const { method = 'GET', target, signed = true } = raw
  const body = Buffer.from(raw.body ?? '')
  const plain = {
    host: signer.address,
    'x-amz-date': formatAmzDate(Date.now()),
    'x-amz-content-sha256': toHex(nodeDigests.sha256(body)),
    ...raw.headers,
  }
  const headers = signed ? sign(signer, method, target, plain) : plain
  return await exchange(signer.address, { method, target, headers, body, agent: false })
}

/** A request that is complete but for its length. */
export interface WholeRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** False: a connection of its own. */
  readonly agent: Agent | false
}

/** Sends the request and reads all of the answer. Rejects when the connection ends without one. */
export async function exchange(
  address: string,
  { method, target, headers, body, agent }: WholeRequest,
): Promise<RawResponse> {
  const [hostname, port] = address.split(':')
  const length =
    body.length > 0 || method === 'PUT' || method === 'POST' ? { 'content-length': body.length } : {}
  return await new Promise((resolve, reject) => {
    const sent = request(
      { method, hostname, port, path: target, headers: { ...headers, ...length }, agent },
      (message) => {
        const chunks: Buffer[] = []
        message.on('data', (chunk: Buffer) => chunks.push(chunk))
        message.on('error', reject)
        message.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({
            status: message.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(message.headersDistinct).map(([name, values]) => [name, values?.join(', ')]),
            ),
            body: text,
            code: /<Code>([^<]*)<\/Code>/.exec(text)?.[1],
          })
        })
      },
    )
    sent.on('error', reject)
    // Not `end(body)`: knowing the length before the head is written, Node would recode a Content-Disposition.
    if (body.length > 0) sent.write(body)
    sent.end()
  })
}

/** The headers of a signed request: those given, which must name host, date and content hash, and the signature. */
export function sign(
  { region, credentials }: Signer,
  method: string,
  target: string,
  plain: Readonly<Record<string, string>>,
): Record<string, string> {
  const lower = Object.fromEntries(Object.entries(plain).map(([name, value]) => [name.toLowerCase(), value]))
  const [rawPath = '', rawQuery = ''] = target.split('?')
  const fields = Object.fromEntries(Object.entries(lower).map(([name, value]) => [name, [value]]))
  const date = lower['x-amz-date'] ?? ''
  const scope = { date: date.slice(0, 8), region, service: 's3' }
  const signedHeaders = Object.keys(lower).toSorted()
  const canonical = canonicalRequest(
    { method, rawPath, rawQuery, headers: fields },
    parseQuery(rawQuery),
    signedHeaders,
    lower['x-amz-content-sha256'] ?? '',
  )
  const key = deriveSigningKey(nodeDigests, credentials.secretAccessKey, scope)
  const signature = toHex(nodeDigests.hmacSha256(key, stringToSign(nodeDigests, date, scope, canonical)))
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return { ...lower, authorization }
}
