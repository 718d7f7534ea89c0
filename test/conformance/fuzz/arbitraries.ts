/** Requests of any operation, as its schema has it, with values that are right, nearly right, and nothing of the kind. */
import fc from 'fast-check'
import { toBase64 } from '../../../core/checksum/base64.ts'
import { s3Operations } from '../../../gateway/schema/operations.ts'
import type { Member, OperationShape, Shape, Target } from '../../../gateway/schema/model.ts'
import { escapeXml } from '../../../gateway/schema/xml-writer.ts'
import { checksumOf } from '../../../runtime/crypto/checksum.ts'
import type { FuzzRequest } from './client.ts'

/** What exists, for requests to name; filled while the test runs, so that later requests find something. */
export interface Known {
  readonly buckets: readonly string[]
  readonly keys: readonly string[]
  /** ETags, version ids, upload ids, tokens: whatever answers have given out. */
  readonly values: string[]
}

const tricky = [
  '', ' ', '0', '1', '-1', '2', '1000', '1001', '10001', '2147483648', '9007199254740993', '1e3', 'NaN',
  'null', 'true', 'false', 'TRUE', '*', '"', '""', "'", '%', '%zz', '%00', '..', '/', '//', '\\', '+', '?', '&', '=', ';', ',',
  '\t', '\u00a0', '\u00e9', '\u{1f600}', '\u2028', '\ufeff', '\ud800', '<a>', '&lt;', ']]>', '=?UTF-8?B?w6k=?=',
  'bytes=0-0', 'bytes=5-', 'bytes=-1', 'bytes=9-1', 'bytes=0-0,2-2', 'bytes=a-b', '/fuzz-plain/one', 'fuzz-versioned/one?versionId=null',
  'Fri, 20 Nov 2026 00:00:00 GMT', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00.000Z', '0001-01-01T00:00:00Z', '99999-01-01T00:00:00Z',
  'a=b', 'a=b&a=c', 'a=b&c', 'id="abc"', 'uri="http://acs.amazonaws.com/groups/global/AllUsers"', 'emailAddress="a@b.c"',
  '1B2M2Y8AsgTpgAmY7PhCfg==', 'AAAAAA==', 'AAAAAAAAAAA=', 'd41d8cd98f00b204e9800998ecf8427e',
  'STANDARD', 'GLACIER', 'REDUCED_REDUNDANCY', 'COPY', 'REPLACE', 'EXCLUDE', 'ENABLED', 'Enabled', 'Suspended', 'url', 'CRC32', 'CRC32C',
  'CRC64NVME', 'SHA1', 'SHA256', 'XXHASH128', 'COMPOSITE', 'FULL_OBJECT', 'private', 'public-read', 'bucket-owner-full-control', 'BucketOwnerEnforced',
  'ObjectWriter', 'ETag', 'ObjectParts', 'requester', 'aws-chunked', 'gzip', '100-continue', 'chunked', 'READ', 'FULL_CONTROL', 'GET', 'http://*.example.com',
] // prettier-ignore

function texts(known: Known): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...tricky) },
    { weight: 3, arbitrary: fc.nat().map((n) => known.values[n % Math.max(known.values.length, 1)] ?? '') },
    { weight: 2, arbitrary: fc.string({ maxLength: 30 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
    { weight: 1, arbitrary: fc.nat({ max: 20_000 }).map(String) },
    { weight: 1, arbitrary: fc.constantFrom(100, 257, 1025, 3000).map((length) => 'x'.repeat(length)) },
  )
}

/** Values that S3 takes, by the name of the member. */
const accepted: Readonly<Record<string, readonly string[]>> = {
  Status: ['Enabled', 'Suspended'],
  Permission: ['READ', 'FULL_CONTROL'],
  URI: ['http://acs.amazonaws.com/groups/global/AllUsers'],
  ObjectOwnership: ['BucketOwnerEnforced', 'ObjectWriter', 'BucketOwnerPreferred'],
  AllowedMethods: ['GET', 'PUT'],
  AllowedOrigins: ['*', 'http://*.example.com'],
  AllowedHeaders: ['*', 'x-amz-*'],
  Key: ['one', 'two', 'k1', 'k2'],
  Value: ['v'],
  ETag: ['"9a0364b9e99bb480dd25e1f0284c8555"', '*'],
  LocationConstraint: ['EU'],
  ExpectedBucketOwner: [],
}

/** Mostly of the member's kind. */
function valuesOf(name: string, { kind }: Shape, text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const known = accepted[name] ?? []
  const right: Partial<Record<Shape['kind'], fc.Arbitrary<string>>> = {
    ...(known.length > 0 ? { string: fc.constantFrom(...known) } : {}),
    integer: fc.nat({ max: 1000 }).map(String),
    boolean: fc.constantFrom('true', 'false'),
    timestamp: fc
      .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
      .map((date) => date.toUTCString()),
  }
  const arbitrary = right[kind]
  return arbitrary === undefined ? text : fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: text })
}

