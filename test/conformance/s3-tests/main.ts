/**
 * `npm run s3-tests -- --suite DIR [options] [-- pytest options]`: runs test_s3.py and test_headers.py of a checkout of
 * ceph/s3-tests against a new cluster, and holds what comes against test/conformance/s3-tests.json.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Run } from '../../cluster/lifetime.ts'
import { startCluster } from '../../cluster/harness.ts'
import { accountsFile, newAccounts, suiteConfig } from './accounts.ts'
import { compare, readExpectations, updated } from './expectations.ts'
import { readJunit, type Outcome } from './junit.ts'
import { summary } from './report.ts'
import { commitOf, copySuite, missingFor, PROCESSES, runPytest } from './suite.ts'

const LIST = fileURLToPath(new URL('../s3-tests.json', import.meta.url))

const HELP = `Usage: npm run s3-tests -- --suite DIR [options] [-- <options of pytest>]

Runs ceph/s3-tests (github.com/ceph/s3-tests) against a cluster of its own and compares with test/conformance/s3-tests.json.

  --suite DIR      a checkout of the suite; a copy of it is run
  --python FILE    a Python 3 with what the suite needs (python3)
  --report FILE    keep pytest's JUnit report
  --write          take into the list what passes now and what is gone; reasons are for people to give
  -h, --help

Options of pytest, such as -k NAME, choose tests; only those that ran are compared then.
Exit code: 0 as listed, 1 differences, 2 wrong use, 3 the suite or what it needs is not there.
`

interface Wanted {
  readonly suite: string
  readonly python: string
  readonly report: string | undefined
  readonly write: boolean
  readonly pytest: readonly string[]
}

/** Everything of one run is in a folder that goes with it. */
async function runSuite({ suite, python, report, pytest }: Wanted): Promise<Map<string, Outcome>> {
  const run = new Run()
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-s3-tests-'))
  run.after(() => rm(folder, { recursive: true, force: true }))
  try {
    const copy = join(folder, 'suite')
    await mkdir(copy)
    await copySuite(suite, copy)
    const accounts = Array.from({ length: PROCESSES }, (_process, index) => newAccounts(index))
    const accountsPath = join(folder, 'accounts.json')
    await writeFile(accountsPath, accountsFile(accounts.flat()), { mode: 0o600 })
    const cluster = await startCluster(run, {
      // The suite's tests of access control lists take them to be in force, as they were at AWS before 2023.
      args: ['--accounts', accountsPath, '--default-object-ownership', 'ObjectWriter'],
    })
    const config = join(folder, 's3tests.conf')
    const port = Number(new URL(cluster.endpoints[0] ?? '').port)
    for (const [index, own] of accounts.entries()) {
      await writeFile(`${config}.gw${index}`, suiteConfig(port, own), { mode: 0o600 })
    }
    const junit = report ?? join(folder, 'junit.xml')
    await runPytest({ suite: copy, python, config, report: junit, args: pytest })
    const outcomes = readJunit(await readFile(junit, 'utf8'))
    run.passed = true
    return outcomes
  } finally {
    await run.end()
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      suite: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      report: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (values.suite === undefined) {
    process.stderr.write(`--suite is missing\n\n${HELP}`)
    return 2
  }
  const suite = resolve(values.suite)
  const missing = await missingFor(suite, values.python)
  if (missing !== undefined) {
    process.stderr.write(`s3-tests: ${missing}\n`)
    return 3
  }
  const expectations = readExpectations(await readFile(LIST, 'utf8'))
  const commit = await commitOf(suite)
  if (commit !== expectations.suite.commit) {
    process.stderr.write(
      `s3-tests: the list is of commit ${expectations.suite.commit}, the suite is ${commit ?? 'of none'}\n`,
    )
  }
  const { python, write } = values
  const report = values.report === undefined ? undefined : resolve(values.report)
  const outcomes = await runSuite({ suite, python, report, write, pytest: positionals })
  const differences = compare(expectations.tests, outcomes, positionals.length === 0)
  process.stdout.write(summary(expectations, outcomes, differences))
  if (!write) return differences.length === 0 ? 0 : 1
  await writeFile(LIST, `${JSON.stringify(updated(expectations, differences), undefined, 2)}\n`)
  return differences.some(({ kind }) => kind === 'broken' || kind === 'unclassified') ? 1 : 0
}

// What was started ends with this process, but a signal alone would not let it say so.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  const usage =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  if (!usage) throw error
  process.stderr.write(`${error.message}\n\n${HELP}`)
  return 2
})
