import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { killAtExit, killNow } from '../../cluster/processes.ts'
import type { Job, Outcome, Reply } from './job.ts'

const GENERATOR = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** Starts one of the benchmark's own processes, which ends with the run. */
export function startHelper(run: Lifetime, program: string, args: readonly string[]): ChildProcess {
  const child = fork(program, args)
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} could not be started`)
  killAtExit(pid)
  const exited = once(child, 'exit')
  atEnd(run, async () => {
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
  constructor(run: Lifetime, signal: AbortSignal) {
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
