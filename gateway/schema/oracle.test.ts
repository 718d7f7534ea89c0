/**
 * The oracle of the schema compiler is the SDK itself: what its client serialises, our parser must read back as the same
 * input; what our writer serialises, its client must read back as the same output. For all operations, with random values
 * built from the schemas.
 */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import * as sdk from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { httpEnumerationOf, enumerationOf } from './enumerations.ts'
import type { Member, OperationShape, Shape, StructureShape } from './model.ts'
import { s3Operations } from './operations.ts'
import { compileRequestParser } from './request-parser.ts'
import { compileResponseWriter } from './response-writer.ts'
import { compileRouter } from './router.ts'
import { isRecord } from './values.ts'

const runs = 12
const xmlLimits = { depthMax: 20, nodesMax: 100_000, bytesMax: 1 << 20 }
const router = compileRouter(s3Operations.values())

/**
 * Members the SDK's own middleware rewrites or adds, so that "what went in" is not what the caller gave:
 * customer keys are encoded and hashed, the length is that of the body, the algorithm starts a checksum calculation.
 */
const rewritten = new Set([
  'SSECustomerKey',
  'SSECustomerKeyMD5',
  'CopySourceSSECustomerKey',
  'CopySourceSSECustomerKeyMD5',
  'ContentLength',
  'ChecksumAlgorithm',
  'ContentMD5',
])

/** What it adds unasked: a checksum, a type for the body. */
const addedBySdk = /^(?:Checksum|ContentType$)/

const identifier = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/)
const headerText = fc.stringMatching(/^[!-~]([ -~]{0,18}[!-~])?$/).filter((text) => !text.includes('=?'))
const unicode = fc
  .string({ unit: 'binary', maxLength: 20 })
  .filter((text) => text.isWellFormed() && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
// The SDK's reader trims text; its writer does not.
const xmlText = unicode.filter((text) => text === text.trim() && text !== '')
const seconds = fc.integer({ min: 0, max: 4_102_444_799 }).map((value) => new Date(value * 1000))

function httpValue(member: Member): fc.Arbitrary<unknown> {
  const wireName = member.traits.httpHeader ?? member.traits.httpQuery ?? ''
  const enumeration = httpEnumerationOf(wireName.toLowerCase())
  const { shape } = member
  switch (shape.kind) {
    case 'string':
      if (wireName === 'x-amz-request-route') return identifier
      if (enumeration) return fc.constantFrom(...enumeration.allowed)
      return member.traits.httpHeader === undefined ? unicode : headerText
    case 'integer':
      return fc.integer({ min: 0, max: 2 ** 31 - 1 })
    case 'boolean':
      return fc.boolean()
    case 'timestamp':
      return seconds
    case 'list':
      return fc.array(enumeration ? fc.constantFrom(...enumeration.allowed) : headerText, {
        minLength: 1,
        maxLength: 3,
      })
    case 'map':
      return fc.dictionary(identifier, headerText, { minKeys: 0, maxKeys: 3 })
    default:
      throw new Error(`${member.name}: ${shape.kind} in HTTP`)
  }
}

function xmlValue(shape: Shape, place: string, depth: number, flattened = false): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'string': {
      const allowed = enumerationOf(place)
      return allowed ? fc.constantFrom(...allowed) : xmlText
    }
    case 'integer':
      return fc.integer()
    case 'boolean':
      return fc.boolean()
    case 'timestamp':
      return seconds
    case 'list':
      return fc.array(xmlValue(shape.item.shape, place, depth), {
        minLength: flattened ? 1 : 0,
        maxLength: 3,
      })
    case 'structure':
    case 'union':
      return structureValue(shape, depth + 1)
    default:
      throw new Error(`${place}: ${shape.kind} in XML`)
  }
}

function structureValue(shape: StructureShape, depth: number): fc.Arbitrary<unknown> {
  const of = (member: Member): fc.Arbitrary<unknown> =>
    xmlValue(member.shape, `${shape.name}.${member.name}`, depth, member.traits.xmlFlattened !== undefined)
  if (shape.kind === 'union') {
    return fc.oneof(...shape.members.map((member) => of(member).map((value) => ({ [member.name]: value }))))
  }
  const chosen = shape.members.filter(({ required }) => required || depth < 8)
  return record(
    chosen.map((member) => [member.name, of(member)]),
    chosen.filter(({ required }) => required).map(({ name }) => name),
  )
}

