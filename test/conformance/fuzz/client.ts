/** A fast client for requests of any kind: signed or not, over connections that are kept. */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { formatAmzDate } from '../../../core/signing/time.ts'
import { toHex } from '../../../core/signing/encoding.ts'
import { nodeDigests } from '../../../runtime/crypto/digests.ts'
import { exchange, sign, type RawResponse, type Signer } from '../signed-request.ts'

/** `wrong`: with a signature of another secret. */
export type Signature = 'right' | 'wrong' | 'none'

export interface FuzzRequest {
  readonly method: string
  /** Path and query, percent-encoded. */
  readonly target: string
  /** Lower-case names; characters up to U+00FF, as HTTP has them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly signature: Signature
}

export class FuzzClient {
  readonly #signer: Signer
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })

  constructor(signer: Signer) {
    this.#signer = signer
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Rejects when the connection ends without an answer. */
  send({ method, target, headers, body, signature }: FuzzRequest): Promise<RawResponse> {
    const { address } = this.#signer
    const plain = {
      host: address,
      'x-amz-date': formatAmzDate(Date.now()),
      'x-amz-content-sha256': toHex(nodeDigests.sha256(body)),
      ...headers,
    }
    const signed = this.#sign(method, target, plain, signature)
    return exchange(address, { method, target, headers: signed, body, agent: this.#agent })
  }

  #sign(
    method: string,
    target: string,
    plain: Readonly<Record<string, string>>,
    signature: Signature,
  ): Readonly<Record<string, string>> {
    if (signature === 'none') return plain
    if (signature === 'right') return sign(this.#signer, method, target, plain)
    const credentials = { ...this.#signer.credentials, secretAccessKey: 'another-secret' }
    return sign({ ...this.#signer, credentials }, method, target, plain)
  }
}

/**
 * What must be true of every answer, whatever was asked: no 5xx but 501 by name, a request id, and for an error a document of S3's
 * form, except where HTTP allows no body.
 */
export function assertSound(asked: FuzzRequest, answer: RawResponse): void {
  const { status, headers, body, code } = answer
  const what = `${asked.method} ${asked.target} → ${status} ${body.slice(0, 300)}`
  assert.ok(status >= 200 && (status < 500 || status === 501), what)
  assert.match(headers['x-amz-request-id'] ?? '', /^[0-9A-F]{16}$/, what)
  if (asked.method === 'HEAD' || status === 204 || status === 304) assert.equal(body, '', what)
  else if (status >= 400) {
    assert.ok(code !== undefined && /^[A-Za-z0-9]+$/.test(code), what)
    assert.match(headers['content-type'] ?? '', /xml/, what)
    assert.match(body, /^<\?xml version="1.0" encoding="UTF-8"\?>\s*<Error>.*<\/Error>$/s, what)
    assert.doesNotMatch(body, /[\0-\x08\x0b\x0c\x0e-\x1f]/, what)
  }
  assert.notEqual(code, 'InternalError', what)
}
