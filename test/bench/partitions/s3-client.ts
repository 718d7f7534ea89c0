import { setTimeout as delay } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import type { Endpoint } from '../cluster/job.ts'
import { HttpConnection, HttpRefusal, type HttpRequest } from '../cluster/http-connection.ts'

type Strategy = Extract<
  Awaited<ReturnType<S3Client['config']['retryStrategy']>>,
  { acquireInitialRetryToken: unknown }
>

const SLOW_DOWN = 503

/** The strategy by which a client of the SDK repeats what is throttled, in its default configuration. */
export async function sdkRetries({ host, port, accessKeyId, secretAccessKey }: Endpoint): Promise<Strategy> {
  const client = new S3Client({
    endpoint: `http://${host}:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  })
  try {
    const strategy = await client.config.retryStrategy()
    if (!('acquireInitialRetryToken' in strategy)) throw new Error('the SDK retries in another way now')
    return strategy
  } finally {
    client.destroy()
  }
}

/** One connection, which asks as the SDK would: what is answered 503 is repeated after a pause, a few times. */
export class S3Connection {
  readonly #endpoint: Endpoint
  readonly #retries: Strategy
  #connection: HttpConnection | undefined

  /** @param retries may be that of several connections, as of one client of the SDK */
  constructor(endpoint: Endpoint, retries: Strategy) {
    this.#endpoint = endpoint
    this.#retries = retries
  }

  /**
   * @param make the request of an attempt, which is signed anew
   * @param throttled called for each attempt that is
   * @returns whether it was done; else it was given up
   * @throws what is neither done nor throttled
   */
  async ask(make: () => HttpRequest, throttled: () => void = () => undefined): Promise<boolean> {
    let token = await this.#retries.acquireInitialRetryToken('s3')
    for (;;) {
      try {
        await this.#exchange(make())
        this.#retries.recordSuccess(token)
        return true
      } catch (error) {
        if (!(error instanceof HttpRefusal) || error.status !== SLOW_DOWN) throw error
        throttled()
        const next = await this.#retries
          .refreshRetryTokenForRetry(token, { errorType: 'THROTTLING' })
          .catch(() => undefined)
        if (next === undefined) return false
        await delay(next.getRetryDelay())
        token = next
      }
    }
  }

  close(): void {
    this.#connection?.close()
  }

  async #exchange(request: HttpRequest): Promise<void> {
    const { host, port } = this.#endpoint
    if (this.#connection === undefined || this.#connection.over) {
      this.#connection = await HttpConnection.open(host, port)
    }
    await this.#connection.exchange(request)
  }
}
