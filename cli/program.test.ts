import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, fieldsOf } from '../runtime/config/layers.ts'
import { serviceConfigs } from '../runtime/config/services.ts'
import { CommandError, EXIT_USAGE, explain } from './failure.ts'
import { runProgram, type Actions } from './program.ts'
import { topologyCommands } from './topology/commands.ts'

async function run(...args: string[]): Promise<{ code: number; called: unknown[]; output: string }> {
  const called: unknown[] = []
  let output = ''
  const note =
    (name: string) =>
    (...given: unknown[]) => {
      called.push([name, ...given])
      return Promise.resolve(7)
    }
  const actions: Actions = {
    start: note('start'),
    service: note('service'),
    status: note('status'),
    fsck: note('fsck'),
    topology: note('topology'),
    partition: note('partition'),
    metadata: note('metadata'),
    credentials: note('credentials'),
  }
  const code = await runProgram(args, actions, { out: (text) => (output += text) })
  return { code, called, output }
}

test('flags reach the action as texts, under the names of the fields', async () => {
  const { code, called } = await run('start', '--nodes-per-zone', '3', '--separate', '--data', 'x', '--debug')
  assert.equal(code, 7)
  assert.deepEqual(called, [['start', { nodesPerZone: '3', separate: 'true', data: 'x' }]])
})

test('a flag that may do without a value is true without it', async () => {
  for (const [given, text] of [
    ['--emulate-s3-limits', 'true'],
    ['--emulate-s3-limits=0.1', '0.1'],
  ] as const) {
    const { called } = await run('start', given, '--data', 'x')
    assert.deepEqual(called, [['start', { emulateS3Limits: text, data: 'x' }]])
  }
})

test('a service takes a file and flags', async () => {
  const { called } = await run('storage-node', '--config', 'n.json', '--port', '9')
  assert.deepEqual(called, [['service', 'storage-node', 'n.json', { port: '9' }]])
})

test('what makes no sense is a usage error that names it, and nothing is done', async () => {
  const bad: [string[], RegExp][] = [
    [['strat'], /unknown command 'strat'.*start/s],
    [['start', '--prot', '1'], /unknown option '--prot'.*--port/s],
    [['start', '--port'], /'--port <number>' argument missing/],
    [['start', 'extra'], /too many arguments/],
  ]
  for (const [args, message] of bad) {
    await assert.rejects(run(...args), (error) => {
      assert.ok(error instanceof CommandError)
      assert.match(error.message, message)
      assert.equal(explain(error, false).exitCode, EXIT_USAGE)
      return true
    })
  }
})

test('help has every option of every service with its description, and examples', async () => {
  for (const [kind, schema] of Object.entries(serviceConfigs)) {
    const { code, output, called } = await run(kind, '--help')
    assert.deepEqual([code, called], [0, []])
    for (const { flag } of fieldsOf(schema)) {
      assert.match(output, new RegExp(`${flag}( [<[]| {2})`), `${kind} ${flag}`)
    }
    assert.match(output, /Examples:/)
  }
  assert.match((await run('start', '--help')).output, /--separate {2,}Every service a process/)
  for (const args of [['help'], ['--help'], []]) {
    assert.match((await run(...args)).output, /Usage: ashlar.*start.*status.*credentials/s)
  }
  assert.match((await run('--version')).output, /^\d+\.\d+\.\d+\n$/)
})

test('errors are shown without a stack, unless asked for', () => {
  const broken = new Error('the disk is gone')
  assert.equal(
    explain(broken, false).text,
    'ashlar: the disk is gone\n        ASHLAR_DEBUG=1 shows where it came from.\n',
  )
  assert.match(explain(broken, true).text, /program\.test\.ts/)
  const refused = new CommandError('no', { hints: ['try'] })
  assert.deepEqual(explain(refused, false), { text: 'ashlar: no\n        try\n', exitCode: 1 })
  const faults = new ConfigError(['port: bad', 'host: bad'])
  assert.deepEqual(explain(faults, false), {
    text: 'ashlar: configuration:\n          port: bad\n          host: bad\n',
    exitCode: EXIT_USAGE,
  })
})

test('commands on the topology take their names and their options', async () => {
  const add = topologyCommands.find(({ group, name }) => group === 'node' && name === 'add')
  assert.deepEqual(await run('node', 'add', 'a-2', '--zone', 'a', '--dry-run'), {
    code: 7,
    called: [['topology', add, ['a-2'], { zone: 'a', dryRun: 'true' }]],
    output: '',
  })
  await assert.rejects(run('node', 'drain'), /missing required argument 'name'/)
  await assert.rejects(run('node', 'weight', 'a-2', '2', '3'), /too many arguments/)
  await assert.rejects(run('node', 'ad'), /unknown command 'ad'/)
  for (const { group, name, args } of topologyCommands) {
    const line = [...(group === undefined ? [] : [group]), name]
    const { called, output } = await run(...line, '--help')
    assert.deepEqual(called, [])
    for (const arg of args) assert.ok(output.includes(`<${arg}>`), line.join(' '))
    assert.match(output, /--json/)
  }
  assert.match((await run('node')).output, /add .*drain .*Examples:/s)
})
