import './engine.ts'
import { createActions } from './actions.ts'
import { explain } from './failure.ts'
import { redactedArguments } from './metadata/redact.ts'
import { runProgram } from './program.ts'
import { processWorld } from './world.ts'

const args = process.argv.slice(2)
// Lists of processes show arguments to everybody on the machine, and an engine's address may have a password.
const shown = redactedArguments(args)
if (shown !== undefined) process.title = ['ashlar', ...shown].join(' ')
const debug = args.includes('--debug') || (process.env['ASHLAR_DEBUG'] ?? '') !== ''
const world = processWorld()

let exitCode: number
try {
  exitCode = await runProgram(args, createActions(world), world)
} catch (error) {
  const explained = explain(error, debug)
  world.err(explained.text)
  exitCode = explained.exitCode
}
// What has to be durable is durable by now, and a pooled connection must not hold the process back; output to a pipe,
// however, is written in the background.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)))
