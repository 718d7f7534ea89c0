import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Lifetime } from '../../cluster/harness.ts'
import { killAtExit, killNow } from '../../cluster/processes.ts'
import type { Job, Outcome, Reply } from './job.ts'

const GENERATOR = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** One run of the benchmark: ends what was started for it, the last first, whether it went well or not. */
export class Run implements Lifetime {
  readonly #ends: (() => Promise<void>)[] = []
  passed = false

  after(end: () => Promise<void>): void {
    this.#ends.push(end)
  }

  diagnostic(message: string): void {
    console.error(message)
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end()
  }
}

/** Starts one of the benchmark's own processes, which ends with the run. */
export function startHelper(run: Run, program: string, args: readonly string[]): ChildProcess {
  const child = fork(program, args)
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} could not be started`)
  killAtExit(pid)
  const exited = once(child, 'exit')
  run.after(async () => {
    killNow(pid)
    await exited
  })
  return child
}

/** The load generator: a process of its own, so that its CPU is not the cluster's. */
export class Generator {
  readonly #child: ChildProcess
  readonly #signal: AbortSignal

  /** @param signal ends the wait for a job */
  constructor(run: Run, signal: AbortSignal) {
    this.#child = startHelper(run, GENERATOR, [])
    this.#signal = signal
  }

  /** @throws Error with what went wrong in the generator: refused requests, wrong bytes */
  async do(job: Job): Promise<Outcome> {
    this.#child.send(job)
    const [reply] = (await once(this.#child, 'message', { signal: this.#signal })) as [Reply]
    if ('error' in reply) throw new Error(reply.error)
    return reply.outcome
  }
}
