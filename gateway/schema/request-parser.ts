/**
 * Compiles an operation's input schema into a parser: labels, query, headers and payload of a request → the SDK's typed
 * input (`PutObjectCommandInput`, …). Everything that depends on the schema alone is decided at start.
 */
import { storedContentEncoding } from '../body/content-encoding.ts'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { httpEnumerationOf } from './enumerations.ts'
import { decodeHeader, decodeMetadata, splitHeaderList } from './header-text.ts'
import type { Member, OperationShape, Shape } from './model.ts'
import { parseBoolean, parseInteger, parseTimestamp } from './values.ts'
import { readXmlDocument, malformedXml, type XmlLimits } from './xml-document.ts'
import { compileXmlReader, isInBody } from './xml-reader.ts'

/** A request without its body, as the parser needs it. */
export interface ParserRequest {
  readonly bucket: string | undefined
  readonly key: string | undefined
  /** Decoded query; of repeated keys the first. */
  readonly query: ReadonlyMap<string, string>
  /** Lower-case name → value, one character a byte, repeated headers joined by `, `. */
  readonly headers: ReadonlyMap<string, string>
}

/** How an operation takes its body. */
export type PayloadKind = 'none' | 'stream' | 'document'

/** The members of an input, by the SDK's names. */
export type InputFields = Record<string, unknown>

export interface RequestParser {
  readonly payload: PayloadKind
  /** Reads all but the body. Throws S3's error for the first bad or missing value. */
  readonly parseHead: (request: ParserRequest) => InputFields
  /** Adds a whole body (`document` only) to the input. An empty one counts as absent. */
  readonly parseDocument: (input: InputFields, bytes: Uint8Array) => void
  /** The member that takes the stream (`stream` only), such as `Body`. */
  readonly streamMember: string | undefined
}

export function compileRequestParser(operation: OperationShape, limits: XmlLimits): RequestParser {
  const steps = operation.input.members.flatMap((member) => compileHeadStep(member) ?? [])
  const payload = operation.input.members.find(({ traits }) => traits.httpPayload)
  const isStream =
    payload !== undefined && (payload.shape.kind === 'stream' || payload.traits.streaming !== undefined)
  const document = isStream ? undefined : compileDocument(operation, payload, limits)
  return {
    payload: isStream ? 'stream' : document ? 'document' : 'none',
    streamMember: isStream ? payload.name : undefined,
    parseHead(request) {
      const input: InputFields = {}
      for (const step of steps) step(request, input)
      return input
    },
    parseDocument: document ?? (() => undefined),
  }
}

type HeadStep = (request: ParserRequest, input: InputFields) => void

function compileHeadStep(member: Member): HeadStep | undefined {
  const { name, traits, shape, required } = member
  if (traits.httpLabel) {
    const label = name === 'Bucket' ? 'bucket' : 'key'
    return (request, input) => {
      input[name] = request[label]
    }
  }
  if (traits.httpPrefixHeaders !== undefined) {
    const prefix = traits.httpPrefixHeaders.toLowerCase()
    return (request, input) => {
      let found: Record<string, string> | undefined
      for (const [header, value] of request.headers) {
        if (!header.startsWith(prefix)) continue
        // No prototype: a client may name its metadata `__proto__`.
        found ??= Object.create(null)
        if (found) found[header.slice(prefix.length)] = decodeMetadata(value)
      }
      if (found) input[name] = found
    }
  }
  if (traits.httpQuery !== undefined) {
    const key = traits.httpQuery
    // What S3 takes in the query are 32-bit integers; its long ones are sizes, and stand in headers.
    // An empty number is none (recorded of the service by LocalStack's `test_list_parts_empty_part_number_marker`).
    const isNumber = shape.kind === 'integer'
    const read = isNumber ? compileInteger(key, INT32_MAX) : compileValue(shape, key, 'date-time')
    return (request, input) => {
      const text = request.query.get(key)
      const isAbsent = text === undefined || (text === '' && isNumber && !required)
      if (!isAbsent) assign(input, name, read(text))
      else if (required) {
        throw invalidArgument(key, '', `This operation requires the query parameter ${key}.`)
      }
    }
  }
  if (traits.httpHeader !== undefined) return compileHeader(member, traits.httpHeader)
  return undefined
}

/** S3's own messages for headers that have to be there. */
const missingMessages: ReadonlyMap<string, string> = new Map([
  [
    'x-amz-object-attributes',
    'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
  ],
])

/** Conditions on dates: RFC 9110 §13.1.3 and §13.1.4 have an invalid date ignored. */
const ignoredWhenInvalid = /^(?:x-amz-copy-source-)?if-(?:un)?modified-since$/

function compileHeader(member: Member, wireName: string): HeadStep {
  const { name, shape, required } = member
  const header = wireName.toLowerCase()
  const read = compileValue(shape, wireName, 'http-date')
  if (header === 'content-encoding') return readContentEncoding
  if (header === 'expires') return readExpires
  if (header === 'range') return readRange
  if (ignoredWhenInvalid.test(header)) {
    return (request, input) => {
      const text = request.headers.get(header)
      const date = text === undefined ? undefined : parseTimestamp(text, 'http-date')
      assign(input, name, date)
    }
  }
  const decode = isKept(header) ? (text: string) => text : decodeHeader
  return (request, input) => {
    const text = request.headers.get(header)
    if (text !== undefined) assign(input, name, read(decode(text)))
    else if (required) {
      throw new S3Error('InvalidRequest', {
        message: missingMessages.get(header) ?? `Missing required header for this request: ${wireName}`,
      })
    }
  }
}

/** Headers that are kept with an object, and returned as the bytes they are. */
function isKept(header: string): boolean {
  return /^(?:cache-control|content-(?:disposition|language|type)|x-amz-website-redirect-location)$/.test(
    header,
  )
}

