import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'

/** What a command printed (standard output and error, in the order they came) and how it ended. */
export interface CommandResult {
  readonly ok: boolean
  readonly output: string
}

/**
 * Runs `name` from the project's node_modules/.bin in `cwd` and collects what it prints. Nothing is thrown:
 * a command that cannot be started is a result that is not ok and says why.
 */
export function runTool(cwd: string, name: string, args: readonly string[]): Promise<CommandResult> {
  const bin = join(cwd, 'node_modules', '.bin')
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, NO_COLOR: '1' }
  return new Promise((resolve) => {
    const child = spawn(join(bin, name), args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', (error) =>
      resolve({ ok: false, output: `${name} could not be started: ${error.message}` }),
    )
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString('utf8')
      const end = signal === null ? '' : `${name} was ended by ${signal}\n`
      resolve({ ok: code === 0, output: output + end })
    })
  })
}
