/**
 * `npm run generate`: writes proto/gen from proto/**\/*.proto (buf.gen.yaml says how), then docs/s3-compatibility.md. `--check`
 * only compares, for `npm run check generated`. Both work without a network: buf compiles here, with a local plugin.
 */
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runTool, type CommandResult } from './lib/command.ts'
import { root } from './lib/root.ts'
import { portable } from './lib/source-files.ts'

const generated = 'proto/gen'

type Mode = 'write' | 'check'

/** Paths of the files under `directory`, relative to it; none where it does not exist. */
async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    },
  )
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => portable(relative(directory, join(entry.parentPath, entry.name))))
    .sort()
}

/** One line for each file in which two generated trees differ. */
async function differences(fresh: string, committed: string): Promise<string[]> {
  const [made, kept] = await Promise.all([filesUnder(fresh), filesUnder(committed)])
  const faults = kept
    .filter((path) => !made.includes(path))
    .map((path) => `${generated}/${path}: no .proto makes this file`)
  for (const path of made) {
    if (!kept.includes(path)) faults.push(`${generated}/${path}: missing`)
    else {
      const [a, b] = await Promise.all([readFile(join(fresh, path)), readFile(join(committed, path))])
      if (!a.equals(b)) faults.push(`${generated}/${path}: not what its .proto makes`)
    }
  }
  return faults
}

/** Makes proto/gen anew in a temporary directory, then compares it with the committed one or replaces that. */
async function contracts(mode: Mode): Promise<CommandResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'ashlar-generate-'))
  try {
    const made = await runTool(root, 'buf', ['generate', '--output', scratch])
    if (!made.ok) return made
    const [fresh, committed] = [join(scratch, generated), join(root, generated)]
    if (mode === 'check') {
      const faults = await differences(fresh, committed)
      if (faults.length === 0) return { ok: true, output: '' }
      return { ok: false, output: `${faults.join('\n')}\nRun npm run generate and commit what it writes.\n` }
    }
    await rm(committed, { recursive: true, force: true })
    await cp(fresh, committed, { recursive: true })
    return { ok: true, output: `${(await filesUnder(committed)).length} files in ${generated}\n` }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/**
 * docs/s3-compatibility.md: what its maker looks at is not for a script to import, so that runs by itself. Nothing to do where
 * a checkout has no such document.
 */
async function compatibility(mode: Mode): Promise<CommandResult> {
  const maker = join('test', 'conformance', 'compatibility', 'main.ts')
  if (!existsSync(join(root, maker))) return { ok: true, output: '' }
  const { ok, output } = await runTool(root, 'node', [maker, ...(mode === 'check' ? ['--check'] : [])])
  const advice = mode === 'check' ? 'Run npm run generate and commit what it writes.\n' : ''
  return ok ? { ok, output } : { ok, output: `${output}${advice}` }
}

/** Makes everything that is generated, or compares it with what is committed. */
export async function generate(mode: Mode): Promise<CommandResult> {
  const results = [await contracts(mode), await compatibility(mode)]
  return { ok: results.every(({ ok }) => ok), output: results.map(({ output }) => output).join('') }
}

if (import.meta.main) {
  const { ok, output } = await generate(process.argv.includes('--check') ? 'check' : 'write')
  process.stdout.write(output)
  process.exitCode = ok ? 0 : 1
}
