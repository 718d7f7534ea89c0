import { generate } from '../generate.ts'
import { exceptions } from '../import-matrix.ts'
import { type CommandResult, runTool } from './command.ts'
import { root } from './root.ts'
import { sizeFaults } from './sizes.ts'
import { sourceFiles } from './source-files.ts'

/** One thing `npm run check` holds the checkout against. */
interface Check {
  readonly name: string
  readonly what: string
  /** Not ok where the checkout breaks the rule; the output names the files. */
  run(): Promise<CommandResult>
}

/** All results as one: ok if all are, with the output of those that are not. */
function together(results: readonly CommandResult[]): CommandResult {
  const failed = results.filter(({ ok }) => !ok)
  return { ok: failed.length === 0, output: failed.map(({ output }) => output).join('') }
}

function fromFaults(faults: readonly string[]): CommandResult {
  return { ok: faults.length === 0, output: faults.map((fault) => `${fault}\n`).join('') }
}

/** Runs one rule of scripts/lint over the code, and no other rule. */
async function architecture(rule: 'imports' | 'ambient'): Promise<CommandResult> {
  const files = await sourceFiles(root, ['.ts', '.js', '.mjs'])
  const args = ['-c', `scripts/lint/${rule}.oxlintrc.json`, '--disable-nested-config', '--format', 'unix']
  return await runTool(root, 'oxlint', [...args, ...files])
}

async function staleExceptions(): Promise<CommandResult> {
  const files = await sourceFiles(root, ['.ts', '.js', '.mjs'])
  const stale = exceptions.filter(({ file }) => !files.includes(file))
  return fromFaults(stale.map(({ file }) => `${file}: excepted in scripts/import-matrix.ts, but not there`))
}

/** In the order they are reported. */
export const checks: readonly Check[] = [
  {
    name: 'format',
    what: 'oxfmt would change nothing',
    run: () => runTool(root, 'oxfmt', ['--check']),
  },
  {
    name: 'lint',
    what: 'oxlint, with type-aware rules (.oxlintrc.json)',
    run: () => runTool(root, 'oxlint', []),
  },
  {
    name: 'types',
    what: 'tsc, strict (tsconfig.json)',
    run: () => runTool(root, 'tsc', ['-p', 'tsconfig.json', '--pretty', 'false']),
  },
  {
    name: 'purity',
    what: 'core/ compiles without Node; clocks, timers, randomness, disk and network stay in runtime/',
    run: async () =>
      together([
        await runTool(root, 'tsc', ['-p', 'tsconfig.core.json', '--pretty', 'false']),
        await architecture('ambient'),
        await staleExceptions(),
      ]),
  },
  {
    name: 'imports',
    what: 'who may import whom (scripts/import-matrix.ts)',
    run: () => architecture('imports'),
  },
  {
    name: 'sizes',
    what: 'no file too long to read (scripts/file-sizes.ts)',
    run: async () => fromFaults(await sizeFaults(root)),
  },
  {
    name: 'dead-code',
    what: 'knip finds no unused file, export or dependency (knip.json)',
    run: () => runTool(root, 'knip', ['--no-progress']),
  },
  {
    name: 'generated',
    what: 'proto/gen is what proto/ashlar makes; docs/s3-compatibility.md is what the table and the tests make',
    run: () => generate('check'),
  },
]
