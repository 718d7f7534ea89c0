/** The work on the event loop itself: for small stripes, and for processes without worker threads. */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { ComputeError } from './compute-error.ts'
import type { ComputeHost, ContentWork, StripeProgress } from './host.ts'
import type { EncodeJob, ReconstructJob } from './messages.ts'
import { StripeWork } from './stripe-work.ts'

export class InlineHost implements ComputeHost {
  readonly pending = 0
  readonly #work: StripeWork
  #contents = 0

  constructor(memory: WebAssembly.Memory) {
    this.#work = new StripeWork(memory)
  }

  open(digests: readonly ChecksumAlgorithm[]): ContentWork {
    const work = this.#work
    const content = ++this.#contents
    work.open(content, digests)
    return {
      encode(job: EncodeJob): StripeProgress {
        const done = attempt(() => {
          work.encode(job)
          work.hash(content, job)
        })
        return { encoded: done, hashed: done }
      },
      finish: () => attempt(() => work.finish(content)),
      drop: () => {
        work.drop(content)
      },
    }
  }

  reconstruct(job: ReconstructJob): Promise<void> {
    return attempt(() => {
      this.#work.reconstruct(job)
    })
  }

  async close(): Promise<void> {
    // Nothing runs between calls.
  }
}

async function attempt<T>(run: () => T): Promise<T> {
  try {
    return run()
  } catch (error) {
    throw new ComputeError(`stripe work failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
