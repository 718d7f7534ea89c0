/**
 * Answers of operations that may take minutes. S3 sends 200 and blanks before it knows how the operation ends, so that
 * nobody on the way takes the connection for dead; a failure then stands in the body, where clients look for it.
 *
 * Of the answer's own headers a late one has those that were known when it began (`x-amz-copy-source-version-id`); what only
 * the end tells (`x-amz-version-id` of what is made) it has not. Where AWS has it then is not documented. All else, ETag and
 * checksums, stands in the documents of these operations by their schemas.
 * Source: S3 API Reference, CompleteMultipartUpload: "initiates processing with 200 OK … periodically sends white space
 * characters … it's possible for a 200 OK response to contain an error"; the same of CopyObject and UploadPartCopy.
 */
import { KEEP_ALIVE_AFTER_MS, KEEP_ALIVE_INTERVAL_MS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { XML_DECLARATION } from '../schema/xml-writer.ts'
import type { OutgoingResponse } from './exchange.ts'

export interface KeepAliveTimes {
  /** Milliseconds of silence before the first byte. */
  readonly afterMs: number
  /** Milliseconds between two blanks. */
  readonly intervalMs: number
}

export const defaultKeepAlive: KeepAliveTimes = {
  afterMs: KEEP_ALIVE_AFTER_MS,
  intervalMs: KEEP_ALIVE_INTERVAL_MS,
}

/**
 * @param answer the answer to be; its body a document or none. Never rejects: failures are answers too
 * @param known headers of the answer as far as they are known when it is late
 */
export async function keepAlive(
  answer: Promise<OutgoingResponse>,
  known: ReadonlyMap<string, string>,
  clock: Clock,
  times: KeepAliveTimes,
): Promise<OutgoingResponse> {
  const early = await firstOf(answer, clock, times.afterMs)
  if (early !== undefined) return early
  return {
    status: 200,
    headers: new Map([...known, ['content-type', 'application/xml']]),
    body: { size: undefined, stream: blanksThen(answer, clock, times.intervalMs) },
  }
}

async function* blanksThen(
  answer: Promise<OutgoingResponse>,
  clock: Clock,
  intervalMs: number,
): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(XML_DECLARATION)
  for (;;) {
    const { body } = (await firstOf(answer, clock, intervalMs)) ?? { body: blank }
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
