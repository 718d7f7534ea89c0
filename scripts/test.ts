/**
 * `npm test`: runs the tests of the checkout with Node's test runner. Words without a dash choose the files
 * whose path contains one of them (`npm test -- gateway`); `--grep <pattern>` chooses tests by name; any other
 * option goes to `node --test` as it is.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { compileCache } from './lib/compile-cache.ts'
import { root } from './lib/root.ts'
import { sourceFiles } from './lib/source-files.ts'

/** Test files at a time: two cores are common, and cluster tests start processes of their own. */
const concurrency = 2
/** One test, in milliseconds. Generous for the slowest machine: it is there to end what hangs. */
const timeoutMs = 300_000
/** The whole run, where ASHLAR_TEST_SECONDS does not say: a file that leaves something open never ends, and is then named. */
const deadlineSeconds = 45 * 60

const help = `Usage: npm test [-- [<part of a path>...] [--grep <pattern>] [<option of node --test>...]]

ASHLAR_TEST_SECONDS  after which a run is interrupted (${deadlineSeconds})
`

interface Choice {
  readonly parts: readonly string[]
  readonly options: readonly string[]
}

/** Sorts the arguments into parts of paths and options of the runner. Throws where --grep has no pattern. */
function choose(args: readonly string[]): Choice {
  const parts: string[] = []
  const options: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    if (arg === '--grep') {
      const pattern = args[++index]
      if (pattern === undefined) throw new Error('--grep needs a pattern')
      options.push(`--test-name-pattern=${pattern}`)
    } else if (arg.startsWith('--grep=')) options.push(`--test-name-pattern=${arg.slice('--grep='.length)}`)
    else if (arg.startsWith('-')) options.push(arg)
    else parts.push(arg.replace(/^\.\//, ''))
  }
  return { parts, options }
}

/** Runs `node --test` over `files` with this terminal; its exit code, or 128 + the signal that ended it. */
function runTests(files: readonly string[], options: readonly string[], seconds: number): Promise<number> {
  const args = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    ...options,
    ...files,
  ]
  const env = { NODE_COMPILE_CACHE: compileCache, ...process.env }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  // The runner ends its test processes when it is told to end, so it must be told.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const deadline = setTimeout(() => {
    process.stderr.write(`npm test: not done after ${seconds} s, interrupting\n`)
    child.kill('SIGINT')
  }, seconds * 1000)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(deadline)
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL'])
    })
  })
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help)
    return 0
  }
  const { parts, options } = choose(args)
  const all = await sourceFiles(root, ['.test.ts'])
  const files = all.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  if (files.length === 0) {
    process.stderr.write(`No test file's path contains ${parts.join(' or ')}\n`)
    return 1
  }
  const seconds = Number(process.env['ASHLAR_TEST_SECONDS'] ?? deadlineSeconds)
  if (!(seconds > 0)) throw new Error('ASHLAR_TEST_SECONDS must be a number of seconds')
  return await runTests(files, options, seconds)
}

process.exitCode = await main(process.argv.slice(2))
