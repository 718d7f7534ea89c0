import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import { root } from '../../scripts/lib/root.ts'
import { understand } from './command-line.ts'
import { readDockerfile } from './files.ts'

/** Literals that lead to another file: of imports, of workers, of files that are read. */
const REFERENCE = /(['"])(\.{1,2}\/[^'"\n]+\.(?:ts|js|json|wasm))\1/g

/** Every file that is reached from this one, by its path from the root of the project. */
async function reachedFrom(first: string): Promise<Set<string>> {
  const reached = new Set<string>()
  const left = [first]
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    if (file.endsWith('.json')) continue
    // Generated code is committed as JavaScript; what it says of types lies beside it.
    const text = await readFile(join(root, file), 'utf8')
    for (const [, , reference = ''] of text.matchAll(REFERENCE)) {
      const next = relative(root, join(root, dirname(file), reference))
      const found = await stat(join(root, next)).catch(() => undefined)
      if (found?.isFile() === true) left.push(next)
    }
  }
  return reached
}

/** Whether `.dockerignore` lets a file into the build: the last line that fits it says. */
async function ignored(): Promise<(path: string) => boolean> {
  const lines = (await readFile(join(root, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const pattern = line.replace(/^!/, '')
      const source = pattern
        .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
        .replaceAll('**/', '(?:.*/)?')
        .replaceAll(/(?<!\.)\*/g, '[^/]*')
      return { keeps: line.startsWith('!'), fits: new RegExp(`^${source}(?:/.*)?$`) }
    })
  return (path) => lines.findLast(({ fits }) => fits.test(path))?.keeps !== true
}

test('the image has every file that the program reaches, and the build gets no others of tests', async () => {
  const { copies, healthcheck } = await readDockerfile()
  const isIgnored = await ignored()
  const files = await reachedFrom('cli/main.ts')
  assert.ok(files.size > 300, `${files.size} files`)
  files.add('cli/ashlar').add('LICENSE')
  files.add(relative('/opt/ashlar', healthcheck[1] ?? ''))
  for (const file of files) {
    const copied = copies.find(([source]) => file === source || file.startsWith(`${source}/`))
    assert.ok(copied !== undefined, `no COPY brings ${file}`)
    const [source, target] = copied
    const lies = target.endsWith('/') ? join(target, file) : join(target, relative(source, file))
    assert.equal(lies, join('/opt/ashlar', file), 'imports are relative')
    assert.ok(!isIgnored(file), `.dockerignore leaves out ${file}`)
  }
  for (const file of [
    'core/limits.test.ts',
    'test/deploy/files.ts',
    'data/secret',
    'node_modules/zod/index.js',
  ]) {
    assert.ok(isIgnored(file), file)
  }
  assert.ok(isIgnored('deploy/compose/secrets/cluster-secret'), 'secrets are not sent to an engine')
})

test('the image runs a whole cluster in its volume, reached from outside, and not as root', async () => {
  const image = await readDockerfile()
  assert.deepEqual(image.entrypoint, ['ashlar'])
  const { kind, config } = await understand(image.command, {}, image.environment)
  assert.equal(kind, 'start')
  if (kind !== 'start') return
  assert.equal(config.data, '/data')
  assert.equal(config.host, '0.0.0.0')
  assert.deepEqual(image.ports, [String(config.port)])
  assert.equal(String(config.adminPort), image.environment['ASHLAR_ADMIN_PORT'], 'what the health check asks')
  assert.match(image.user, /^[1-9]\d*:[1-9]\d*$/)
})

test('the base is the Node that the program asks for', async () => {
  const dockerfile = await readFile(join(root, 'deploy', 'docker', 'Dockerfile'), 'utf8')
  const oldest = /^oldest=(\d+)$/m.exec(await readFile(join(root, 'cli', 'ashlar'), 'utf8'))?.[1]
  assert.match(dockerfile, new RegExp(`^ARG NODE_IMAGE=node:${oldest ?? '?'}-[a-z]+-slim$`, 'm'))
  assert.ok(SHUTDOWN_GRACE_MS > 10_000, 'docs/deploy.md says that docker stop needs --time 30')
})
