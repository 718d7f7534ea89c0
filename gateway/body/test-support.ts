/** For tests: writes bodies as clients do, and reads them back through `openBody`. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import type { ChunkSigning } from '../../core/signing/chunk-signing.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { S3Error } from '../errors/s3-error.ts'
import { openBody, type BodyOptions, type VerifiedBody } from './verified-body.ts'

const signing: ChunkSigning = {
  accessKey: 'AKIDEXAMPLE',
  signingKey: Buffer.alloc(32, 7),
  timestamp: '20260101T000000Z',
  scope: '20260101/us-east-1/s3/aws4_request',
  seedSignature: '0'.repeat(64),
}

export interface Wire {
  readonly data: Uint8Array
  readonly chunkBytes?: number
  readonly signed: boolean
  /** One `name:value`. */
  readonly trailer?: string
}

/** The aws-chunked form of the data. Written from the documentation, with none of the decoder's code. */
export function encodeChunked({ data, chunkBytes = 8192, signed, trailer }: Wire): Buffer {
  const parts: (string | Uint8Array)[] = []
  let previous = signing.seedSignature
  const chain = (kind: string, ...hashes: string[]): string => {
    const text = [`AWS4-HMAC-SHA256-${kind}`, signing.timestamp, signing.scope, previous, ...hashes].join(
      '\n',
    )
    previous = createHmac('sha256', signing.signingKey).update(text).digest('hex')
    return previous
  }
  for (let at = 0; ; at += chunkBytes) {
    const chunk = data.subarray(at, at + chunkBytes)
    const signature = signed ? `;chunk-signature=${chain('PAYLOAD', sha256(''), sha256(chunk))}` : ''
    parts.push(`${chunk.length.toString(16)}${signature}\r\n`)
    if (chunk.length === 0) break
    parts.push(chunk, '\r\n')
  }
  if (trailer !== undefined) {
    parts.push(`${trailer}\r\n`)
    if (signed) parts.push(`x-amz-trailer-signature:${chain('TRAILER', sha256(`${trailer}\n`))}\r\n`)
  }
  parts.push('\r\n')
  return Buffer.concat(parts.map((part) => Buffer.from(part)))
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Options of a body with these headers. */
export function bodyOptions(
  payload: BodyOptions['payload'],
  headers: Record<string, string>,
  more: Partial<BodyOptions> = {},
): BodyOptions {
  return {
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    payload,
    ...(payload.kind === 'signed-chunks' ? { chunkSigning: signing } : {}),
    digests: nodeDigests,
    maxBytes: 1024 * 1024,
    ...more,
  }
}

/** The pieces of a body as a connection might deliver them. */
export async function* deliver(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(Buffer.from(piece))
}

/** Everything the body yields, once it is accepted. */
export async function readBody(body: VerifiedBody): Promise<Buffer> {
  const views: Uint8Array[] = []
  for await (const view of body) views.push(view)
  return Buffer.concat(views)
}

/** Opens and reads a body delivered in one piece. */
export async function readWire(wire: string | Uint8Array, options: BodyOptions): Promise<Buffer> {
  return readBody(openBody(deliver(wire), options))
}

/** The S3Error that `run` must end in; with a code, that one. */
export async function refused(run: () => Promise<unknown>, code?: string): Promise<S3Error> {
  try {
    await run()
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    assert.equal(error.code, code ?? error.code, error.message)
    return error
  }
  return assert.fail('the body was accepted')
}