function record(
  entries: readonly (readonly [string, fc.Arbitrary<unknown>])[],
  requiredKeys: readonly string[],
): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .record(Object.fromEntries(entries), { requiredKeys: [...requiredKeys] })
    .map((value) => ({ ...value }))
}

function memberValue(structure: StructureShape, member: Member): fc.Arbitrary<unknown> {
  const { traits, shape } = member
  if (traits.httpLabel) {
    if (member.name === 'Bucket') return fc.stringMatching(/^[a-z][a-z0-9]{2,20}$/)
    return unicode.filter((key) => key !== '')
  }
  if (
    traits.httpHeader !== undefined ||
    traits.httpQuery !== undefined ||
    traits.httpPrefixHeaders !== undefined
  ) {
    return httpValue(member)
  }
  if (traits.httpPayload && shape.kind === 'stream') return fc.uint8Array({ maxLength: 100 })
  if (traits.httpPayload && shape.kind === 'string') return xmlText
  return xmlValue(shape, `${structure.name}.${member.name}`, 0, traits.xmlFlattened !== undefined)
}

function messageValue(structure: StructureShape, skip: (member: Member) => boolean) {
  const members = structure.members.filter((member) => !skip(member))
  return record(
    members.map((member) => [member.name, memberValue(structure, member)]),
    members
      .filter(
        // A copy without its result in the body is an error to the SDK, which knows that S3 reports late failures there.
        ({ required, traits, name }) =>
          required || traits.idempotencyToken || traits.streaming || /^Copy(Object|Part)Result$/.test(name),
      )
      .map(({ name }) => name),
  )
}

interface Captured {
  method: string
  path: string
  query: Record<string, string | string[] | null>
  headers: Record<string, string>
  body?: unknown
}

interface Reply {
  statusCode: number
  headers: Record<string, string>
  body: Readable
}

function client(handle: (request: Captured) => Reply): sdk.S3Client {
  return new sdk.S3Client({
    region: 'us-east-1',
    endpoint: 'http://localhost:9000',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    requestHandler: { handle: async (request: Captured) => ({ response: handle(request) }) },
  })
}

/** Sends a command by its operation's name; the schema, not TypeScript, says what the input is. */
async function send(s3: sdk.S3Client, operation: string, input: unknown): Promise<unknown> {
  const constructors: Readonly<Record<string, unknown>> = sdk
  const Command = constructors[`${operation}Command`]
  assert.ok(isNewable(Command))
  const command = new Command(input)
  return Reflect.apply(s3.send, s3, [command])
}

type Newable = new (input: unknown) => unknown

function isNewable(value: unknown): value is Newable {
  return typeof value === 'function'
}

class Stop extends Error {}

async function capture(operation: string, input: unknown): Promise<Captured> {
  let captured: Captured | undefined
  const s3 = client((request) => {
    captured = request
    throw new Stop()
  })
  try {
    await send(s3, operation, input)
  } catch (error) {
    if (!captured) throw error
  } finally {
    s3.destroy()
  }
  return captured ?? assert.fail('nothing was sent')
}

function toParserRequest(request: Captured, level: 'service' | 'bucket' | 'object') {
  const query = new Map<string, string>()
  for (const [key, value] of Object.entries(request.query)) {
    query.set(key, Array.isArray(value) ? (value[0] ?? '') : (value ?? ''))
  }
  const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const [, bucket = '', ...rest] = request.path.split('/')
  return {
    method: request.method,
    bucket: level === 'service' && bucket === '' ? undefined : decodeURIComponent(bucket),
    key: level === 'object' ? decodeURIComponent(rest.join('/')) : undefined,
    query,
    headers,
    header: (name: string) => headers.get(name),
  }
}

const levelOf = (operation: OperationShape) =>
  operation.uri.startsWith('/{Key+}')
    ? 'object'
    : operation.input.members.some(({ name }) => name === 'Bucket')
      ? 'bucket'
      : 'service'

