import { S3ServiceException } from '@aws-sdk/client-s3'
import type { Failure } from './recorder.ts'

interface Span {
  readonly from: number
  /** Infinity: it has not ended. */
  to: number
}

/** Times at which nobody was there who could have answered. Whatever else fails then, or fails at other times, is a fault. */
export class Outages {
  readonly #spans: Span[] = []
  readonly #now: () => number

  /** @param now as failures tell it */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Runs what takes everybody away and brings them back: the outage is as long as that, and no longer. */
  async during(run: () => Promise<void>): Promise<void> {
    const span = { from: this.#now(), to: Infinity }
    this.#spans.push(span)
    try {
      await run()
    } finally {
      span.to = this.#now()
    }
  }

  /** Whether a request may have failed: it was under way at some moment of an outage, and was told that nobody was there. */
  excuses({ invoked, responded, error }: Failure): boolean {
    const unavailable = error instanceof S3ServiceException && error.$metadata.httpStatusCode === 503
    return unavailable && this.#spans.some(({ from, to }) => invoked <= to && responded >= from)
  }
}
