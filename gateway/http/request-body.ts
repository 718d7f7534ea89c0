/**
 * The raw body of a `node:http` request as an async iterable that
 *   - answers `Expect: 100-continue` at the first pull, not before;
 *   - applies backpressure: nothing is read from the socket that was not asked for;
 *   - ends with an error when the client stops short, leaves, falls silent or trickles, and never as if it were whole.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { S3Error } from '../errors/s3-error.ts'
import type { BodyRate } from './body-rate.ts'

export class RequestBodySource implements AsyncIterable<Uint8Array> {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #rate: BodyRate
  #continuePending: boolean
  #failure: S3Error | undefined
  #iterated = false
  #started = false
  #bytesReceived = 0
  #ended = false
  #wake: (() => void) | undefined

  /** @param continuePending true when the client waits for `100 Continue` */
  constructor(request: IncomingMessage, response: ServerResponse, continuePending: boolean, rate: BodyRate) {
    this.#rate = rate
    this.#request = request
    this.#response = response
    this.#continuePending = continuePending
    request.on('end', () => {
      this.#ended = true
      this.#notify()
    })
    request.on('close', () => {
      if (!this.#ended) this.fail(new S3Error('IncompleteBody'))
    })
    request.on('error', () => this.fail(new S3Error('IncompleteBody')))
  }

  /** True while a reader waits for the client's bytes. */
  get waiting(): boolean {
    return this.#wake !== undefined
  }

  /** True when the client was not told to send its body, and so the connection cannot carry another request. */
  get withheld(): boolean {
    return this.#continuePending
  }

  /** True when it broke off, and nothing sensible can follow it. */
  get failed(): boolean {
    return this.#failure !== undefined
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Ends the iteration with `error`. */
  fail(error: S3Error): void {
    this.#failure ??= error
    this.#notify()
  }

  /** Bytes read so far. */
  get bytesReceived(): number {
    return this.#bytesReceived
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    if (this.#iterated) throw new Error('a request body can be read once')
    this.#iterated = true
    return this.#chunks()
  }

  /** Reads and drops what is left, at most `bytesMax` bytes; true when the end was reached. */
  async drain(bytesMax: number): Promise<boolean> {
    if (this.#continuePending || this.#failure) return this.#ended
    let dropped = 0
    try {
      for await (const chunk of this.#chunks()) {
        dropped += chunk.byteLength
        if (dropped > bytesMax) return false
      }
    } catch {
      return false
    }
    return true
  }

  #start(): void {
    this.#started = true
    if (this.#continuePending) {
      this.#continuePending = false
      this.#response.writeContinue()
    }
    this.#request.on('readable', () => this.#notify())
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void> {
    if (!this.#started) this.#start()
    for (;;) {
      const chunk: unknown = this.#request.read()
      if (chunk instanceof Uint8Array) {
        this.#bytesReceived += chunk.byteLength
        this.#rate.received(chunk.byteLength)
        if (this.#rate.tooSlow()) {
          this.fail(new S3Error('RequestTimeout'))
          throw this.#failure ?? new S3Error('RequestTimeout')
        }
        yield chunk
      } else if (this.#ended) {
        return
      } else if (this.#failure) {
        throw this.#failure
      } else {
        const waited = this.#rate.wait()
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        waited()
      }
    }
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
