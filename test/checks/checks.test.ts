/** Every check of `npm run check` passes a clean project, and fails one with a planted violation, naming its file. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { innocents, linesOf, plants } from './plants.ts'
import { Project } from './project.ts'

describe('npm run check', () => {
  let project: Project
  before(async () => {
    project = await Project.create()
  })
  after(() => project.remove())

  test('passes a clean project, with a line for every check', async () => {
    const { code, output } = await project.run('check')
    assert.equal(code, 0, output)
    for (const name of Object.keys(plants)) assert.match(output, new RegExp(`^${name} +ok +[0-9.]+ s$`, 'm'))
  })

  test('has a planted violation for every check', async () => {
    const { output } = await project.run('check', '--help')
    const listed = [...output.matchAll(/^ {2}(\S+) {2,}/gm)].map(([, name]) => name)
    assert.deepEqual(new Set(listed), new Set(Object.keys(plants)))
  })

  for (const [check, violations] of Object.entries(plants)) {
    for (const { what, files, named } of violations) {
      test(`${check} fails on ${what}`, async () => {
        await project.write(files)
        try {
          const { code, output } = await project.run('check', check)
          assert.equal(code, 1, output)
          assert.match(output, new RegExp(`^${check} +FAILED`, 'm'))
          for (const part of named) assert.ok(output.includes(part), `${part} is not in:\n${output}`)
        } finally {
          await project.restore(Object.keys(files))
        }
      })
    }
  }

  for (const [check, files] of Object.entries(innocents)) {
    test(`${check} passes what only looks like a violation`, async () => {
      await project.write(files)
      try {
        const { code, output } = await project.run('check', check)
        assert.equal(code, 0, output)
      } finally {
        await project.restore(Object.keys(files))
      }
    })
  }

  test('a reason allows 800 lines, not 801, and not fewer than need one', async () => {
    await project.allow({ reasons: "{ 'store/long.ts': 'a table' }" })
    try {
      for (const [count, expected] of [
        [400, 1],
        [401, 0],
        [800, 0],
        [801, 1],
      ] as const) {
        await project.write({ 'store/long.ts': linesOf(count) })
        const { code, output } = await project.run('check', 'sizes')
        assert.equal(code, expected, `${count} lines:\n${output}`)
        if (expected === 1) assert.match(output, new RegExp(`store/long.ts: ${count} lines`))
      }
      await project.restore(['store/long.ts'])
      const { code, output } = await project.run('check', 'sizes')
      assert.equal(code, 1)
      assert.match(output, /store\/long\.ts: has a reason .* but is not there/)
    } finally {
      await project.allow({ reasons: '{}' })
    }
  })

  test('an exception allows what it names, while it is used', async () => {
    const server = "import { createServer } from 'node:http'\nexport const f = () => createServer()\n"
    await project.allow({
      exceptions: "[{ file: 'gateway/server.ts', uses: ['node:http'], reason: 'the server itself' }]",
    })
    try {
      await project.write({ 'gateway/server.ts': server })
      assert.equal((await project.run('check', 'purity')).code, 0)

      await project.write({ 'gateway/server.ts': `${server}setTimeout(f, 1)\n` })
      const more = await project.run('check', 'purity')
      assert.equal(more.code, 1)
      assert.match(more.output, /gateway\/server\.ts.*setTimeout is ambient/)

      await project.write({ 'gateway/server.ts': 'export const f = 1\n' })
      const unused = await project.run('check', 'purity')
      assert.equal(unused.code, 1)
      assert.match(unused.output, /gateway\/server\.ts.*excepts node:http, which is not used here/)

      await project.restore(['gateway/server.ts'])
      const gone = await project.run('check', 'purity')
      assert.equal(gone.code, 1)
      assert.match(gone.output, /gateway\/server\.ts: excepted .* but not there/)
    } finally {
      await project.allow({ exceptions: '[]' })
    }
  })

  test('refuses a check it does not have', async () => {
    const { code, output } = await project.run('check', 'style')
    assert.equal(code, 2)
    assert.match(output, /No such check: style/)
  })
})
