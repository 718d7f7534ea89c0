import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** Processes that the tests start, none of which outlives them. */

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** Started here or below what was started here; killed at the latest when the test process exits. */
const alive = new Set<number>()

process.on('exit', () => {
  for (const pid of alive) killNow(pid)
})

/** Has the test process kill this one, if it is still there, when it exits. */
export function killAtExit(pid: number): void {
  alive.add(pid)
}

/** Sends SIGKILL; a process that is gone already is what was wanted. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone.
  }
  alive.delete(pid)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running `ashlar` command. */
export interface Running {
  readonly pid: number
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** What it has said so far. */
  stdout(): string
  stderr(): string
  /** Resolves to the first match in stdout; rejects with all it said if it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>
}

/** Resolves once the process has ended and its last words are read. */
async function endOf(child: ChildProcess, outputs: readonly Readable[]): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  child.once('exit', (code, signal) => {
    resolve({ code, signal })
  })
  const read = Promise.all(outputs.map((output) => once(output, 'end')))
  const ended = await promise
  await read
  return ended
}

/** Starts `ashlar` with these arguments. `environment` is added to what it needs of this process's own. */
export function ashlar(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, ...(NODE_COMPILE_CACHE !== '' && { NODE_COMPILE_CACHE }), ...environment },
  })
  const { pid } = child
  if (pid === undefined) throw new Error('ashlar could not be spawned')
  alive.add(pid)
  let out = ''
  let err = ''
  const heard = new Set<() => void>()
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString()
    for (const hear of heard) hear()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    err += bytes.toString()
  })
  const ended = endOf(child, [child.stdout, child.stderr])
  void ended.then(() => alive.delete(pid))
  return {
    pid,
    child,
    ended,
    stdout: () => out,
    stderr: () => err,
    async said(pattern) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
      const hear = () => {
        const match = pattern.exec(out)
        if (match !== null) resolve(match)
      }
      heard.add(hear)
      hear()
      void ended.then(({ code, signal }) => {
        reject(
          new Error(
            `ashlar ${args.join(' ')} ended (${signal ?? code ?? '?'}) before it said ${pattern}:\n${out}${err}`,
          ),
        )
      })
      try {
        return await promise
      } finally {
        heard.delete(hear)
      }
    },
  }
}

export interface Finished extends Ended {
  readonly stdout: string
  readonly stderr: string
}

/** Runs `ashlar` to its end. */
export async function runAshlar(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const running = ashlar(args, environment)
  const ended = await running.ended
  return { ...ended, stdout: running.stdout(), stderr: running.stderr() }
}
