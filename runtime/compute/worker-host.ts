/** One worker thread, started when it is first needed and again after it died. */

import { Worker } from 'node:worker_threads'
import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { ComputeError } from './compute-error.ts'
import type { ComputeHost, ContentWork, StripeProgress } from './host.ts'
import type { Answer, EncodeJob, Order, ReconstructJob, WorkerStart } from './messages.ts'

export class WorkerHost implements ComputeHost {
  readonly #memory: WebAssembly.Memory
  #thread: Thread | undefined
  #closed = false

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory
  }

  get pending(): number {
    return this.#thread?.pending ?? 0
  }

  open(digests: readonly ChecksumAlgorithm[]): ContentWork {
    const thread = this.#living()
    const content = thread.nextId()
    thread.send({ type: 'open', content, digests })
    return {
      encode(job: EncodeJob): StripeProgress {
        const id = thread.nextId()
        const encoded = thread.expect<undefined>(id, 'encoded')
        const hashed = thread.expect<undefined>(id, 'hashed')
        thread.send({ type: 'encode', id, content, job })
        return { encoded, hashed }
      },
      finish: () => {
        const id = thread.nextId()
        const finished = thread.expect<readonly Uint8Array[]>(id, 'finished')
        thread.send({ type: 'finish', id, content })
        return finished
      },
      drop: () => {
        thread.send({ type: 'drop', content })
      },
    }
  }

  async reconstruct(job: ReconstructJob): Promise<void> {
    const thread = this.#living()
    const id = thread.nextId()
    const done = thread.expect<undefined>(id, 'reconstructed')
    thread.send({ type: 'reconstruct', id, job })
    await done
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#thread?.end()
  }

  #living(): Thread {
    if (this.#closed) throw new ComputeError('the compute pool is closed')
    if (this.#thread === undefined || this.#thread.dead) this.#thread = new Thread({ memory: this.#memory })
    return this.#thread
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: ComputeError) => void
}

/** A life of the worker: what was asked of it dies with it. */
class Thread {
  readonly #worker: Worker
  /** By `${id} ${answer type}`. */
  readonly #waiting = new Map<string, Waiting>()
  #death: ComputeError | undefined
  #exited = false
  #ids = 0

  constructor(start: WorkerStart) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'ashlar-compute',
      workerData: start,
    })
    this.#worker.on('message', (answer: Answer) => {
      this.#receive(answer)
    })
    this.#worker.on('error', (error) => {
      this.#death ??= new ComputeError('a compute thread failed', { cause: error })
    })
    // Only now is it certain that the thread no longer writes to the shared memory.
    this.#worker.on('exit', (code) => {
      this.#exited = true
      this.#death ??= new ComputeError(`a compute thread ended with code ${code}`)
      for (const { reject } of this.#waiting.values()) reject(this.#death)
      this.#waiting.clear()
    })
  }

  get dead(): boolean {
    return this.#death !== undefined
  }

  get pending(): number {
    return this.#waiting.size
  }

  nextId(): number {
    this.#ids++
    return this.#ids
  }

  send(order: Order): void {
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(order)
  }

  expect<T>(id: number, type: Answer['type']): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    // Whoever gave up no longer listens; the death of the thread must not then count as an unhandled rejection.
    promise.catch(() => undefined)
    if (this.#exited) reject(this.#death ?? new ComputeError('a compute thread ended'))
    // eslint-disable-next-line typescript/no-unsafe-type-assertion -- the answer's type fixes the value's (#receive)
    else this.#waiting.set(`${id} ${type}`, { resolve: (value) => resolve(value as T), reject })
    return promise
  }

  async end(): Promise<void> {
    this.#death ??= new ComputeError('the compute pool was closed')
    await this.#worker.terminate()
  }

  #receive(answer: Answer): void {
    if (answer.type === 'failed') {
      const error = new ComputeError(`stripe work failed: ${answer.message}`)
      for (const type of ['encoded', 'hashed', 'finished', 'reconstructed'] as const) {
        this.#take(answer.id, type)?.reject(error)
      }
      return
    }
    this.#take(answer.id, answer.type)?.resolve(answer.type === 'finished' ? answer.digests : undefined)
  }

  #take(id: number, type: Answer['type']): Waiting | undefined {
    const key = `${id} ${type}`
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting
  }
}