/** As bytes in the characters that HTTP has for them; without those that end a header. */
const headerText = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[\0-\x08\x0a-\x1f\x7f]/g, '')

const encode = (text: string): string => encodeURIComponent(text.toWellFormed())

/** Operations that every client uses come more often than the many settings of buckets. */
const usual =
  /^(Put|Get|Head|Copy|Delete|List)Objects?(V2|Versions|Tagging|Acl|Attributes|Annotations?)?$|Upload|Part|Bucket(Versioning|Tagging|Cors|Acl|OwnershipControls|Location)?$/

function operationsOf(filter: (operation: OperationShape) => boolean): fc.Arbitrary<OperationShape> {
  const all = [...s3Operations.values()].filter(filter)
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...all.filter(({ name }) => usual.test(name))) },
    { weight: 1, arbitrary: fc.constantFrom(...all) },
  )
}

export function requests(known: Known): fc.Arbitrary<FuzzRequest> {
  return operationsOf(({ name }) => name !== 'WriteGetObjectResponse').chain((operation) =>
    requestsOf(operation, known),
  )
}

/** Requests of the operations that take a document, with nothing strange but the document. */
export function documentRequests(known: Known): fc.Arbitrary<FuzzRequest> {
  return operationsOf(({ input }) => documentOf(input.members) !== undefined).chain((operation) =>
    documentRequest(operation, known),
  )
}

const documentOf = (members: readonly Member[]): Member | undefined =>
  members.find(({ traits, shape }) => traits.httpPayload !== undefined && shape.kind === 'structure')

function documentRequest(operation: OperationShape, known: Known): fc.Arbitrary<FuzzRequest> {
  const { members } = operation.input
  const payload = documentOf(members)
  const [path = '/', literal = ''] = operation.uri.split('?')
  const required = members.filter((member) => member.required && member.traits.httpQuery !== undefined)
  return fc
    .record({
      bucket: fc.constantFrom(...known.buckets),
      key: fc.constantFrom(...known.keys),
      values: fc.tuple(...required.map(() => texts(known))),
      body: payload === undefined ? unasked : documents(payload, texts(known)),
    })
    .map(({ bucket, key, values, body }) => {
      const given = required.map(({ traits }, i) => `${traits.httpQuery ?? ''}=${encode(values[i] ?? '')}`)
      const query = [literal, ...given].filter((part) => part !== '').join('&')
      return {
        method: operation.method,
        target: `/${bucket}${path.includes('{Key+}') ? `/${key}` : ''}?${query}`,
        // Operations that require a digest of their document have one to check.
        headers: { 'x-amz-checksum-crc32': toBase64(checksumOf('CRC32', body)) },
        body,
        signature: 'right' as const,
      }
    })
}

function requestsOf(operation: OperationShape, known: Known): fc.Arbitrary<FuzzRequest> {
  const text = texts(known)
  const [path = '/', literal = ''] = operation.uri.split('?')
  const members = operation.input.members
  const chosen = fc.tuple(
    ...members.map((member) =>
      fc.record({
        member: fc.constant(member),
        taken: fc.nat({ max: 99 }).map((dice) => dice < (member.required ? 95 : 6)),
        value: valuesOf(member.name, member.shape, text),
      }),
    ),
  )
  const payload = members.find(({ traits }) => traits.httpPayload !== undefined)
  return fc
    .record({
      chosen,
      bucket: fc.oneof(
        { weight: 40, arbitrary: fc.constantFrom(...known.buckets) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('fuzz-missing', 'a', 'UPPER', '..', 'a..b', '%00', 'x'.repeat(64)),
        },
        { weight: 1, arbitrary: text.map(encode) },
      ),
      key: fc.oneof(
        { weight: 20, arbitrary: fc.constantFrom(...known.keys) },
        { weight: 1, arbitrary: text.map(encode) },
      ),
      method: fc.oneof(
        { weight: 30, arbitrary: fc.constant(operation.method) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'),
        },
      ),
      signature: fc.oneof(
        { weight: 30, arbitrary: fc.constant('right' as const) },
        { weight: 1, arbitrary: fc.constantFrom('wrong' as const, 'none' as const) },
      ),
      more: fc.oneof(
        { weight: 3, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...moreHeaders), text, { maxKeys: 2 }) },
      ),
      body: payload === undefined ? unasked : bodies(payload, text),
    })
    .map(({ chosen: picks, bucket, key, method, signature, more, body }) => {
      const query = literal === '' ? [] : [literal]
      const headers: Record<string, string> = {}
      for (const { member, taken, value } of picks) {
        const { httpQuery, httpHeader, httpPrefixHeaders } = member.traits
        if (!taken) continue
        if (httpQuery !== undefined) query.push(`${encode(httpQuery)}=${encode(value)}`)
        const name = httpHeader ?? (httpPrefixHeaders === undefined ? undefined : `${httpPrefixHeaders}one`)
        // The client counts the body itself, and waits for no 100.
        if (name === undefined || /^(content-length|expect)$/i.test(name)) continue
        headers[name.toLowerCase()] = headerText(value)
      }
      for (const [name, value] of Object.entries(more)) headers[name] = headerText(value)
      const place = path.includes('{Key+}')
        ? `/${bucket}/${key}`
        : operation.input.members.some(({ name }) => name === 'Bucket')
          ? `/${bucket}`
          : '/'
      const target = query.length === 0 ? place : `${place}?${query.join('&')}`
      return { method, target, headers, body, signature }
    })
}

