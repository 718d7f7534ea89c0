/** Where stripes are encoded and hashed: on worker threads over shared memory, or on the event loop when they are small. */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { createStripeMemory } from '../../core/erasure/memory.ts'
import { InlineHost } from './inline-host.ts'
import type { EncodeJob, ReconstructJob } from './messages.ts'
import { WorkerHost } from './worker-host.ts'

/** Progress of one stripe. Both reject with ComputeError; once `hashed` settles, nothing touches the slot. */
export interface StripeProgress {
  /** Parity and block checksums are in the slot. */
  readonly encoded: Promise<void>
  /** The digests have passed over the data. */
  readonly hashed: Promise<void>
}

/** The stripes of one content, whose digests are sequential: all on one thread, in the order given. */
export interface ContentWork {
  encode(job: EncodeJob): StripeProgress
  /** The digests of all stripes, in the order asked for. Ends the work. */
  finish(): Promise<readonly Uint8Array[]>
  /** Gives up; harmless after `finish`. */
  drop(): void
}

/** One thread's worth of work; what {@link Compute} chooses from. */
export interface ComputeHost {
  /** Orders not yet answered, for choosing the least busy. */
  readonly pending: number
  open(digests: readonly ChecksumAlgorithm[]): ContentWork
  reconstruct(job: ReconstructJob): Promise<void>
  /** Fails what is pending, and resolves when the thread has ended. */
  close(): Promise<void>
}

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
