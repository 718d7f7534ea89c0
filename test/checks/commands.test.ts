/** The commands of package.json: `npm test` and the launcher behind `npm start` and `ashlar`. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Project } from './project.ts'

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

describe('npm test', () => {
  let project: Project
  before(async () => {
    project = await Project.create()
    const failing =
      "import { test } from 'node:test'\ntest('breaks', () => {\n  throw new Error('planted')\n})\n"
    await project.write({ 'gateway/broken.test.ts': failing })
  })
  after(() => project.remove())

  test('runs every test file and fails if one fails', async () => {
    const { code, output } = await project.run('test')
    assert.equal(code, 1)
    assert.match(output, /✔ a zone may be lost/)
    assert.match(output, /✖ breaks/)
  })

  test('runs the files whose path contains a word, and ends with the summary of the runner', async () => {
    const { code, output } = await project.run('test', 'core')
    assert.equal(code, 0, output)
    assert.match(output, /ℹ tests 1\n.*ℹ pass 1\nℹ fail 0\n.*ℹ duration_ms [0-9.]+\s*$/s)
  })

  test('runs the tests whose name matches --grep', async () => {
    const { code, output } = await project.run('test', '--grep', 'zone may')
    assert.equal(code, 0, output)
    assert.match(output, /✔ a zone may be lost/)
    assert.doesNotMatch(output, /breaks/)
  })

  test('fails where no file is chosen', async () => {
    const { code, output } = await project.run('test', 'no-such-room')
    assert.equal(code, 1)
    assert.match(output, /no-such-room/)
  })
})

describe('ashlar', () => {
  let project: Project
  let launcher: string
  before(async () => {
    project = await Project.create()
    launcher = join(project.root, 'cli', 'ashlar')
    await cp(join(checkout, 'cli', 'ashlar'), launcher)
    const main = [
      'const [word] = process.argv.slice(2) satisfies string[]',
      "if (word === 'fail') process.exit(7)",
      "if (word === 'wait') process.on('SIGTERM', () => process.exit(8)) && setInterval(() => {}, 1000)",
      'console.log(JSON.stringify({ major: parseInt(process.versions.node), args: process.argv.slice(2) }))',
    ]
    await project.write({ 'cli/main.ts': `${main.join('\n')}\n` })
  })
  after(() => project.remove())

  test('runs cli/main.ts on Node 24 or newer with all arguments, from anywhere and through a link', async () => {
    const link = join(project.root, 'linked')
    await symlink(join('cli', 'ashlar'), link)
    for (const command of [launcher, link]) {
      const { status, stdout, stderr } = spawnSync(command, ['status', 'a b', '--json'], {
        cwd: '/',
        encoding: 'utf8',
      })
      assert.equal(status, 0, stderr)
      const said = JSON.parse(stdout) as { major: number; args: string[] }
      assert.ok(said.major >= 24)
      assert.deepEqual(said.args, ['status', 'a b', '--json'])
    }
  })

  test('passes on exit codes', () => {
    assert.equal(spawnSync(launcher, ['fail']).status, 7)
  })

  test('passes on signals', async () => {
    const child = spawn(launcher, ['wait'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 8)
  })

  test('says what to do where there is no Node that can run it', async () => {
    await rm(join(project.root, 'node_modules'))
    const { status, stderr } = spawnSync('/bin/sh', [launcher, 'status'], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', NODE_OPTIONS: '--no-such-option' },
    })
    assert.equal(status, 1)
    assert.match(stderr, /needs Node 24 or newer/)
    assert.match(stderr, /npm ci/)
  })

  test('is what npm start and the bin entry of the package run', async () => {
    const manifest = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
      bin: Record<string, string>
      scripts: Record<string, string>
    }
    assert.equal(manifest.bin['ashlar'], 'cli/ashlar')
    assert.equal(manifest.scripts['start'], 'exec cli/ashlar start')
  })
})
