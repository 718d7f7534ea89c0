/**
 * What a browser gets after its form was stored.
 * Source: S3 API Reference, "Creating an HTML Form": success_action_redirect, success_action_status; the form of Location
 * as the service writes it, the whole key percent-encoded.
 */
import type { OutgoingResponse } from '../http/exchange.ts'
import { escapeXml, XML_DECLARATION } from '../schema/xml-writer.ts'

export interface StoredForm {
  readonly bucket: string
  readonly key: string
  /** With its quotes. */
  readonly etag: string
  /** URL of the bucket, ending in a slash. */
  readonly bucketUrl: string
}

/** The fields that choose the answer; text. */
export interface SuccessActions {
  readonly redirect: string | undefined
  readonly status: string | undefined
}

/** @param stored the answer of the PutObject that the form became, whose headers stay */
export function formAnswer(
  stored: OutgoingResponse,
  { bucket, key, etag, bucketUrl }: StoredForm,
  { redirect, status }: SuccessActions,
): OutgoingResponse {
  const target = redirectTarget(redirect, { bucket, key, etag })
  const headers = new Map(stored.headers)
  if (target !== undefined) {
    headers.set('location', target)
    return { status: 303, headers, body: undefined }
  }
  const location = `${bucketUrl}${encodeURIComponent(key.toWellFormed())}`
  headers.set('location', location)
  if (status !== '201') return { status: status === '200' ? 200 : 204, headers, body: undefined }
  headers.set('content-type', 'application/xml')
  const elements = { Location: location, Bucket: bucket, Key: key, ETag: etag }
  const content = Object.entries(elements).map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`)
  const document = `${XML_DECLARATION}<PostResponse>${content.join('')}</PostResponse>`
  return { status: 201, headers, body: Buffer.from(document) }
}

/** What S3 cannot interpret as a URL it takes for absent. */
function redirectTarget(
  redirect: string | undefined,
  { bucket, key, etag }: Pick<StoredForm, 'bucket' | 'key' | 'etag'>,
): string | undefined {
  if (redirect === undefined || !/^https?:\/\//i.test(redirect) || !URL.canParse(redirect)) return undefined
  const url = new URL(redirect)
  const pairs = Object.entries({ bucket, key, etag }).map(
    ([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`,
  )
  url.search = [...(url.search === '' ? [] : [url.search.slice(1)]), ...pairs].join('&')
  return url.href
}