/** `aws-chunked` says how the body travels, not what the object is: S3 does not keep it. */
const readContentEncoding: HeadStep = (request, input) => {
  const text = request.headers.get('content-encoding')
  if (text === undefined) return
  assign(input, 'ContentEncoding', storedContentEncoding(text))
}

/** S3 keeps any text as Expires; the input has it as `ExpiresString`, beside the SDK's date when it is one. */
const readExpires: HeadStep = (request, input) => {
  const text = request.headers.get('expires')
  if (text === undefined) return
  input['ExpiresString'] = text
  assign(input, 'Expires', parseTimestamp(text, 'http-date'))
}

/** `If-Range` is in no schema, but speaks about Range; it comes as `IfRange`. */
const readRange: HeadStep = (request, input) => {
  const text = request.headers.get('range')
  if (text === undefined) return
  assign(input, 'Range', decodeHeader(text))
  assign(input, 'IfRange', request.headers.get('if-range'))
}

function assign(input: InputFields, name: string, value: unknown): void {
  if (value !== undefined) input[name] = value
}

/** S3's own refusals of numbers that are none. */
const integerRefusals: ReadonlyMap<string, (text: string) => S3Error> = new Map([
  [
    'partNumber',
    (text: string) =>
      invalidArgument('partNumber', text, 'Part number must be an integer between 1 and 10000, inclusive'),
  ],
  [
    'x-amz-mp-object-size',
    (text: string) =>
      new S3Error('InvalidRequest', {
        message: `Value for x-amz-mp-object-size header is invalid: '${text}'`,
      }),
  ],
])

const INT32_MAX = 2 ** 31 - 1

/** @param max largest magnitude that the type on the wire holds */
function compileInteger(wireName: string, max: number): (text: string) => number {
  const refuse =
    integerRefusals.get(wireName) ??
    ((text: string) =>
      invalidArgument(wireName, text, `Provided ${wireName} not an integer or within integer range`))
  return (text) => {
    const value = parseInteger(text)
    if (value === undefined || Math.abs(value) > max) throw refuse(text)
    return value
  }
}

function compileValue(
  shape: Shape,
  wireName: string,
  defaultFormat: 'date-time' | 'http-date',
): (text: string) => unknown {
  switch (shape.kind) {
    case 'string': {
      const enumeration = httpEnumerationOf(wireName.toLowerCase())
      if (!enumeration) return (text) => text
      const { allowed, refuse, anyCase = false } = enumeration
      return (text) => {
        const value = anyCase ? text.toUpperCase() : text
        if (!allowed.has(value)) throw refuse(text)
        return value
      }
    }
    case 'integer':
      return compileInteger(wireName, Number.MAX_SAFE_INTEGER)
    case 'boolean':
      return (text) => {
        const value = parseBoolean(text)
        if (value === undefined) throw invalidArgument(wireName, text, `Invalid value for ${wireName}`)
        return value
      }
    case 'timestamp': {
      const format = shape.format ?? defaultFormat
      return (text) => {
        const value = parseTimestamp(text, format) ?? parseTimestamp(text, otherFormat(format))
        if (value === undefined) throw invalidArgument(wireName, text, `Invalid date in ${wireName}`)
        return value
      }
    }
    case 'list': {
      const read = compileValue(shape.item.shape, wireName, defaultFormat)
      return (text) => splitHeaderList(text).map(read)
    }
    default:
      throw new Error(`a ${shape.kind} cannot stand in ${wireName}`)
  }
}

/** Clients differ in the form they send dates in; S3 takes both. */
const otherFormat = (format: string): 'http-date' | 'date-time' =>
  format === 'http-date' ? 'date-time' : 'http-date'

const utf8 = new TextDecoder('utf-8', { fatal: true })

function compileDocument(
  operation: OperationShape,
  payload: Member | undefined,
  limits: XmlLimits,
): RequestParser['parseDocument'] | undefined {
  if (payload === undefined) return compileWholeBody(operation, limits)
  const { name, shape, required } = payload
  const refuseEmpty = (): void => {
    if (required) throw new S3Error('MissingRequestBodyError')
  }
  if (shape.kind === 'structure' || shape.kind === 'union') {
    const root = payload.traits.xmlName ?? shape.name
    const read = compileXmlReader(payload)
    return (input, bytes) => {
      if (bytes.byteLength === 0) return refuseEmpty()
      const document = readXmlDocument(bytes, limits)
      if (document.name !== root) throw malformedXml()
      input[name] = read(document)
    }
  }
  if (shape.kind === 'string') {
    return (input, bytes) => {
      if (bytes.byteLength === 0) return refuseEmpty()
      try {
        input[name] = utf8.decode(bytes)
      } catch {
        throw new S3Error('InvalidRequest', { message: 'The request body is not valid UTF-8.' })
      }
    }
  }
  throw new Error(`${operation.name}: a ${shape.kind} cannot be a payload`)
}

/** Inputs whose members without a binding are the document themselves, such as SelectObjectContent's. */
function compileWholeBody(
  operation: OperationShape,
  limits: XmlLimits,
): RequestParser['parseDocument'] | undefined {
  const { input: shape } = operation
  const members = shape.members.filter(({ traits }) => isInBody(traits))
  if (members.length === 0) return undefined
  const root = shape.traits.xmlName ?? shape.name
  const read = compileXmlReader({ shape, traits: shape.traits })
  const required = members.some((member) => member.required)
  return (input, bytes) => {
    if (bytes.byteLength === 0) {
      if (required) throw new S3Error('MissingRequestBodyError')
      return
    }
    const document = readXmlDocument(bytes, limits)
    if (document.name !== root) throw malformedXml()
    Object.assign(input, read(document))
  }
}