/** Of no operation in particular. */
const moreHeaders = [
  'x-amz-meta-two', 'range', 'if-match', 'if-none-match', 'if-modified-since', 'if-range', 'origin', 'access-control-request-method', 'content-type',
  'content-encoding', 'content-md5', 'x-amz-content-sha256', 'x-amz-decoded-content-length', 'x-amz-trailer', 'x-amz-checksum-crc32', 'x-amz-sdk-checksum-algorithm',
  'x-amz-date', 'x-amz-security-token', 'x-amz-tagging', 'x-amz-acl', 'x-amz-copy-source', 'x-amz-storage-class', 'x-amz-expected-bucket-owner', 'cookie', 'date',
] // prettier-ignore

const unasked = fc.oneof(
  { weight: 9, arbitrary: fc.constant(new Uint8Array()) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
)

function bodies(payload: Member, text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const bytes = fc.uint8Array({ maxLength: 300 })
  if (payload.shape.kind !== 'structure') return bytes
  return fc.oneof({ weight: 9, arbitrary: documents(payload, text) }, { weight: 1, arbitrary: bytes })
}

/** A document of the member's shape, mostly; with mutations of its text. */
function documents(payload: Member, text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const name = payload.traits.xmlName ?? payload.name
  const whole = elements(name, payload.name, payload, text, 0).map((xml) => Buffer.from(xml.toWellFormed()))
  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    drop: fc.nat({ max: 12 }),
    put: fc.oneof(
      fc.constantFrom(...xmlPieces).map((piece) => Buffer.from(piece)),
      fc.uint8Array({ maxLength: 4 }),
    ),
  })
  return fc
    .tuple(whole, fc.oneof(fc.constant([]), fc.array(mutation, { maxLength: 3 })))
    .map(([xml, mutations]) => {
      let bytes: Uint8Array = xml
      for (const { at, drop, put } of mutations) {
        const start = Math.floor(at * bytes.length)
        bytes = Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + drop)])
      }
      return bytes
    })
}

const xmlPieces = [
  '', '<', '>', '/', '&', '&amp;', '&#0;', '&#x41;', '&unknown;', '<!DOCTYPE x [<!ENTITY a "b">]>', '<!ENTITY a SYSTEM "file:///etc/passwd">', '<![CDATA[<]]>', ']]>',
  '<!-- c -->', '<?pi?>', '<?xml version="1.0" encoding="UTF-16"?>', '\ufeff', '\0', '\u00e9', '<x>', '</x>', '<Tag/>', ' xmlns="other"', ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
  '<a>'.repeat(40), '<Key>k</Key>'.repeat(50), 'x'.repeat(5000), '\xff',
] // prettier-ignore

const DEPTH_MAX = 6

/** `memberName` is the SDK's, `name` the one on the wire. */
function elements(
  name: string,
  memberName: string,
  target: Target,
  text: fc.Arbitrary<string>,
  depth: number,
): fc.Arbitrary<string> {
  return content(memberName, target.shape, text, depth).map((inner) => `<${name}>${inner}</${name}>`)
}

function content(
  name: string,
  shape: Shape,
  text: fc.Arbitrary<string>,
  depth: number,
): fc.Arbitrary<string> {
  if ((shape.kind !== 'structure' && shape.kind !== 'union') || depth > DEPTH_MAX) {
    return valuesOf(name, shape, text).map(escapeXml)
  }
  const parts = shape.members.map((member) => {
    const one = memberElements(member, text, depth)
    return fc.nat({ max: 9 }).chain((dice) => (dice < (member.required ? 9 : 4) ? one : fc.constant('')))
  })
  return fc.tuple(...parts).map((found) => found.join(''))
}

function memberElements(member: Member, text: fc.Arbitrary<string>, depth: number): fc.Arbitrary<string> {
  const name = member.traits.xmlName ?? member.name
  const { shape } = member
  if (shape.kind !== 'list') return elements(name, member.name, member, text, depth + 1)
  const flattened = member.traits.xmlFlattened !== undefined
  const itemName = flattened ? name : (shape.item.traits.xmlName ?? 'member')
  const items = fc
    .array(elements(itemName, member.name, shape.item, text, depth + 1), { maxLength: 3 })
    .map((list) => list.join(''))
  return flattened ? items : items.map((inner) => `<${name}>${inner}</${name}>`)
}
