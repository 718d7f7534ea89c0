/** A check as the events it is made of: in this process, or as lines from the process that has the nodes. */

import type { FsckOptions, FsckWorld } from '../../workers/fsck/context.ts'
import type { FsckProgress, FsckResult } from '../../workers/fsck/check.ts'
import { ObjectReader } from '../../workers/fsck/deep.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { createStore } from '../../store/store.ts'
import { checkAll, type RecordsProgress } from './check-all.ts'
import type { FsckFinding } from './kinds.ts'

export type FsckEvent =
  | { readonly finding: FsckFinding }
  | { readonly progress: FsckProgress | RecordsProgress }
  /** The last. */
  | { readonly result: FsckResult }
  /** Instead of a result: metadata does not answer any more. */
  | { readonly failure: string }

/** Between two events that say how far it is. */
const PROGRESS_EVERY_MS = 1000

/** Checks a cluster. @throws what the check throws */
export async function* checkEvents(
  world: FsckWorld & { readonly random: Random },
  options: FsckOptions,
  signal: AbortSignal,
): AsyncGenerator<FsckEvent> {
  const { metadata, shards, clock, random, log } = world
  const settings = { computeWorkers: 0, backgroundReads: true }
  const store = createStore({ metadata, shards, clock, random, log, settings })
  const ending = new AbortController()
  const either = AbortSignal.any([signal, ending.signal])
  const events = new Queue()
  let toldMs = Number.NEGATIVE_INFINITY
  const reader = new ObjectReader((content, until) =>
    store.readContent(content, { start: 0, end: Number(content.size) }, until),
  )
  const running = checkAll(world, {
    ...options,
    reader,
    signal: either,
    onFinding: (finding) => {
      events.put({ finding })
    },
    onProgress: (progress) => {
      if (clock.monotonicMs() - toldMs < PROGRESS_EVERY_MS) return
      toldMs = clock.monotonicMs()
      events.put({
        progress: 'counts' in progress ? { ...progress, counts: { ...progress.counts } } : progress,
      })
    },
  })
  const ended = running.then(
    (result) => {
      events.put({ result })
      events.end()
    },
    (error: unknown) => {
      events.end(error instanceof Error ? error : new Error(String(error)))
    },
  )
  try {
    yield* events.drain()
  } finally {
    ending.abort(new Error('the check is given up'))
    await ended
    await store.close()
  }
}

/** Events in line between the check and whoever takes them. */
class Queue {
  readonly #waiting: FsckEvent[] = []
  #over: { readonly error: Error | undefined } | undefined
  #wake: () => void = () => undefined

  put(event: FsckEvent): void {
    this.#waiting.push(event)
    this.#wake()
  }

  end(error?: Error): void {
    this.#over = { error }
    this.#wake()
  }

  async *drain(): AsyncGenerator<FsckEvent> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        yield next
        continue
      }
      const over = this.#over
      if (over?.error !== undefined) throw over.error
      if (over !== undefined) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
