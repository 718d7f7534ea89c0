import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { CommandError } from '../failure.ts'
import { parseReadyMessage } from './messages.ts'

/** One service as a process that this one started. */
export interface Child {
  readonly name: string
  /** Where it listens. */
  readonly address: string
  /** Resolves when it has ended, to how: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>
  /** Asks it to end; after `graceMs` it is killed. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>
}

export interface StartChild {
  readonly name: string
  /** Arguments of Node: the program and its own. */
  readonly args: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  /** Takes its stdout and stderr, after what is there already. */
  readonly logFile: string
  /** Aborted: the child is stopped. */
  readonly signal: AbortSignal
}

/** Lines of a child's log that are shown when it does not come up. */
const LOG_LINES_SHOWN = 8

/**
 * Starts a service and waits until it serves.
 *
 * It leads a process group of its own: Ctrl-C in the terminal reaches only this process, which stops the services in
 * order. When this process dies, however, the IPC channel closes, and the service stops by itself.
 * @throws {CommandError} it ended before it served; with the last lines of its log
 */
export async function startChild({ name, args, environment, logFile, signal }: StartChild): Promise<Child> {
  signal.throwIfAborted()
  const log = await open(logFile, 'a', 0o600)
  let child: ChildProcess
  let logStart: number
  try {
    logStart = (await log.stat()).size
    child = spawn(process.execPath, args, {
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
      detached: true,
      env: environment,
    })
  } finally {
    await log.close()
  }
  const ended = endOf(child)
  const onAbort = () => void child.kill('SIGTERM')
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const address = await Promise.race([readyAddress(child), ended.then((how) => ({ how }))])
    if (typeof address === 'string') {
      return { name, address, ended, stop: (graceMs) => stop(child, ended, graceMs) }
    }
    signal.throwIfAborted()
    const said = await lastLines(logFile, logStart)
    throw new CommandError(`${name} did not start (${address.how})`, {
      hints: [...said, `All it said is in ${logFile}.`],
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function readyAddress(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  child.on('message', (message: unknown) => {
    const ready = parseReadyMessage(message)
    if (ready !== undefined) resolve(ready.address)
  })
  return await promise
}

async function endOf(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  child.once('error', (error) => {
    resolve(error.message)
  })
  child.once('exit', (code, signal) => {
    resolve(signal ?? `exit code ${code ?? '?'}`)
  })
  return await promise
}

async function stop(child: ChildProcess, ended: Promise<string>, graceMs: number): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
  }, graceMs)
  await ended
  clearTimeout(timer)
}

async function lastLines(path: string, from: number): Promise<string[]> {
  const bytes = await readFile(path)
  const lines = bytes.subarray(from).toString().trimEnd().split('\n')
  return lines.slice(-LOG_LINES_SHOWN)
}
