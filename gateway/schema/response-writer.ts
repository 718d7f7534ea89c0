/**
 * Compiles an operation's output schema into a writer: the SDK's typed output → status, headers and body.
 *
 * Known gaps of the schemas, handled here: GetBucketLocation's document is its one member unwrapped (the trait
 * `s3UnwrappedXmlOutput` is not in the package); a part of an object is 206 although the schema says 200; `Expires`
 * may be any text, so `ExpiresString` is sent as `Expires`; two operations are 204 though the schema says
 * 200; event streams (SelectObjectContent) are not written.
 */
import { encodeHeader, encodeMetadata } from './header-text.ts'
import type { Member, OperationShape, Shape, StructureShape } from './model.ts'
import { formatTimestamp, isRecord, textOf } from './values.ts'
import { compileXmlWriter, escapeXml, S3_XMLNS, XML_DECLARATION } from './xml-writer.ts'
import { isInBody } from './xml-reader.ts'

/** A body that is sent as it comes. The stream must yield exactly `size` bytes or throw. */
export interface BodyStream {
  /** Bytes in all. */
  readonly size: number
  readonly stream: AsyncIterable<Uint8Array>
}

export interface ResponseHead {
  readonly status: number
  /** Lower-case names; `content-length` is left to the server, which knows the body. */
  readonly headers: Map<string, string>
}

export interface WrittenResponse extends ResponseHead {
  readonly body: Uint8Array | BodyStream | undefined
}

/** Throws a TypeError on an output that does not fit the schema: a bug of the handler. */
export type ResponseWriter = (output: unknown) => WrittenResponse

type HeaderStep = (value: unknown, headers: Map<string, string>) => void

/** AWS answers these with 204 No Content (S3 API Reference, their examples; recorded by localstack). */
const withoutContent: ReadonlySet<string> = new Set(['PutBucketPolicy', 'PutBucketTagging'])

export function compileResponseWriter(operation: OperationShape): ResponseWriter {
  const { output: shape } = operation
  const success = withoutContent.has(operation.name) ? 204 : operation.status
  const steps = shape.members.flatMap((member) => {
    const write = compileHeaderStep(member)
    return write ? [{ name: member.name, write }] : []
  })
  const writeBody = compileBody(operation)
  return (output) => {
    const fields = isRecord(output) ? output : {}
    const headers = new Map<string, string>()
    for (const { name, write } of steps) {
      const value = fields[name]
      if (value !== undefined && value !== null) write(value, headers)
    }
    const body = writeBody(fields, headers)
    const status = fields['ContentRange'] !== undefined && success === 200 ? 206 : success
    return { status, headers, body }
  }
}

function compileHeaderStep(member: Member): HeaderStep | undefined {
  const { traits, shape } = member
  if (traits.httpPrefixHeaders !== undefined) {
    const prefix = traits.httpPrefixHeaders.toLowerCase()
    return (value, headers) => {
      if (!isRecord(value)) throw new TypeError(`${member.name}: expected a map`)
      for (const [name, text] of Object.entries(value)) {
        headers.set(prefix + name.toLowerCase(), encodeMetadata(textOf(text)))
      }
    }
  }
  if (traits.httpHeader === undefined) return undefined
  const header = member.name === 'ExpiresString' ? 'expires' : traits.httpHeader.toLowerCase()
  const format = compileFormat(shape, member.name)
  return (value, headers) => void headers.set(header, encodeHeader(format(value)))
}

function compileFormat(shape: Shape, name: string): (value: unknown) => string {
  switch (shape.kind) {
    case 'string':
    case 'integer':
    case 'boolean':
      return textOf
    case 'timestamp': {
      const format = shape.format ?? 'http-date'
      return (value) => {
        if (!(value instanceof Date)) throw new TypeError(`${name}: expected a Date`)
        return formatTimestamp(value, format)
      }
    }
    default:
      throw new Error(`${name}: a ${shape.kind} cannot be a header`)
  }
}

type BodyWriter = (
  fields: Readonly<Record<string, unknown>>,
  headers: Map<string, string>,
) => WrittenResponse['body']

function compileBody(operation: OperationShape): BodyWriter {
  const { output: shape } = operation
  if (operation.name === 'GetBucketLocation') return writeLocation
  const payload = shape.members.find(({ traits }) => traits.httpPayload)
  if (payload) return compilePayload(operation, payload)
  const inBody = shape.members.filter(({ traits }) => isInBody(traits))
  if (inBody.length === 0) return () => undefined
  const write = compileXmlWriter(listsLast(shape), shape.traits.xmlName ?? defaultRoot(operation))
  return (fields, headers) => xml(write(fields), headers)
}

/**
 * In documents lists stand behind everything else, whatever the schema's order: readers that take a document as it comes,
 * as that of the AWS SDK for Java 1, give the entries of a list the owner and bucket they have read before (the order of
 * the service, as recorded by LocalStack's `test_response_structure`).
 */
function listsLast(shape: StructureShape): StructureShape {
  const isList = (member: Member): boolean => member.shape.kind === 'list'
  const members = [...shape.members.filter((one) => !isList(one)), ...shape.members.filter(isList)]
  return { ...shape, members }
}

/** A shape with a name of its own is named by it, as NotificationConfiguration; the others by the operation. */
function defaultRoot({ name, output }: OperationShape): string {
  return output.name.endsWith('Output') ? `${name}Result` : output.name
}

function compilePayload(operation: OperationShape, { name, shape, traits }: Member): BodyWriter {
  if (shape.kind === 'stream') {
    return (fields) => {
      const value = fields[name]
      if (value === undefined) return undefined
      if (!isBodyStream(value)) throw new TypeError(`${operation.name}.${name}: expected a body stream`)
      return value
    }
  }
  if (shape.kind === 'structure' && !traits.streaming) {
    const write = compileXmlWriter(shape, traits.xmlName ?? shape.traits.xmlName ?? shape.name)
    return (fields, headers) => {
      const value = fields[name]
      return value === undefined ? undefined : xml(write(value), headers)
    }
  }
  if (shape.kind === 'string') {
    return (fields, headers) => {
      const value = fields[name]
      if (value === undefined) return undefined
      // The only payload of this kind is GetBucketPolicy's.
      headers.set('content-type', 'application/json')
      return Buffer.from(textOf(value))
    }
  }
  return () => {
    throw new TypeError(`${operation.name}: event streams are not written`)
  }
}

/** GetBucketLocation: the bare constraint, empty for us-east-1. */
const writeLocation: BodyWriter = (fields, headers) => {
  const constraint = fields['LocationConstraint'] ?? ''
  const text = escapeXml(textOf(constraint))
  return xml(
    `${XML_DECLARATION}<LocationConstraint xmlns="${S3_XMLNS}">${text}</LocationConstraint>`,
    headers,
  )
}

function xml(document: string, headers: Map<string, string>): Uint8Array {
  headers.set('content-type', 'application/xml')
  return Buffer.from(document)
}

function isBodyStream(value: unknown): value is BodyStream {
  return (
    isRecord(value) &&
    typeof value['size'] === 'number' &&
    isRecord(value['stream']) &&
    Symbol.asyncIterator in value['stream']
  )
}
