import { inspect } from 'node:util'
import { ConfigError } from '../runtime/config/layers.ts'

/** The command was called wrongly; nothing was done. */
export const EXIT_USAGE = 2
/** The command could not do what it was asked to. */
export const EXIT_FAILURE = 1

/** What went wrong, said for the person who typed the command: shown without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number
  /** What to do about it, a line each. */
  readonly hints: readonly string[]

  constructor(
    message: string,
    options: {
      readonly exitCode?: number
      readonly hints?: readonly string[]
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.exitCode = options.exitCode ?? EXIT_FAILURE
    this.hints = options.hints ?? []
  }
}

export interface Explained {
  /** Lines for stderr. */
  readonly text: string
  readonly exitCode: number
}

/**
 * An error as the lines and the exit code that the command ends with. The stack is shown only on request: it tells a
 * user nothing that the message does not.
 */
export function explain(error: unknown, debug: boolean): Explained {
  const lines = [`ashlar: ${summary(error)}`]
  if (error instanceof CommandError) lines.push(...error.hints.map((hint) => `        ${hint}`))
  if (debug) lines.push(inspect(error))
  else if (!expected(error)) lines.push('        ASHLAR_DEBUG=1 shows where it came from.')
  const exitCode =
    error instanceof CommandError ? error.exitCode : error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILURE
  return { text: `${lines.join('\n')}\n`, exitCode }
}

function expected(error: unknown): boolean {
  return error instanceof CommandError || error instanceof ConfigError
}

function summary(error: unknown): string {
  if (error instanceof ConfigError) {
    const { faults } = error
    if (faults.length === 1) return `configuration: ${faults[0] ?? ''}`
    return `configuration:\n${faults.map((fault) => `          ${fault}`).join('\n')}`
  }
  return error instanceof Error ? error.message : String(error)
}

/** Node's code of a system error: `EADDRINUSE`, `EACCES` …; undefined for others. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The error of a listening socket as a sentence; other errors as they are. */
export function listenFailure(error: unknown, what: string, address: string): unknown {
  switch (systemCode(error) ?? codeInMessage(error)) {
    case 'EADDRINUSE':
      return new CommandError(`${what}: ${address} is already in use`, {
        hints: ['Stop what listens there, or choose another with --port.'],
        cause: error,
      })
    case 'EACCES':
      return new CommandError(`${what}: may not listen on ${address}`, {
        hints: ['Ports below 1024 need a privilege; choose another with --port.'],
        cause: error,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new CommandError(`${what}: ${address} is no address of this machine`, { cause: error })
    case undefined:
    default:
      return error
  }
}

/** gRPC's server has the system's error in its message only. */
function codeInMessage(error: unknown): string | undefined {
  return error instanceof Error ? /\blisten (E[A-Z]+)\b/.exec(error.message)?.[1] : undefined
}
