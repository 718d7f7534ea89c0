/**
 * Answers of operations that may take minutes. S3 sends 200 and blanks before it knows how the operation ends, so that
 * nobody on the way takes the connection for dead; a failure then stands in the body, where clients look for it.
 *
 * What the answer's own headers would have said (`x-amz-version-id` …) is not sent once it is late.
 * Source: S3 API Reference, CompleteMultipartUpload: "initiates processing with 200 OK … periodically sends white space
 * characters … it's possible for a 200 OK response to contain an error"; the same of CopyObject and UploadPartCopy.
 */
import { KEEP_ALIVE_AFTER_MS, KEEP_ALIVE_INTERVAL_MS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { XML_DECLARATION } from '../schema/xml-writer.ts'
import type { OutgoingResponse } from './exchange.ts'

/** @param answer the answer to be; its body a document or none. Never rejects: failures are answers too */
export async function keepAlive(answer: Promise<OutgoingResponse>, clock: Clock): Promise<OutgoingResponse> {
  const early = await firstOf(answer, clock, KEEP_ALIVE_AFTER_MS)
  if (early !== undefined) return early
  return {
    status: 200,
    headers: new Map([['content-type', 'application/xml']]),
    body: { size: undefined, stream: blanksThen(answer, clock) },
  }
}

async function* blanksThen(
  answer: Promise<OutgoingResponse>,
  clock: Clock,
): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(XML_DECLARATION)
  for (;;) {
    const { body } = (await firstOf(answer, clock, KEEP_ALIVE_INTERVAL_MS)) ?? { body: blank }
    if (body !== blank) {
      if (!(body instanceof Uint8Array)) throw new TypeError('a late answer must be a document')
      yield withoutDeclaration(body)
      return
    }
    yield blank
  }
}

const blank = Buffer.from(' ')

const declaration = Buffer.from(XML_DECLARATION)

function withoutDeclaration(document: Uint8Array): Uint8Array {
  const begins = declaration.equals(document.subarray(0, declaration.length))
  return begins ? document.subarray(declaration.length) : document
}

/** The answer, or undefined when it does not come in time. */
async function firstOf(
  answer: Promise<OutgoingResponse>,
  clock: Clock,
  ms: number,
): Promise<OutgoingResponse | undefined> {
  let cancel: (() => void) | undefined
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.after(ms, () => resolve(undefined))
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    cancel?.()
  }
}