/** Maps without a prototype become plain ones, so that deepStrictEqual compares their content. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (!isRecord(value) || value instanceof Date || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

describe('requests as the SDK sends them', () => {
  for (const operation of s3Operations.values()) {
    it(operation.name, async () => {
      const parser = compileRequestParser(operation, xmlLimits)
      const inputs = messageValue(operation.input, ({ name }) => rewritten.has(name))
      const expiresHeader = operation.input.members.some(({ traits }) => traits.httpHeader === 'Expires')
      await fc.assert(
        fc.asyncProperty(inputs, async (input) => {
          // A copy: the SDK's middleware writes into what it is given.
          const captured = await capture(operation.name, { ...input })
          const request = toParserRequest(captured, levelOf(operation))
          assert.equal(router(request).name, operation.name)
          const parsed = parser.parseHead(request)
          if (parser.streamMember !== undefined) {
            parsed[parser.streamMember] = captured.body
          } else if (captured.body !== undefined) {
            assert.equal(parser.payload, 'document')
            parser.parseDocument(parsed, bytesOf(captured.body))
          }
          const expected = plain(input)
          assert.ok(isRecord(expected))
          const foreign = (name: string): boolean =>
            rewritten.has(name) || (addedBySdk.test(name) && !(name in expected))
          const own = Object.fromEntries(Object.entries(parsed).filter(([name]) => !foreign(name)))
          const date = expiresHeader ? expected['Expires'] : undefined
          assert.deepEqual(plain(own), {
            ...withoutEmptyMaps(expected),
            ...(date instanceof Date ? { ExpiresString: date.toUTCString() } : {}),
          })
        }),
        { numRuns: runs },
      )
    })
  }
})

/** Prefix headers of an empty map cannot be told from none. */
function withoutEmptyMaps(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).filter(
      ([name, value]) => name !== 'Metadata' || (isRecord(value) && Object.keys(value).length > 0),
    ),
  )
}

/** An event stream, which the writer refuses; the test below says so. */
const unwritten = new Set(['SelectObjectContent'])

describe('responses as the SDK reads them', () => {
  for (const operation of s3Operations.values()) {
    if (unwritten.has(operation.name)) continue
    it(operation.name, async () => {
      const write = compileResponseWriter(operation)
      // The client cannot send without the required members; their values do not matter here.
      const inputs = fc.sample(
        messageValue(operation.input, ({ required }) => !required),
        { numRuns: 1, seed: 1 },
      )
      const outputs = messageValue(
        operation.output,
        ({ name }) => name === 'ExpiresString' || name === 'ContentLength',
      )
      await fc.assert(
        fc.asyncProperty(outputs, async (output) => {
          const stream = operation.output.members.find(({ shape }) => shape.kind === 'stream')
          const bytes = stream && output[stream.name]
          const sent =
            stream && bytes instanceof Uint8Array
              ? { ...output, [stream.name]: { size: bytes.byteLength, stream: Readable.from([bytes]) } }
              : output
          const response = write(sent)
          const s3 = client(() => ({
            statusCode: response.status,
            headers: Object.fromEntries(response.headers),
            body:
              response.body === undefined || operation.method === 'HEAD'
                ? Readable.from([])
                : response.body instanceof Uint8Array
                  ? Readable.from([response.body])
                  : Readable.from(response.body.stream),
          }))
          const received = await send(s3, operation.name, inputs[0])
          s3.destroy()
          assert.ok(isRecord(received))
          const { $metadata: _, ...members } = received
          const read: Record<string, unknown> = members
          if (stream) read[stream.name] = await readBody(read[stream.name])
          const date = output['Expires']
          assert.deepEqual(
            dropEmptyMetadata(plain(read)),
            dropEmptyMetadata(
              plain({
                ...output,
                ...(stream && bytes instanceof Uint8Array ? { [stream.name]: new Uint8Array(bytes) } : {}),
                ...(date instanceof Date ? { ExpiresString: date.toUTCString() } : {}),
              }),
            ),
          )
        }),
        { numRuns: runs },
      )
    })
  }

  it('refuses to write an event stream', () => {
    const operation = s3Operations.get('SelectObjectContent') ?? assert.fail()
    assert.throws(() => compileResponseWriter(operation)({ Payload: [] }), /event streams/)
  })
})

function dropEmptyMetadata(value: unknown): unknown {
  return isRecord(value) ? withoutEmptyMaps(value) : value
}

function bytesOf(body: unknown): Uint8Array {
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? body : assert.fail('neither text nor bytes')
}

async function readBody(body: unknown): Promise<unknown> {
  assert.ok(body instanceof Readable)
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(bytesOf(chunk)))
  return new Uint8Array(Buffer.concat(chunks))
}
