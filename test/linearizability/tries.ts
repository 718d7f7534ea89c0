import { AsyncLocalStorage } from 'node:async_hooks'
import { type S3Client, S3ServiceException } from '@aws-sdk/client-s3'

/** One request as it went over the wire: an operation of the SDK makes another for each retry. */
export interface Try {
  /** Monotonic, in ms. */
  readonly invoked: number
  readonly responded: number
  /** Undefined: it was answered well. */
  readonly error?: unknown
}

/** What one try that did not succeed says of the object. */
export type Refusal =
  /** 412: there is an object, or another than asked for. */
  | 'mismatch'
  /** 404: there is no object. */
  | 'absent'
  /** 409: the object that was to be replaced was deleted meanwhile. It did nothing; SDKs leave it to the caller to try again. */
  | 'conflict'
  /** It certainly did nothing. */
  | 'nothing'
  /** No answer, or one that does not say: it may have done what was asked, or do it yet. */
  | 'unknown'

const current = new AsyncLocalStorage<Try[]>()

/** Lets {@link withTries} see what this client sends. Once for each client. */
export function watchTries(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const invoked = performance.now()
      try {
        const result = await next(args)
        current.getStore()?.push({ invoked, responded: performance.now() })
        return result
      } catch (error) {
        current.getStore()?.push({ invoked, responded: performance.now(), error })
        throw error
      }
    },
    // Inside the retries, around the reading of the answer.
    { step: 'deserialize', priority: 'high', name: 'watchTries' },
  )
}

/** Runs one operation of the SDK and resolves to all its tries, the last of which is what it ended with. */
export async function withTries<T>(
  operation: () => Promise<T>,
): Promise<{ tries: readonly Try[]; output?: T; error?: unknown }> {
  const tries: Try[] = []
  return await current.run(tries, async () => {
    try {
      return { tries, output: await operation() }
    } catch (error) {
      return { tries, error }
    }
  })
}

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof S3ServiceException)) return 'unknown'
  const status = error.$metadata.httpStatusCode
  if (status === 412) return 'mismatch'
  if (status === 404 && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return 'absent'
  if (error.name === 'ConditionalRequestConflict') return 'conflict'
  // Refused before anything was done, which is what this code says and no other of its status.
  if (error.name === 'SlowDown') return 'nothing'
  return status === undefined || status >= 500 ? 'unknown' : 'nothing'
}
