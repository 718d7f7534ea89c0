/**
 * A form's fields as the head of the PutObject they ask for: from there on the two are one.
 * Source: S3 API Reference, "Creating an HTML Form (Using AWS Signature Version 4)", table of the fields.
 */
import { PutObjectTagging$ } from '@aws-sdk/client-s3'
import { OBJECT_KEY_BYTES_MAX, XML_DEPTH_MAX, XML_NODES_MAX, POST_FORM_BYTES_MAX } from '../../core/limits.ts'
import { missingField } from '../../core/signing/form-claim.ts'
import type { HeaderFields } from '../../core/signing/request.ts'
import { refusalError } from '../authenticate/refusal.ts'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { isHeaderName } from '../rules/cors.ts'
import { checkTagSet } from '../rules/tags.ts'
import { isHeaderSafe, metadataHeader } from '../schema/header-text.ts'
import { readOperation } from '../schema/model.ts'
import { compileRequestParser } from '../schema/request-parser.ts'

/** Fields that mean what the header of their name means. */
const sameAsHeader = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-md5',
  'content-type',
  'expires',
])

/** Fields that are kept with the object, as text: beyond Latin-1 it can be kept, but not returned. */
function isKeptText(name: string): boolean {
  return sameAsHeader.has(name) || name === 'x-amz-website-redirect-location'
}

/** `x-amz-*` fields about the form itself. */
const aboutForm = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-trailer',
])

const taggingParser = compileRequestParser(readOperation(PutObjectTagging$), {
  bytesMax: POST_FORM_BYTES_MAX,
  depthMax: XML_DEPTH_MAX,
  nodesMax: XML_NODES_MAX,
})

/**
 * The headers of the PutObject. A field may hold what no header can, and an object that kept it could never be answered:
 * it is refused (not documented; chosen as for `response-*` parameters). Values of metadata are sent encoded.
 * @throws {S3Error} InvalidArgument; MalformedXML, InvalidTag, BadRequest for the tags
 */
export function putHeaders(fields: ReadonlyMap<string, string>): HeaderFields {
  const headers: Record<string, readonly string[]> = {}
  for (const [name, value] of fields) {
    if (isKeptText(name)) headers[name] = [text(value) ?? value]
    else if (name === 'acl') headers['x-amz-acl'] = [value]
    else if (name === 'tagging') headers['x-amz-tagging'] = [taggingHeader(value)]
    else if (name.startsWith('x-amz-meta-')) headers[name] = [metadataHeader(text(value) ?? value)]
    else if (name.startsWith('x-amz-') && !aboutForm.has(name)) headers[name] = [value]
    else continue
    if (!isHeaderName(name) || !(name.startsWith('x-amz-meta-') || isHeaderSafe(value))) {
      throw invalidArgument(text(name) ?? name, text(value) ?? value, 'Header value cannot be represented')
    }
  }
  return headers
}

/** The key of the object. @throws {S3Error} InvalidArgument without one, KeyTooLongError, InvalidURI */
export function formKey(fields: ReadonlyMap<string, string>): string {
  const bytes = fields.get('key') ?? ''
  if (bytes === '') throw refusalError(missingField('key'))
  if (bytes.length > OBJECT_KEY_BYTES_MAX) {
    throw new S3Error('KeyTooLongError', {
      fields: { Size: String(bytes.length), MaxSizeAllowed: String(OBJECT_KEY_BYTES_MAX) },
    })
  }
  const key = text(bytes)
  // Not documented; chosen as for a path that is not UTF-8.
  if (key === undefined) throw new S3Error('InvalidURI')
  return key
}

/** The fields as text, for the policy; bytes that are not UTF-8 stay one character each. */
export function textFields(fields: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(Array.from(fields, ([name, value]) => [text(name) ?? name, text(value) ?? value]))
}

/** In a form the tags are a document; in the header they are a query. */
function taggingHeader(document: string): string {
  const input: Record<string, unknown> = {}
  taggingParser.parseDocument(input, Buffer.from(document, 'latin1'))
  const tags = checkTagSet(tagSet(input['Tagging']), 'object')
  const pairs = tags.map(({ key, value }) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
  return pairs.join('&')
}

interface Tag {
  readonly Key: string
  readonly Value: string
}

/** The schema made the document; its type is told apart here, since the parser's fields have none. */
function tagSet(tagging: unknown): readonly Tag[] {
  if (typeof tagging !== 'object' || tagging === null || !('TagSet' in tagging)) {
    throw new S3Error('MalformedXML')
  }
  const { TagSet } = tagging
  if (!Array.isArray(TagSet)) throw new S3Error('MalformedXML')
  return TagSet.filter(isTag)
}

function isTag(tag: unknown): tag is Tag {
  return (
    typeof tag === 'object' &&
    tag !== null &&
    'Key' in tag &&
    'Value' in tag &&
    typeof tag.Key === 'string' &&
    typeof tag.Value === 'string'
  )
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(bytes: string): string | undefined {
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}
