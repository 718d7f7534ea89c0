import { spawn } from 'node:child_process'
import { access, cp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killAtExit } from '../../cluster/processes.ts'
import { adapt } from './adaptations.ts'

/** The checkout of ceph/s3-tests and the Python that runs it. Neither is part of the project. */

/** The two files that this project answers for; the others test IAM, STS, SNS and S3 Select. */
const FILES = ['test_headers.py', 'test_s3.py'] as const

const CONFTEST = fileURLToPath(new URL('./conftest.py', import.meta.url))

const FUNCTIONAL = join('s3tests', 'functional')

/** Modules that the two files and this command import, and the packages that hold them. */
const MODULES: Readonly<Record<string, string>> = {
  pytest: 'pytest',
  pytest_timeout: 'pytest-timeout',
  xdist: 'pytest-xdist',
  boto3: 'boto3',
  awscrt: 'awscrt',
  munch: 'munch',
  isodate: 'isodate',
  requests: 'requests',
  pytz: 'pytz',
  httplib2: 'httplib2',
  yaml: 'PyYAML',
  lxml: 'lxml',
}

/** One test, in seconds: what waits longer waits for something that will not come. */
const TEST_TIMEOUT_S = 120

/** Two processes keep two cores busy, a usual machine's least, together with the cluster they talk to. */
export const PROCESSES = 2

/** Why the suite cannot be run; undefined when all it takes is there. */
export async function missingFor(suite: string, python: string): Promise<string | undefined> {
  for (const file of FILES) {
    const path = join(suite, FUNCTIONAL, file)
    if (!(await exists(path))) return `${path} is not there: --suite takes a checkout of ceph/s3-tests`
  }
  const names = JSON.stringify(Object.keys(MODULES))
  const program = `import importlib.util as u; print(*[m for m in ${names} if u.find_spec(m) is None])`
  const asked = await run(python, ['-c', program], { quiet: true })
  if (asked.code !== 0) return `${python} cannot be run: --python takes a Python 3`
  const absent = asked.output.split(/\s+/).filter((name) => name !== '')
  if (absent.length === 0) return undefined
  const packages = absent.map((name) => MODULES[name] ?? name)
  return `${python} lacks ${absent.join(', ')}: ${python} -m pip install ${packages.join(' ')}`
}

/** Makes an adapted copy of the suite. */
export async function copySuite(suite: string, target: string): Promise<void> {
  await cp(join(suite, 's3tests'), join(target, 's3tests'), { recursive: true })
  await cp(join(suite, 'pytest.ini'), join(target, 'pytest.ini'))
  await cp(CONFTEST, join(target, 'conftest.py'))
  await adapt(target)
}

/** The commit that a checkout is of; undefined where it is none of git's. */
export async function commitOf(suite: string): Promise<string | undefined> {
  const { code, output } = await run('git', ['-C', suite, 'rev-parse', 'HEAD'], { quiet: true })
  return code === 0 ? output.trim() : undefined
}

interface PytestRun {
  /** The adapted copy. */
  readonly suite: string
  readonly python: string
  /** s3tests.conf, to which each process adds its name: `.gw0`, `.gw1` … */
  readonly config: string
  /** Where the JUnit report is written. */
  readonly report: string
  readonly args: readonly string[]
}

/**
 * Runs pytest with this terminal. Resolves when it has run, whatever the tests said.
 * @throws {Error} when pytest itself failed: bad options, no tests, interrupted
 */
export async function runPytest({ suite, python, config, report, args }: PytestRun): Promise<void> {
  const files = FILES.map((file) => join(FUNCTIONAL, file))
  const own = [
    '--tb=line',
    '-q',
    '-p',
    'no:cacheprovider',
    '-o',
    'junit_family=xunit1',
    `--junitxml=${report}`,
  ]
  const limits = [`--timeout=${TEST_TIMEOUT_S}`, '-n', String(PROCESSES)]
  const { code } = await run(python, ['-m', 'pytest', ...own, ...limits, ...args, ...files], {
    cwd: suite,
    environment: { S3TEST_CONF: config, ...CLIENT_ENVIRONMENT },
  })
  // 0: all passed, 1: some did not; what is more is pytest's own.
  if (code > 1) throw new Error(`pytest ended with ${code}`)
}

/** Nothing of the machine's own configuration of AWS clients. */
const CLIENT_ENVIRONMENT = {
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  PYTHONDONTWRITEBYTECODE: '1',
}

interface RunOptions {
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Collects its output instead of showing it. */
  readonly quiet?: boolean
}

function run(
  program: string,
  args: readonly string[],
  { cwd, environment = {}, quiet = false }: RunOptions,
): Promise<{ readonly code: number; readonly output: string }> {
  const { PATH = '', HOME = '' } = process.env
  const { promise, resolve } = Promise.withResolvers<{ code: number; output: string }>()
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'ignore' : 'inherit'],
  })
  if (child.pid !== undefined) killAtExit(child.pid)
  let output = ''
  child.stdout?.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  // It could not be started.
  child.on('error', () => resolve({ code: 127, output }))
  child.on('close', (code) => resolve({ code: code ?? 128, output }))
  return promise
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
