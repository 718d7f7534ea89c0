import { createInterface } from 'node:readline/promises'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Random } from '../runtime/ports/random.ts'
import { systemClock } from '../runtime/clock/system-clock.ts'
import { systemRandom } from '../runtime/random/system-random.ts'

/** What the commands take from outside. */
export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  readonly clock: Clock
  readonly random: Random
  /** Text for stdout. */
  readonly out: (text: string) => void
  /** Text for stderr. */
  readonly err: (text: string) => void
  /** Asks the person at the terminal; undefined where there is none. */
  readonly ask?: ((question: string) => Promise<string>) | undefined
}

/** This process, its machine and its terminal. */
export function processWorld(): World {
  return {
    environment: process.env,
    workingDirectory: process.cwd(),
    clock: systemClock,
    random: systemRandom,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ask: process.stdin.isTTY && process.stderr.isTTY ? askTerminal : undefined,
  }
}

async function askTerminal(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}
