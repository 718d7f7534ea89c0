import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** What a script of the project printed and returned. */
interface Outcome {
  readonly code: number
  readonly output: string
}

const manifest = {
  name: 'project',
  private: true,
  type: 'module',
  bin: { project: 'cli/main.ts' },
  dependencies: { '@bufbuild/protobuf': '*' },
  devDependencies: { '@bufbuild/protoc-gen-es': '*', '@types/node': '*', oxlint: '*' },
}

/** The smallest project that every check passes: a room without the world, one with it, and a contract. */
const clean: Readonly<Record<string, string>> = {
  'package.json': `${JSON.stringify(manifest, undefined, 2)}\n`,
  'core/limits.ts': '/** Zones of the smallest cluster. */\nexport const ZONES = 3\n',
  'core/limits.test.ts': [
    "import assert from 'node:assert/strict'",
    "import { test } from 'node:test'",
    "import { ZONES } from './limits.ts'",
    '',
    "test('a zone may be lost', () => assert.ok(ZONES > 2))",
    '',
  ].join('\n'),
  'runtime/clock.ts': 'export function now(): number {\n  return Date.now()\n}\n',
  'store/read.ts': [
    "import { ZONES } from '../core/limits.ts'",
    '',
    'export function zonesLeft(lost: number): number {',
    '  return ZONES - lost',
    '}',
    '',
  ].join('\n'),
  'cli/main.ts': [
    "import { create } from '@bufbuild/protobuf'",
    "import { PingSchema } from '../proto/gen/ashlar/v1/ping_pb.js'",
    "import { now } from '../runtime/clock.ts'",
    "import { zonesLeft } from '../store/read.ts'",
    '',
    'console.log(create(PingSchema, { sentMs: now() }), zonesLeft(1))',
    '',
  ].join('\n'),
  'proto/ashlar/v1/ping.proto':
    'syntax = "proto3";\npackage ashlar.v1;\n\nmessage Ping {\n  double sent_ms = 1;\n}\n',
}

/** What of the checkout the checks are made of. */
const wiring = [
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'buf.gen.yaml',
  'buf.yaml',
  'core/ambient',
  'knip.json',
  'scripts',
  'tsconfig.core.json',
  'tsconfig.json',
]

/** Replaces the list that ends a file of tables by one that fits the project. */
async function replaceLastList(path: string, declaration: string, list: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  const start = text.indexOf(declaration)
  if (start === -1) throw new Error(`${path} has no ${declaration}`)
  await writeFile(path, `${text.slice(0, start)}${declaration} ${list}\n`)
}

/** A small project in a temporary directory, held together by the scripts and settings of this checkout. */
export class Project {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  static async create(): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'ashlar-checks-')))
    const { root } = project
    for (const path of wiring) await cp(join(checkout, path), join(root, path), { recursive: true })
    await symlink(join(checkout, 'node_modules'), join(root, 'node_modules'))
    await project.write(clean)
    await project.allow({ reasons: '{}', exceptions: '[]' })
    const { code, output } = await project.run('generate')
    if (code !== 0) throw new Error(output)
    return project
  }

  /** Sets the reasons for long files and the exceptions to `ambient`, as the text of their literals. */
  async allow({ reasons, exceptions }: { reasons?: string; exceptions?: string }): Promise<void> {
    const scripts = join(this.root, 'scripts')
    if (reasons !== undefined) {
      const declaration = 'export const reasons: Readonly<Record<string, string>> ='
      await replaceLastList(join(scripts, 'file-sizes.ts'), declaration, reasons)
    }
    if (exceptions !== undefined) {
      const declaration = 'export const exceptions: readonly Exception[] ='
      await replaceLastList(join(scripts, 'import-matrix.ts'), declaration, exceptions)
    }
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.root, path)), { recursive: true })
      await writeFile(join(this.root, path), text)
    }
  }

  /** Puts files back to what they are in the clean project, where many are not there at all. */
  async restore(paths: Iterable<string>): Promise<void> {
    for (const path of paths) {
      const text = clean[path]
      if (text === undefined) await rm(join(this.root, path))
      else await this.write({ [path]: text })
    }
  }

  run(script: 'check' | 'generate' | 'test', ...args: readonly string[]): Promise<Outcome> {
    // This file may itself be run by a test runner, and one runner inside another reports to the outer one.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    return new Promise((resolve) => {
      const command = [join('scripts', `${script}.ts`), ...args]
      execFile(process.execPath, command, { cwd: this.root, env }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, output: stdout + stderr })
      })
    })
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }
}
