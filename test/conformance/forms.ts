/** Browsers' forms, signed and encoded as a browser would send them. */
import { toHex } from '../../core/signing/encoding.ts'
import { formatAmzDate } from '../../core/signing/time.ts'
import { deriveSigningKey } from '../../core/signing/verify.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import type { RawRequest } from './signed-request.ts'

export interface FormSigner {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

export type Fields = Readonly<Record<string, string>>

/** The fields, and those that sign a policy of these conditions besides the fields' own. */
export function signForm(
  { region, credentials }: FormSigner,
  bucket: string,
  fields: Fields,
  conditions: readonly unknown[] = Object.entries(fields).map(([name, value]) => ['eq', `$${name}`, value]),
  lifeMs = 60_000,
): Fields {
  const now = Date.now()
  const date = formatAmzDate(now)
  const scope = { date: date.slice(0, 8), region, service: 's3' }
  const about = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${credentials.accessKeyId}/${scope.date}/${region}/s3/aws4_request`,
    'x-amz-date': date,
  }
  const document = {
    expiration: new Date(now + lifeMs).toISOString(),
    conditions: [
      { bucket },
      ...Object.entries(about).map(([name, value]) => ({ [name]: value })),
      ...conditions,
    ],
  }
  const policy = Buffer.from(JSON.stringify(document)).toString('base64')
  const key = deriveSigningKey(nodeDigests, credentials.secretAccessKey, scope)
  return { ...fields, ...about, policy, 'x-amz-signature': toHex(nodeDigests.hmacSha256(key, policy)) }
}

export interface FormOptions {
  /** Parts behind the file. */
  readonly after?: Fields
  /** Null for none. */
  readonly fileName?: string | null
  /** Path style unless it says otherwise. */
  readonly target?: string
  readonly headers?: Fields
}

/** The request that sends a form. */
export function formRequest(
  bucket: string,
  fields: Fields,
  file: string | Uint8Array,
  { after = {}, fileName = 'file.bin', target = `/${bucket}`, headers = {} }: FormOptions = {},
): RawRequest {
  const boundary = '----form-boundary'
  const field = ([name, value]: readonly [string, string]): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const named = fileName === null ? '' : `; filename="${fileName}"`
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"${named}\r\nContent-Type: text/x-ignored\r\n\r\n`
  const body = Buffer.concat([
    Buffer.from(Object.entries(fields).map(field).join('') + head),
    Buffer.from(file),
    Buffer.from(`\r\n${Object.entries(after).map(field).join('')}--${boundary}--\r\n`),
  ])
  return {
    method: 'POST',
    target,
    signed: false,
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      ...headers,
    },
    body,
  }
}
