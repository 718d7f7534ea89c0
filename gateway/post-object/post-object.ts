/**
 * PostObject: an object uploaded by a browser's form. It has no schema in the SDK; once its fields are read it is a
 * PutObject, and ends in the same handler, so that conditions, checksums and versions hold for both.
 *
 * Order: what the head refuses; the form up to its file; signature; policy; then as any PutObject. The file streams.
 * Source: S3 API Reference, "POST Object" and "Authenticating Requests in Browser-Based Uploads Using POST".
 */
import { POST_FORM_BYTES_MAX, SINGLE_PUT_BYTES_MAX } from '../../core/limits.ts'
import { headerValue, type HeaderFields } from '../../core/signing/request.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { OutgoingResponse } from '../http/exchange.ts'
import type { Sender } from '../http/ports.ts'
import { formAnswer } from './answer.ts'
import { formBoundary } from './form-head.ts'
import { readForm, type Form } from './form.ts'
import { checkPostPolicy, parsePostPolicy, type SizeRange } from './policy.ts'
import { formKey, putHeaders, textFields } from './put-head.ts'

export interface FormRequest {
  readonly headers: HeaderFields
  readonly bucket: string
  readonly body: AsyncIterable<Uint8Array>
  /** Who the head says sent it: a form's credentials stand in its fields, and nowhere else. */
  readonly headSender: Sender
  /** Unix milliseconds. */
  readonly nowMs: number
  /** URL of the bucket, ending in a slash. */
  readonly bucketUrl: string
}

/** The PutObject that a form asks for. */
export interface FormPut {
  readonly sender: Sender
  readonly key: string
  /** As a PutObject would carry them; the length is the largest the file can have. */
  readonly headers: HeaderFields
  readonly file: AsyncIterable<Uint8Array>
}

export interface FormStages {
  authenticate(fields: ReadonlyMap<string, string>): Promise<Sender>
  /** The stages of a PutObject from its parsing on. */
  put(put: FormPut): Promise<OutgoingResponse>
}

/** @throws {S3Error} whatever the form, its policy or the PutObject is refused for */
export async function postObject(request: FormRequest, stages: FormStages): Promise<OutgoingResponse> {
  const { headers, bucket, bucketUrl, headSender } = request
  if (headSender.kind === 'signed') throw new S3Error('CredentialsNotSupported')
  if (headSender.payload.kind !== 'unsigned') {
    throw new S3Error('NotImplemented', { fields: { Header: 'x-amz-content-sha256' } })
  }
  const boundary = formBoundary(headerValue(headers, 'content-type'))
  const form = await readForm(request.body, boundary, bodyBytes(headers))
  const { fields } = form
  const sender = await stages.authenticate(fields)
  const key = formKey(fields)
  const text = textFields(fields)
  const range = sizeRange(request, text)
  const file = within(range, form)
  const length = { 'content-length': [String(form.sizeMax)] }
  const stored = await stages.put({ sender, key, headers: { ...putHeaders(fields), ...length }, file })
  const etag = stored.headers.get('etag') ?? ''
  return formAnswer(
    stored,
    { bucket, key, etag, bucketUrl },
    {
      redirect: text.get('success_action_redirect') ?? text.get('redirect'),
      status: text.get('success_action_status'),
    },
  )
}

function bodyBytes(headers: HeaderFields): number {
  if (headerValue(headers, 'transfer-encoding') !== undefined) {
    throw new S3Error('NotImplemented', { fields: { Header: 'Transfer-Encoding' } })
  }
  const text = headerValue(headers, 'content-length') ?? ''
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('MissingContentLength')
  return Number(text)
}

/** What the policy allows, and S3 does: a form is one PUT. */
function sizeRange({ bucket, nowMs }: FormRequest, text: ReadonlyMap<string, string>): SizeRange {
  const policy = text.get('policy')
  if (policy === undefined) return { min: 0, max: SINGLE_PUT_BYTES_MAX }
  const { min, max } = checkPostPolicy(parsePostPolicy(policy), new Map([...text, ['bucket', bucket]]), nowMs)
  return { min, max: Math.min(max, SINGLE_PUT_BYTES_MAX) }
}

/** The file, refused where its size leaves the range; before its first byte if the form's length alone tells. */
function within({ min, max }: SizeRange, { file, sizeMax, sizeLikely }: Form): AsyncIterable<Uint8Array> {
  const tooLarge = (): S3Error =>
    new S3Error('EntityTooLarge', {
      fields: { ProposedSize: String(Math.max(sizeLikely, max + 1)), MaxSizeAllowed: String(max) },
    })
  const tooSmall = (size: number): S3Error =>
    new S3Error('EntityTooSmall', {
      fields: { ProposedSize: String(size), MinSizeAllowed: String(min) },
    })
  if (sizeMax - POST_FORM_BYTES_MAX > max) throw tooLarge()
  if (sizeMax < min) throw tooSmall(sizeLikely)
  return (async function* (): AsyncGenerator<Uint8Array, void> {
    let size = 0
    for await (const piece of file) {
      size += piece.byteLength
      if (size > max) throw tooLarge()
      yield piece
    }
    if (size < min) throw tooSmall(size)
  })()
}
