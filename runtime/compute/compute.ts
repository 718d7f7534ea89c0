/** Where stripes are encoded and hashed: on worker threads over shared memory, or on the event loop when they are small. */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { createStripeMemory } from '../../core/erasure/memory.ts'
import type { ComputeHost, ContentWork } from './host.ts'
import { InlineHost } from './inline-host.ts'
import type { ReconstructJob } from './messages.ts'
import { WorkerHost } from './worker-host.ts'

export interface ComputeOptions {
  /** Worker threads; 0 does everything on the event loop. */
  readonly workers: number
  /** Bytes of the memory in which stripes are assembled; taken from the system as they are first touched. */
  readonly memoryBytes: number
}

export class Compute {
  readonly memory: WebAssembly.Memory
  readonly #inline: ComputeHost
  readonly #workers: readonly ComputeHost[]
  /** Contents open on each worker: pins spread by them, as an idle moment says little about a long upload. */
  readonly #open: number[]

  constructor({ workers, memoryBytes }: ComputeOptions) {
    this.memory = createStripeMemory(memoryBytes)
    this.#inline = new InlineHost(this.memory)
    this.#workers = Array.from({ length: workers }, () => new WorkerHost(this.memory))
    this.#open = this.#workers.map(() => 0)
  }

  /** @param small whether the work is too small to be worth a thread */
  openContent(digests: readonly ChecksumAlgorithm[], small: boolean): ContentWork {
    const index = this.#leastOf((i) => this.#open[i] ?? 0)
    const host = small ? undefined : this.#workers[index]
    if (host === undefined) return this.#inline.open(digests)
    return this.#counted(host.open(digests), index)
  }

  /** Restores the wanted windows in place. @throws {ComputeError} */
  reconstruct(job: ReconstructJob, small: boolean): Promise<void> {
    const host = small ? undefined : this.#workers[this.#leastOf((i) => this.#workers[i]?.pending ?? 0)]
    return (host ?? this.#inline).reconstruct(job)
  }

  /** Ends all threads; what is still running fails. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()))
  }

  #counted(work: ContentWork, index: number): ContentWork {
    this.#open[index] = (this.#open[index] ?? 0) + 1
    let open = true
    const ended = (): void => {
      if (open) this.#open[index] = (this.#open[index] ?? 1) - 1
      open = false
    }
    return {
      encode: (job) => work.encode(job),
      finish: () => {
        ended()
        return work.finish()
      },
      drop: () => {
        ended()
        work.drop()
      },
    }
  }

  #leastOf(load: (index: number) => number): number {
    let best = 0
    for (let i = 1; i < this.#workers.length; i++) if (load(i) < load(best)) best = i
    return best
  }
}
