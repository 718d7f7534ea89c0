import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redactedArguments, redactedEngine } from './redact.ts'

test('no password of an engine is shown, however it is written', () => {
  for (const [spec, shown] of [
    ['level:/srv/metadata', 'level:/srv/metadata'],
    ['etcd://h1:2379,h2:2379/prefix?quota=8GiB', 'etcd://h1:2379,h2:2379/prefix?quota=8GiB'],
    ['postgres://me:secret@host:5432/db', 'postgres://…@host:5432/db'],
    ['postgres://me:s/e@c:ret@host/db', 'postgres://…@host/db'],
    ['postgres://a:secret@h/db  etcd://b:secret@h', 'postgres://…@h/db  etcd://…@h'],
  ] as const) {
    assert.equal(redactedEngine(spec), shown)
  }
})

test('arguments are shown as they are unless there is a password among them', () => {
  assert.equal(redactedArguments(['start', '--engine', 'etcd://h1', '--data', './a@b']), undefined)
  assert.deepEqual(redactedArguments(['start', '--engine', 'etcd://u:p@h1']), [
    'start',
    '--engine',
    'etcd://…@h1',
  ])
  assert.deepEqual(redactedArguments(['--engine=postgres://u:p@h/d']), ['--engine=postgres://…@h/d'])
})
